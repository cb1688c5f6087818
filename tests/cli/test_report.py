"""`confsvc report`: the page and where it goes; how it looks and works is tested in a browser."""

import json
import re
from typing import Any

import pytest

from confsvc.testing import find_leaks
from running import Project

MANIFEST = """
project = "shop"
[settings]
URL = { type = "url", secret = true }
PORT = { type = "int", default = 80 }
NOTE = { required = false }
[backends.vault]
address = "http://127.0.0.1:9"
[environments.development]
sources = ["dotenv://.env"]
[environments.staging]
sources = ["dotenv://staging.env"]
[environments.production]
sources = ["vault://secret/{project}"]
"""


@pytest.fixture
def shop(project: Project, canary: str) -> Project:
    """One environment that is well, one that lacks something, and one whose store is not there."""
    project.manifest(MANIFEST, env=f"URL=https://{canary}/\nPORT=1\n")
    project.write({"staging.env": f"PORT={canary}\n"})
    project.environ["VAULT_TOKEN"] = canary
    return project


def states(shop: Project, *options: str) -> dict[str, Any]:
    """Return the states of each setting, by environment."""
    done = shop.run("report", "--json", *options)
    assert done.status == 0, done.err
    found = json.loads(done.out)["settings"]
    return {one["name"]: {env: cell["state"] for env, cell in one["environments"].items()} for one in found}


def test_every_environment_is_told_of_also_beside_one_that_cannot_be_read(shop: Project) -> None:
    assert states(shop) == {
        "URL": {"development": "present", "staging": "missing", "production": "unreadable"},
        "PORT": {"development": "present", "staging": "invalid", "production": "unreadable"},
        "NOTE": {"development": "absent", "staging": "absent", "production": "unreadable"},
    }


def test_one_environment_may_be_chosen_and_then_the_process_decides_too(shop: Project) -> None:
    assert states(shop, "-e", "development") == {
        "URL": {"development": "present"},
        "PORT": {"development": "present"},
        "NOTE": {"development": "absent"},
    }
    shop.environ |= {"NOTE": "x", "CONFSVC_ENV": "development"}
    assert states(shop, "-e", "development")["NOTE"] == {"development": "overridden"}
    assert set(states(shop)["NOTE"].values()) == {"absent", "unreadable"}


def test_the_page_goes_to_a_file_for_its_owner_and_says_so(shop: Project, canary: str) -> None:
    done = shop.run("report", "-o", "report.html")
    assert (done.status, done.out) == (0, "")
    assert done.err == ("confsvc: wrote report.html: 3 settings, 3 environments; problems in staging, production\n")
    page = shop.folder / "report.html"
    assert page.stat().st_mode & 0o777 == 0o600
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert find_leaks(canary, text, done.err) == []
    assert re.findall(r'(?:src|href)="([^"]*)"', text) == ["data:,", "#settings"]
    assert not re.search(r"url\(|@import|\bstyle=|\bon[a-z]+=", text)


def test_a_file_that_is_there_is_kept_unless_it_may_be_replaced(shop: Project) -> None:
    page = shop.folder / "report.html"
    page.write_text("mine")
    done = shop.run("report", "-o", "report.html")
    assert (done.status, "--force" in done.err, page.read_text()) == (73, True, "mine")
    assert shop.run("report", "-o", "report.html", "--force", "-q").err == ""
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_folder_is_no_place_for_a_page(shop: Project, force: tuple[str, ...]) -> None:
    done = shop.run("report", "-o", ".", *force)
    assert (done.status, done.err) == (73, "error: `.` cannot be written: it is a folder\n")


def test_a_link_is_not_followed(shop: Project) -> None:
    (shop.folder / "other").write_text("theirs")
    (shop.folder / "report.html").symlink_to("other")
    assert shop.run("report", "-o", "report.html").status == 73
    shop.run("report", "-o", "report.html", "--force")
    assert (shop.folder / "other").read_text() == "theirs"


def test_it_can_be_printed_and_its_reader_may_go(shop: Project) -> None:
    assert shop.run("report", "-o", "-").out.startswith("<!doctype html>")
    done = shop.shell("confsvc report -o - | head -c 1 >/dev/null; echo ${PIPESTATUS[0]}")
    assert (done.out, done.err) == ("0\n", "")


def test_the_data_can_be_had_beside_the_page(shop: Project) -> None:
    done = shop.run("report", "--json", "-o", "report.html")
    assert json.loads(done.out)["project"] == "shop"
    assert json.loads(done.err)["file"] == "report.html"
    assert (shop.folder / "report.html").exists()


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ((), 64, "where is the page to be written?"),
        (("-o", ""), 64, "it is empty"),
        (("-o", "-", "--json"), 64, "not both"),
        (("-o", "-", "--offline"), 64, "with --offline nobody asks them"),
        (("-o", "nowhere/report.html"), 73, "its folder: no such file or directory"),
        (("-o", "x.html", "-e", "productoin"), 78, "did you mean `production`?"),
    ],
)
def test_what_makes_no_sense_is_refused(options: tuple[str, ...], status: int, message: str, shop: Project) -> None:
    done = shop.run("report", *options)
    assert (done.status, message in done.err, done.out) == (status, True, "")


def test_without_a_manifest_there_is_one_column(project: Project) -> None:
    project.write({".env": "A=1\n"})
    found = json.loads(project.run("report", "--json", "--source", "dotenv://.env").out)
    assert [one["name"] for one in found["settings"]] == ["A"]
    assert '<th scope="col">all</th>' in project.run("report", "-o", "-", "--source", "dotenv://.env").out
