"""`explain`: every layer, what it says, and who won; never a value."""

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


def layers(project: Project, *argv: str) -> list[tuple[str, str, str]]:
    """Return every layer of one setting: its name, where it is, what it says."""
    done = project.run("explain", *argv, "-e", "app", "--json")
    assert CANARY not in done.out + done.err
    return [
        (layer["layer"], layer["reference"] or layer["place"], layer["message"] or layer["outcome"])
        for layer in json.loads(done.out)["layers"]
    ]


def test_every_layer_is_told_from_the_top(app: Project) -> None:
    assert layers(app, "PORT") == [
        ("set", "", "absent"),
        ("environment", "env://PORT", "absent"),
        ("values", "confsvc.toml:12", "wins"),
        ("source", "dotenv://high.env", "absent"),
        ("source", "dotenv://low.env", "shadowed"),
        ("default", "", "shadowed"),
    ]


def test_set_wins_and_shadows(app: Project) -> None:
    outcomes = [outcome for *_, outcome in layers(app, "PORT", "--set", "PORT=1")]
    assert outcomes == ["wins", "absent", "shadowed", "absent", "shadowed", "shadowed"]


def test_the_process_environment_can_be_off(app: Project) -> None:
    assert ("environment", "env://PORT", "off") in layers(app, "PORT", "--override")


def test_where_a_missing_setting_was_looked_for(app: Project) -> None:
    app.write({"low.env": ""})
    assert {outcome for *_, outcome in layers(app, "TOKEN")} == {"absent"}
    done = app.run("explain", "TOKEN", "-e", "app")
    assert done.status == 65
    assert "missing: neither" in done.out
    assert "source       dotenv://low.env   absent" in done.out


def test_a_layer_that_cannot_be_read_says_why_even_below_the_winner(app: Project) -> None:
    app.write({"low.env": b"TOKEN=\xff\n"})
    last = layers(app, "PORT", "--set", "PORT=1")[-2]
    assert last[:2] == ("source", "dotenv://low.env")
    assert last[2].startswith("malformed: ")


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


def test_a_setting_without_a_value_that_needs_none_has_its_row_too(app: Project) -> None:
    rows = [line.split() for line in app.run("explain", "-e", "app").out.splitlines()]
    assert [row[0] for row in rows] == ["setting", "PORT", "TOKEN", "MAYBE"]
    assert rows[-1] == ["MAYBE", "-", "none,", "and", "none", "is", "required"]
    assert json.loads(app.run("explain", "-e", "app", "--json").out)["absent"] == ["MAYBE"]


def test_every_problem_has_its_row_in_the_order_of_the_manifest(project: Project) -> None:
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
    assert rows == ["setting", "FIRST", "SECOND", "THIRD", "dotenv://three.env", "dotenv://two.env"]
    assert "missing: neither" in done.out
    assert "invalid: is not an integer" in done.out
    assert CANARY not in done.out + done.err
    problems = json.loads(project.run("explain", "--json").out)["problems"]
    assert len(problems) == 4


def test_the_order_needs_no_manifest(project: Project) -> None:
    done = project.run("explain", "--order", "--json")
    assert [entry["layer"] for entry in json.loads(done.out)] == ["default", "source", "values", "environment", "set"]


@pytest.mark.parametrize(("name", "text"), [("KEY", "yes"), ("URL", "yes, by where its value is from"), ("PORT", "no")])
def test_what_is_secret_by_what_it_is_made_of_is_not_called_plain(name: str, text: str, project: Project) -> None:
    project.manifest(
        "[settings]\nKEY = { secret = true }\nURL = {}\nPORT = {}\n"
        '[environments.e.values]\nKEY = "k"\nURL = "https://${KEY}@host"\nPORT = "80"\n'
    )
    said = dict(line.split(None, 1) for line in project.run("explain", name).out.splitlines()[:3])
    assert said["secret"] == text
