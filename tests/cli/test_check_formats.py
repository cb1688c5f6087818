"""The formats that CI reads: each has the structure that is published for it, says what is wrong where, no value."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from confsvc.errors import Problem
from confsvc.overview.checking import Case, Checked, Finding
from confsvc.testing import find_leaks
from confsvc.writers.github import github
from confsvc.writers.junit import junit
from confsvc.writers.sarif import sarif
from running import Done, Project

MANIFEST = """
project = "shop"
[settings]
URL = { type = "url", secret = true }
PORT = { type = "int" }
KEY = { secret = true }
DSN = { required = false }
[environments.staging]
sources = ["dotenv://staging.env"]
[environments.production]
sources = ["vault://secret/100%25/a,b", "dotenv://production.env"]
"""

# What section 3 of the standard requires of the objects that we write, and what GitHub's code scanning reads.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "pattern": "^https://.*sarif-schema-2.1.0.json$"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "version", "rules"],
                                "properties": {
                                    "name": {"type": "string", "minLength": 1},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {"$ref": "#/$defs/rule"},
                                    },
                                },
                            }
                        },
                    },
                    "automationDetails": {"required": ["id"], "additionalProperties": False, "properties": {"id": {}}},
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "invocations": {"type": "array", "items": {"$ref": "#/$defs/invocation"}},
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
    "$defs": {
        "message": {"required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}},
        "rule": {
            "required": ["id", "shortDescription"],
            "properties": {"id": {"type": "string"}, "shortDescription": {"$ref": "#/$defs/message"}},
            "additionalProperties": False,
        },
        "invocation": {
            "required": ["executionSuccessful"],
            "properties": {
                "executionSuccessful": {"type": "boolean"},
                "toolExecutionNotifications": {
                    "type": "array",
                    "items": {
                        "required": ["message"],
                        "properties": {
                            "level": {"enum": ["none", "note", "warning", "error"]},
                            "message": {"$ref": "#/$defs/message"},
                        },
                        "additionalProperties": False,
                    },
                },
            },
            "additionalProperties": False,
        },
        "result": {
            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
            "properties": {
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": {"$ref": "#/$defs/message"},
                "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                "ruleId": {"type": "string"},
                "locations": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "required": ["physicalLocation"],
                        "properties": {
                            "physicalLocation": {
                                "required": ["artifactLocation", "region"],
                                "properties": {
                                    "artifactLocation": {
                                        "required": ["uri"],
                                        "properties": {"uri": {"type": "string", "format": "uri-reference"}},
                                    },
                                    "region": {
                                        "required": ["startLine"],
                                        "properties": {"startLine": {"type": "integer", "minimum": 1}},
                                    },
                                },
                            }
                        },
                    },
                },
            },
            "additionalProperties": False,
        },
    },
}


@pytest.fixture
def checked(project: Project, canary: str) -> Project:
    """A project with a staging that is well, and a production with problems of three kinds."""
    project.manifest(MANIFEST)
    project.write({"staging.env": f"URL=https://{canary}\nPORT=1\nKEY={canary}\n"})
    project.write({"production.env": f"URL=https://{canary}\nPORT={canary}\n"})
    project.environ |= {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": canary}
    return project


def check(project: Project, *words: str) -> Done:
    return project.run("check", "--all", *words)


def test_junit_xml_has_a_suite_for_each_environment_and_counts_what_is_in_it(checked: Project, canary: str) -> None:
    done = check(checked, "--format", "junit")
    assert done.status == 1  # an invalid setting ranks above a store that is out of reach
    root = ElementTree.fromstring(done.out)  # noqa: S314 - ours
    assert root.tag == "testsuites"
    assert [suite.get("name") for suite in root] == ["staging", "production"]
    for element in (root, *root):
        for count, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert element.get(count) == str(len(list(element.iter(tag))))
    cases = {case.get("name"): case for case in root[1]}
    assert all(case.get("classname") == "shop.production" for case in cases.values())
    failure, error = cases["PORT"].find("failure"), cases["KEY"].find("error")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("invalid", "invalid: is not an integer")
    assert error is not None
    assert error.get("type") == "unavailable"
    assert (cases["PORT"].get("file"), cases["PORT"].get("line")) == ("confsvc.toml", "5")
    assert len(cases["DSN"]) == 1  # the store that cannot be reached might have it
    assert find_leaks(canary, done.out, done.err) == []


def test_sarif_has_what_the_standard_requires_and_lines_of_the_manifest(checked: Project, canary: str) -> None:
    done = check(checked, "--format", "sarif")
    log = json.loads(done.out)
    jsonschema.validate(log, SARIF, format_checker=jsonschema.FormatChecker())
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert set(rules) == {"invalid", "unavailable"}
    lines = (checked.folder / "confsvc.toml").read_text().splitlines()
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "confsvc.toml"
        line = lines[place["region"]["startLine"] - 1]
        assert result["message"]["text"].partition(" ")[0] in line or "vault://" in line
    prints = [result["partialFingerprints"]["confsvcProblem/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)
    assert json.loads(check(checked, "--format", "sarif").out) == log
    assert find_leaks(canary, done.out, done.err) == []


def test_a_clean_run_in_sarif_has_no_results_which_closes_old_alerts(checked: Project) -> None:
    done = checked.run("check", "-e", "staging", "--format", "sarif")
    log = json.loads(done.out)
    jsonschema.validate(log, SARIF)
    assert (done.status, log["runs"][0]["results"]) == (0, [])


def test_github_annotations_are_escaped_so_that_every_part_arrives(checked: Project, canary: str) -> None:
    done = check(checked, "--format", "github")
    lines = done.out.splitlines()
    assert all(re.fullmatch(r"::error file=[^,:]+,line=\d+,title=[^,:]+::.+", line) for line in lines)
    port = next(line for line in lines if "title=PORT production" in line)
    assert port == (
        "::error file=confsvc.toml,line=5,title=PORT production::dotenv://production.env: invalid: is not an integer"
    )
    vault = next(line for line in lines if "title=KEY production" in line)
    assert "vault://secret/100%2525/a,b" in vault  # a `%` of a message is %25
    assert find_leaks(canary, done.out, done.err) == []


def test_what_metadata_cannot_tell_is_in_every_format(checked: Project) -> None:
    (checked.folder / "production.env").write_text("")
    checked.manifest(MANIFEST.replace("vault://secret/100%25/a,b", "env://?prefix=APP_"))
    found = {name: check(checked, "--metadata", "--format", name) for name in ("junit", "sarif", "github")}
    assert all("rights of the role that runs it" in done.out for done in found.values())
    assert all("tells nothing without reading" in done.out for done in found.values())
    assert {done.status for done in found.values()} == {0}
    root = ElementTree.fromstring(found["junit"].out)  # noqa: S314 - ours
    assert (root.get("skipped"), len(list(root.iter("skipped")))) == ("1", 1)
    jsonschema.validate(json.loads(found["sarif"].out), SARIF)
    assert [line.split()[0] for line in found["github"].out.splitlines()] == ["::warning", "::notice"]


def test_what_stands_in_a_name_cannot_break_out_of_a_format() -> None:
    name = 'a:b,c%0A::error::\x1b[31m<x>&"\n\u202e]]>'
    problem = Problem("invalid", f"not {name}", name, name, "confsvc.toml:1", f"mend {name}", 65)
    checked = [Checked(name, (Case(name, "invalid", problem),), None, {})]
    found = [Finding(name, problem, "a:b,c%.toml", 1)]
    escaped = name.replace("\x1b", "\\u001b").replace("\u202e", "\\u202e").replace("\n", "\\u000a")
    suite = ElementTree.fromstring(junit(checked, found, ""))[0]  # noqa: S314 - ours
    assert (suite.get("name"), suite[0].get("name")) == (escaped, escaped)
    (line,) = github(checked, found, "").splitlines()
    assert line.startswith("::error file=a%3Ab%2Cc%25.toml,line=1,title=a%3Ab%2Cc%250A%3A%3Aerror%3A%3A\\u001b[31m<x>&")
    assert line.count("%0A") == 1  # before the hint
    log = json.loads(sarif(checked, found, ""))
    jsonschema.validate(log, SARIF)
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%3Ab%2Cc%25.toml"


def test_a_report_is_written_for_its_owner_while_people_read_on(checked: Project) -> None:
    done = check(checked, "--format", "junit", "-o", "report.xml")
    written = checked.folder / "report.xml"
    assert "ok: 3 settings resolve and validate for staging" in done.out
    assert ElementTree.parse(written).getroot().tag == "testsuites"  # noqa: S314 - ours
    assert written.stat().st_mode & 0o777 == 0o600
    (checked.folder / "link.xml").symlink_to(written)
    refused = check(checked, "--format", "junit", "-o", "link.xml")
    assert (refused.status, "is not a regular file" in refused.err) == (73, True)


def test_a_path_outside_of_the_working_folder_is_a_uri(checked: Project, tmp_path: Path) -> None:
    (tmp_path / "else where").mkdir()
    done = checked.run("check", "-f", "../confsvc.toml", "--all", "--format", "sarif", cwd="else where")
    place = json.loads(done.out)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].startswith("file:///")


def test_thousands_of_problems_are_located_in_no_time(project: Project) -> None:
    settings = "".join(f'S{n} = {{ type = "int" }}\n' for n in range(2000))
    values = "".join(f'S{n} = "x"\n' for n in range(2000))
    project.manifest(f"[settings]\n{settings}[environments.one.values]\n{values}[environments.two]\n")
    done = check(project, "--format", "sarif")  # within the patience of the tests: once this took minutes
    places = [
        one["locations"][0]["physicalLocation"]["region"]["startLine"]
        for one in json.loads(done.out)["runs"][0]["results"]
    ]
    assert places == [*range(2003, 4003), *range(2, 2002)]


def test_a_closed_pipe_ends_quietly(checked: Project) -> None:
    done = checked.shell("set +o pipefail; confsvc check --all --timeout 2s --format junit 2>/dev/null | head -c 1")
    assert (done.status, done.out) == (0, "<")
