"""`explain`: where values come from, and every problem; never a value."""

import json

import pytest

from running import Project

CANARY = "cnry-9f2b7c41d8"
MANIFEST = """
[settings]
PORT = { type = "port", default = 8080, description = "where it listens" }
TOKEN = { secret = true, min_length = 3 }
MAYBE = { required = false }
[environments.base]
sources = ["dotenv://low.env"]
[environments.app]
extends = "base"
sources = [{ from = "dotenv://high.env", optional = true }]
[environments.app.values]
PORT = "81"
"""


@pytest.fixture
def app(project: Project) -> Project:
    """A project whose settings come from several layers."""
    project.manifest(MANIFEST)
    project.write({"low.env": f"PORT=80\nTOKEN={CANARY}\n"})
    return project


def test_of_one_setting_everything_declared_is_told(app: Project) -> None:
    out = app.run("explain", "TOKEN", "-e", "app").out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[:6] == [
        "setting TOKEN",
        "type str",
        "limits min_length = 3",
        "secret yes",
        "required yes",
        "default no",
    ]
    assert "none, and none is required" in app.run("explain", "MAYBE", "-e", "app").out


def test_every_problem_has_its_row(project: Project) -> None:
    project.manifest("""
[settings]
FIRST = {}
SECOND = { default = "x" }
THIRD = { type = "int" }
[environments.app]
sources = ["dotenv://one.env", "dotenv://two.env", "dotenv://three.env"]
""")
    project.write({"one.env": f"THIRD={CANARY}\n"})
    done = project.run("explain")
    assert done.status == 0
    rows = [line.split()[0] for line in done.out.splitlines()]
    assert sorted(rows[1:]) == ["FIRST", "SECOND", "THIRD", "dotenv://three.env", "dotenv://two.env"]
    assert "missing: neither" in done.out
    assert "invalid: is not an integer" in done.out
    assert CANARY not in done.out + done.err
    problems = json.loads(project.run("explain", "--json").out)["problems"]
    assert len(problems) == 4


def test_the_order_needs_no_manifest(project: Project) -> None:
    done = project.run("explain", "--order", "--json")
    assert [entry["layer"] for entry in json.loads(done.out)] == ["default", "source", "values", "environment", "set"]
