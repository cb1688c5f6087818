"""`diff` against a real OpenBao: environments, a lock, a rotation, and what was destroyed since."""

import json
from typing import Any

import pytest

from aws import ENVIRON, Aws
from confsvc.testing import find_leaks
from openbao import ROOT, Bao
from running import Done, Project

MANIFEST = """
[settings]
URL = { secret = true }
KEY = { secret = true }
LEVEL = { default = "info" }
[backends.vault]
address = "ADDRESS"
[environments.staging]
sources = ["vault://secret/diff/{environment}"]
[environments.production]
sources = ["vault://secret/diff/{environment}"]
"""


@pytest.fixture
def shop(bao: Bao, project: Project, canary: str) -> Project:
    """Two environments with values of their own, but for one key."""
    project.manifest(MANIFEST.replace("ADDRESS", bao.address))
    project.environ["VAULT_TOKEN"] = ROOT
    for name in ("staging", "production"):
        bao.put(f"diff/{name}", {"URL": f"https://{name}.example/{canary}", "KEY": canary})
    return project


def settings(done: Done) -> dict[str, Any]:
    """Return what was said of each setting."""
    return {one["name"]: one for one in json.loads(done.out)["settings"]}


def test_a_staging_key_in_production_is_told_without_showing_it(shop: Project, canary: str) -> None:
    done = shop.run("diff", "staging", "production", "--expect", "URL,KEY", "--reveal")
    assert done.status == 1
    assert [line.split()[:2] for line in done.out.splitlines() if "!" in line] == [["!", "KEY"]]
    assert "nothing, and should" in done.out
    data = shop.run("diff", "staging", "production", "--expect", "URL,KEY", "--reveal", "--json")
    assert settings(data)["KEY"]["verdict"] == "alike"
    assert settings(data)["LEVEL"]["sides"][0]["value"] == "info"
    assert find_leaks(canary, done.out, done.err, data.out, data.err) == []


def test_after_a_rotation_the_lock_tells_what_changed(shop: Project, bao: Bao, canary: str) -> None:
    assert shop.run("lock", "-e", "production").status == 0
    same = shop.run("diff", "production", "confsvc.lock")
    assert (same.status, same.out) == (0, "ok: production and confsvc.lock have 3 settings the same\n")
    bao.put("diff/production", {"URL": f"https://production.example/{canary}", "KEY": f"{canary}2", "LEVEL": "debug"})
    done = shop.run("diff", "confsvc.lock", "production", "--json")
    assert done.status == 1
    found = settings(done)
    assert found["URL"]["differs"] == ["version"]  # its document has a new version, and it the same value
    assert found["KEY"]["differs"] == ["version", "value"]
    assert {"source", "value"} <= set(found["LEVEL"]["differs"])
    by_value = shop.run("diff", "production", "confsvc.lock", "--by", "presence,value")
    assert "2 differ; 1 is the same" in by_value.out
    assert find_leaks(canary, done.out, by_value.out) == []


def test_a_locked_version_that_was_destroyed_is_told_and_what_is_there_now_still_shown(shop: Project, bao: Bao) -> None:
    assert shop.run("lock", "-e", "production").status == 0
    version = json.loads(shop.run("explain", "KEY", "-e", "production", "--json").out)["version"]
    bao.put("diff/production", {"URL": "u", "KEY": "k"})
    bao.call("PUT", "secret/destroy/diff/production", {"versions": [int(version)]})
    done = shop.run("diff", "production", "confsvc.lock")
    assert done.status == 1
    assert "destroyed" in done.err
    assert "source vault://secret/diff/production" in done.out


def test_a_manifest_that_changed_since_the_lock_is_compared_with_its_records(shop: Project, bao: Bao) -> None:
    assert shop.run("lock", "-e", "production").status == 0
    shop.manifest(MANIFEST.replace("ADDRESS", bao.address).replace("LEVEL =", "MODE ="))
    done = shop.run("diff", "production", "confsvc.lock")
    assert done.status == 78
    assert "the manifest is not the one in `confsvc.lock`" in done.err
    marked = [line.split()[:3] for line in done.out.splitlines() if "!" in line]
    assert marked == [["!", "MODE", "presence"], ["!", "LEVEL", "presence"]]


def test_one_that_cannot_be_read_is_told_and_the_other_still_shown(shop: Project, bao: Bao) -> None:
    token = bao.token(bao.policy("diff-staging", "secret/data/diff/staging read"))
    done = shop.run("diff", "staging", "production", env={"VAULT_TOKEN": token})
    assert done.status == 77
    assert "denied" in done.err
    assert done.out.count("source vault://secret/diff/staging") == 2
    assert done.out.endswith("staging and production, 3 settings: 3 are unknown\n")


TREE = """
[settings]
URL = {}
LEVEL = { required = false }
[backends.aws-ssm]
endpoint_url = "ADDRESS"
region = "eu-west-1"
[environments.production]
sources = ["aws-ssm:///diff/{environment}/"]
"""


def test_a_parameter_of_a_tree_that_changed_is_told_and_the_others_are_the_same(aws: Aws, project: Project) -> None:
    aws.put_parameter("/diff/production/url", "https://one.example")
    project.manifest(TREE.replace("ADDRESS", aws.address))
    project.environ.update(ENVIRON)
    assert project.run("lock", "-e", "production").status == 0
    aws.put_parameter("/diff/production/level", "debug")
    done = project.run("diff", "production", "confsvc.lock", "--json")
    assert done.status == 1
    found = settings(done)
    assert (found["URL"]["verdict"], found["LEVEL"]["differs"]) == ("same", ["presence"])
    aws.put_parameter("/diff/production/url", "https://two.example")
    found = settings(project.run("diff", "production", "confsvc.lock", "--json"))
    assert found["URL"]["differs"] == ["value"]
