"""`confsvc fingerprint`: another digest when the configuration changes, the same one when it does not."""

import re

import pytest

from confsvc.testing import find_leaks
from running import Project

MANIFEST = """
[settings]
PORT = { type = "int" }
URL = { type = "url", secret = true }
TOKEN = { secret = true, required = false }
[environments.development]
sources = ["dotenv://.env"]
[environments.development.values]
URL = "postgres://shop:${dotenv://.secrets#PASSWORD}@db/shop"
"""


@pytest.fixture
def shop(project: Project, canary: str) -> Project:
    """A project with plain settings, and with secrets in a store that has no versions."""
    project.manifest(MANIFEST, env="PORT=1\n")
    (project.folder / ".secrets").write_text(f"PASSWORD={canary}\n")
    (project.folder / "key").write_bytes(bytes(range(32)))
    return project


def digest(shop: Project, *options: str) -> str:
    done = shop.run("fingerprint", "-q", *options)
    assert (done.status, done.err) == (0, "")
    assert re.fullmatch("[0-9a-f]{64}\n", done.out)
    return done.out


def test_it_is_the_same_until_something_changes(shop: Project) -> None:
    first = digest(shop)
    assert digest(shop) == first
    (shop.folder / ".env").write_text("PORT=2\n")
    second = digest(shop)
    assert second != first
    shop.manifest(MANIFEST.replace("@db/", "@other/"))
    assert digest(shop) not in {first, second}
    shop.manifest(MANIFEST.replace("[settings]", "# a comment\n[settings]"))
    assert digest(shop) == second


def test_a_secret_without_a_version_does_not_show_and_that_is_said(shop: Project, canary: str) -> None:
    done = shop.run("fingerprint")
    assert done.err == (
        "warning: a change of `URL` does not show: its store has no versions; `--key-file` digests its value\n"
    )
    (shop.folder / ".secrets").write_text("PASSWORD=other\n")
    assert shop.run("fingerprint").out == done.out
    assert find_leaks(canary, done.out, done.err) == []
    assert '"unseen": [\n    "URL"\n  ]' in shop.run("fingerprint", "--json").out


def test_with_a_key_it_shows(shop: Project) -> None:
    first = digest(shop, "--key-file", "key")
    assert first == digest(shop, "--key-file", "key")
    assert first != digest(shop)
    (shop.folder / ".secrets").write_text("PASSWORD=other\n")
    second = digest(shop, "--key-file", "key")
    assert second != first
    (shop.folder / "key").write_bytes(bytes(32))
    assert digest(shop, "--key-file", "key") not in {first, second}


def test_a_value_that_is_added_or_gone_changes_it(shop: Project) -> None:
    first = digest(shop)
    (shop.folder / ".env").write_text("PORT=1\nTOKEN=\n")
    assert digest(shop) != first


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("--key-file", "none"), 64, "no such file"),
        (("--key-file", "short"), 64, "shorter than 16 bytes"),
        (("--set", "PORT=x"), 65, "not an integer"),
    ],
)
def test_what_makes_no_sense_is_refused(options: tuple[str, ...], status: int, message: str, shop: Project) -> None:
    (shop.folder / "short").write_bytes(b"short")
    done = shop.run("fingerprint", *options)
    assert (done.status, message in done.err, done.out) == (status, True, "")
