"""`get` and `export` where values could end up where nobody wants them: terminals, unnamed files, half-written ones."""

import os
import pty
import subprocess
from collections.abc import Iterator

import pytest

from confsvc.cli.export import CHOICES
from running import CONFSVC, Project

CANARY = "cnry-9f2b7c41d8"
MANIFEST = """
[settings]
TOKEN = { secret = true }
PLAIN = { default = "open" }
[environments.app]
sources = ["dotenv://.env"]
"""


@pytest.fixture
def app(project: Project) -> Project:
    """A project with one secret and one plain setting."""
    project.manifest(MANIFEST, env=f"TOKEN={CANARY}\n")
    return project


def output_of(leader: int) -> Iterator[bytes]:
    """Yield what a terminal shows, until nobody writes to it any more."""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # how Linux says that the other end is closed
            return
        if not chunk:
            return
        yield chunk


def on_a_terminal(project: Project, *argv: str) -> tuple[int, bytes]:
    """Run with stdout and stderr on a terminal. Returns the status and what was shown."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [CONFSVC, *argv], cwd=project.folder, env=project.environ, stdout=follower, stderr=follower
    )
    os.close(follower)
    shown = b"".join(output_of(leader))
    os.close(leader)
    return process.wait(60), shown


@pytest.mark.parametrize("form", CHOICES)
def test_no_format_shows_a_secret_on_a_terminal(app: Project, form: str) -> None:
    status, shown = on_a_terminal(app, "export", "--format", form)
    assert CANARY.encode() not in shown
    assert status == (0 if form == "k8s-configmap" else 64)


@pytest.mark.parametrize("form", CHOICES)
def test_reveal_shows_it_all_the_same(app: Project, form: str) -> None:
    status, shown = on_a_terminal(app, "export", "--format", form, "--reveal")
    assert (status, shown != b"") == (0, True)


def test_what_is_not_secret_is_shown_in_every_format(app: Project) -> None:
    for form in CHOICES:
        status, _ = on_a_terminal(app, "export", "--format", form, "--only", "PLAIN")
        assert (form, status) == (form, 0)


@pytest.mark.parametrize("argv", [("get", "TOKEN"), ("export", "--format", "shell"), ("export", "--format", "github")])
def test_an_empty_output_is_not_stdout(app: Project, argv: tuple[str, ...]) -> None:
    """What `-o "$FILE"` becomes where FILE is not set."""
    done = app.run(*argv, "-o", "")
    assert (done.status, done.out) == (64, "")
    assert CANARY not in done.err


def test_a_dash_is_stdout_and_no_file(app: Project) -> None:
    for argv in (("get", "TOKEN"), ("export", "--format", "json"), ("check", "--format", "github")):
        done = app.run(*argv, "-o", "-")
        assert (done.status, done.out) == (0, app.run(*argv).out), argv
        assert not (app.folder / "-").exists()
    status, shown = on_a_terminal(app, "get", "TOKEN", "-o", "-")
    assert (status, CANARY.encode() in shown) == (64, False)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (".", "it is a folder"),
        ("folder", "not a regular file"),
        ("link", "not a regular file"),
        ("missing/out", "its folder: no such file or directory"),
    ],
)
def test_what_cannot_be_written_changes_nothing(app: Project, output: str, message: str) -> None:
    (app.folder / "folder").mkdir()
    (app.folder / "link").symlink_to("confsvc.toml")
    before = sorted(path.name for path in app.folder.iterdir())
    done = app.run("get", "TOKEN", "-o", output)
    assert (done.status, done.out, message in done.err) == (73, "", True)
    assert CANARY not in done.err
    assert sorted(path.name for path in app.folder.iterdir()) == before
    assert (app.folder / "confsvc.toml").read_text() == MANIFEST


def test_a_value_that_a_format_cannot_hold_leaves_the_old_file(app: Project) -> None:
    app.write({".env": f"TOKEN='{CANARY}\n'\n", "out": "old"})
    done = app.run("export", "--format", "docker", "-o", "out")
    assert (done.status, done.out) == (73, "")
    assert done.err.startswith("error: `TOKEN` cannot be written as docker: it has more than one line\n")
    assert (app.folder / "out").read_text() == "old"


def test_get_says_where_to_look_in_the_same_environment(project: Project) -> None:
    project.manifest("[settings]\nA = { required = false }\n[environments.one]\n[environments.two]\n")
    assert "hint: confsvc explain A -e two" in project.run("get", "A", "-e", "two").err


def test_get_reads_only_what_it_needs(project: Project) -> None:
    project.manifest("""
[settings]
A = {}
B = {}
[environments.app.values]
A = "${file://a}"
B = "${file://missing}"
""")
    project.write({"a": "exact\r\n\n"})
    assert project.run("get", "A").raw == b"exact\r\n\n"
    assert project.run("get", "B").status == 65


def test_github_hands_on_behind_an_unfinished_line(app: Project) -> None:
    app.write({"github": "EARLIER=1"})
    done = app.run("export", "--format", "github", env={"GITHUB_ENV": str(app.folder / "github")})
    assert (done.status, done.out) == (0, f"::add-mask::{CANARY}\n")
    lines = (app.folder / "github").read_text().splitlines()
    assert lines[0] == "EARLIER=1"
    assert f"{CANARY}" in lines


@pytest.mark.parametrize("target", ["folder", "link", "missing/github"])
def test_github_masks_although_it_cannot_hand_on(app: Project, target: str) -> None:
    (app.folder / "folder").mkdir()
    (app.folder / "link").symlink_to("confsvc.toml")
    done = app.run("export", "--format", "github", env={"GITHUB_ENV": str(app.folder / target)})
    assert (done.status, done.out) == (73, f"::add-mask::{CANARY}\n")
    assert "the file that GITHUB_ENV names cannot be written" in done.err
    assert CANARY not in done.err
    assert (app.folder / "confsvc.toml").read_text() == MANIFEST


@pytest.mark.parametrize("form", CHOICES)
def test_text_without_bytes_is_refused_and_no_bug(project: Project, form: str) -> None:
    project.write({"data.json": '{"A": "\\ud800"}'})
    done = project.run("export", "--source", "file://data.json", "--format", form)
    assert (done.status, done.out) == (65, "")
    assert "lone surrogate" in done.err


def test_an_alias_is_not_what_only_takes(project: Project) -> None:
    """It would select nothing, and a program would start without its setting."""
    model = 'validation_alias=AliasChoices("NEW", "OLD")'
    project.write(
        {
            "models.py": f"from pydantic import *\nclass M(BaseModel):\n    x: str = Field({model})\n",
            "confsvc.toml": 'schema = "models:M"\n[environments.app.values]\nNEW = "1"\n',
        }
    )
    assert project.run("get", "NEW").out == "1"
    done = project.run("exec", "--only", "OLD", "--", "true")
    assert (done.status, done.err.splitlines()[0]) == (64, "error: no setting is called `OLD`")
