"""`confsvc init`: a manifest from what is there."""

import json
import subprocess

import pytest

from running import Project

ENV = "# the DSN\nDATABASE_URL=postgres://u:cnry-9f2b7c41d8@h/db\nPORT=8080\nDEBUG=true\n"


def git(project: Project, *arguments: str) -> None:
    """Run git in the project."""
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
    subprocess.run(command, cwd=project.folder, env={**project.environ, "HOME": "/"}, check=True, capture_output=True)


def test_it_writes_a_manifest_without_values(project: Project) -> None:
    project.write({".env": ENV})
    done = project.run("init", "--project", "shop")
    assert (done.status, done.err) == (0, "")
    assert (
        done.out
        == "wrote `confsvc.toml` from `.env`: 3 settings, 1 of them secret\nlook it over, then: confsvc check\n"
    )
    text = (project.folder / "confsvc.toml").read_text()
    assert text == (
        "# Which settings there are, and where each environment finds them. It holds no secret: commit it.\n"
        'project = "shop"\n'
        'default_environment = "development"\n\n'
        "[settings]\n"
        'DATABASE_URL = { type = "url", secret = true, description = "the DSN" }\n'
        'PORT = { type = "port" }\n'
        'DEBUG = { type = "bool" }\n\n'
        "[environments.development]\n"
        'sources = ["dotenv://.env"]\n'
    )
    assert project.run("check").status == 0


def test_an_example_stands_for_the_real_file(project: Project) -> None:
    project.write({".env.example": "A=\nB=1\n"})
    assert project.run("init").status == 0
    assert 'sources = ["dotenv://.env"]' in (project.folder / "confsvc.toml").read_text()
    assert project.run("check").status == 1
    project.write({".env": "A=x\nB=2\n"})
    assert project.run("check").status == 0


def test_with_nothing_there_it_starts_one(project: Project) -> None:
    assert project.run("init").status == 0
    project.write({".env": ""})
    assert project.run("check").status == 0


def test_it_does_not_replace_a_manifest(project: Project) -> None:
    project.write({".env": ENV, "confsvc.toml": "mine"})
    done = project.run("init")
    assert (done.status, "is there already" in done.err) == (73, True)
    assert (project.folder / "confsvc.toml").read_text() == "mine"
    assert project.run("init", "--print").out.startswith("# Which settings")
    assert (project.folder / "confsvc.toml").read_text() == "mine"
    assert project.run("init", "--force").status == 0


def test_a_file_that_is_not_there(project: Project) -> None:
    assert project.run("init", "nope.env").status == 65


def test_names_that_cannot_be_settings_are_left_out(project: Project) -> None:
    project.write({".env": "a.b=1\nA=1\n"})
    assert project.run("init").err == "warning: `a.b` cannot be the name of a setting and is left out\n"
    assert project.run("init", "--force", "--json").status == 0


def test_json_says_what_was_done(project: Project) -> None:
    project.write({".env": ENV})
    data = json.loads(project.run("init", "--json").out)
    assert [setting["type"] for setting in data["settings"]] == ["url", "port", "bool"]


@pytest.mark.parametrize("state", ["tracked", "exposed", "ignored"])
def test_a_secret_file_in_git_is_warned_of(project: Project, state: str) -> None:
    (project.folder / ".git").rmdir()
    git(project, "init", "-q")
    project.write({".env": ENV})
    if state == "tracked":
        git(project, "add", ".env")
    if state == "ignored":
        project.write({".gitignore": ".env\n"})
    done = project.run("init")
    assert done.status == 0
    expected = {"tracked": "is tracked by Git", "exposed": "Git does not ignore it: add the line `.env`", "ignored": ""}
    assert expected[state] in done.err
    assert (done.err == "") == (state == "ignored")
    assert "cnry" not in done.err
