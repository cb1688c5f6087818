"""`confsvc render`: files for programs that read files."""

import json
import os

import pytest

from running import Project

MANIFEST = """
[settings]
PORT = { type = "int" }
KEY = { type = "bytes", secret = true }
TEXT = { type = "str", default = "it's $HOME" }
[environments.development]
sources = ["dotenv://.env"]
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with settings of several kinds."""
    project.manifest(MANIFEST, env="PORT=8080\nKEY=AP8=\n")
    return project


def test_each_setting_is_a_file_with_its_bytes(shop: Project) -> None:
    done = shop.run("render", "--to", "out")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert (shop.folder / "out" / "PORT").read_text() == "8080"
    assert (shop.folder / "out" / "KEY").read_bytes() == b"\x00\xff"
    assert "was up to date" in shop.run("render", "--to", "out", "-v").err


def test_other_formats_are_asked_for(shop: Project) -> None:
    formats = [word for form in ("dotenv", "shell", "json") for word in ("--format", form)]
    assert shop.run("render", "--to", "out", *formats, "--only", "PORT,TEXT").status == 0
    names = sorted(name for name in os.listdir(shop.folder / "out") if not name.startswith(".."))
    assert names == [".env", "env.sh", "settings.json"]
    assert json.loads((shop.folder / "out" / "settings.json").read_text()) == {"PORT": "8080", "TEXT": "it's $HOME"}
    assert shop.shell('. out/env.sh && echo "$PORT $TEXT"').out == "8080 it's $HOME\n"


def test_modes_and_owners_are_set(shop: Project) -> None:
    assert shop.run("render", "--to", "out", "--mode", "0440", "--owner", f"{os.getuid()}:{os.getgid()}").status == 0
    assert (shop.folder / "out" / "PORT").stat().st_mode & 0o7777 == 0o440


def test_a_set_is_wiped(shop: Project) -> None:
    shop.run("render", "--to", "out")
    assert shop.run("render", "--to", "out", "--wipe").status == 0
    assert list((shop.folder / "out").iterdir()) == []


def test_a_set_that_is_not_valid_changes_nothing(shop: Project) -> None:
    shop.run("render", "--to", "out")
    (shop.folder / ".env").write_text("PORT=x\nKEY=AP8=\n")
    assert shop.run("render", "--to", "out").status == 65
    assert (shop.folder / "out" / "PORT").read_text() == "8080"


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ((), 64, "--to"),
        (("--to", "out", "--mode", "9"), 64, "octal"),
        (("--to", "out", "--mode", "0044"), 64, "octal"),
        (("--to", "out", "--owner", "no-such-user"), 64, "no user is called"),
        (("--to", ".env"), 73, "no folder"),
        (("--to", "none/out"), 73, "no such file"),
        (("--to", "/sys/confsvc"), 73, "`/sys/confsvc` cannot be rendered into"),  # not even by root
        (("--to", "out", "--owner", "4294967295:0"), 64, "no user is called"),
        (("--to", "out", "--format", "toml"), 64, "invalid choice"),
    ],
)
def test_what_makes_no_sense_is_refused(options: tuple[str, ...], status: int, message: str, shop: Project) -> None:
    done = shop.run("render", *options)
    assert done.status == status
    assert message in done.err
