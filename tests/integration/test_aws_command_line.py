"""The command line with AWS: both schemes in one manifest, rotation under a command, and nothing that leaks."""

import signal

import pytest

from aws import ENVIRON, Aws
from confsvc.testing import find_leaks
from running import Project
from supervised import Running

MANIFEST = """
[settings]
PORT = { type = "int" }
HOSTS = { type = "list[str]" }
PASSWORD = { secret = true }
BLOB = { type = "json" }
[environments.production]
sources = ["aws-ssm:///cli/{environment}/"]
[environments.production.values]
PASSWORD = "${aws-sm://cli/password#password}"
BLOB = "${aws-sm://cli/blob#nested}"
"""


@pytest.fixture
def shop(project: Project, aws: Aws, canary: str) -> Project:
    """A project whose values are in AWS."""
    aws.put_parameter("/cli/production/port", "80", "String")
    aws.put_parameter("/cli/production/hosts", "a,b", "StringList")
    aws.put_secret("cli/password", f'{{"password": "{canary}"}}')
    aws.put_secret("cli/blob", '{"nested": {"a": 1.10}, "text": "x"}')
    project.environ |= {**ENVIRON, "AWS_ENDPOINT_URL": aws.address, "HOME": str(project.folder)}
    project.manifest(MANIFEST)
    return project


def test_settings_arrive_typed_and_whole(shop: Project, canary: str) -> None:
    done = shop.run("exec", "--", "sh", "-c", 'echo "$PORT $HOSTS $PASSWORD $BLOB $AWS_REGION"')
    assert done.out == f'80 a,b {canary} {{"a":1.10}} eu-west-1\n'


def test_nothing_leaks(shop: Project, canary: str) -> None:
    for words in (["check", "-v"], ["explain"], ["check", "--json"], ["exec", "-v", "--", "true"]):
        done = shop.run(*words)
        assert done.status == 0, done.err
        assert find_leaks(canary, done.out, done.err) == []


def test_an_object_for_a_text_setting_says_so(shop: Project) -> None:
    shop.manifest(MANIFEST.replace('BLOB = { type = "json" }', "BLOB = { secret = true }"))
    done = shop.run("check")
    assert done.status == 1
    assert "BLOB" in done.err
    assert "json" in done.err


def test_a_password_that_rotates_restarts_the_command(shop: Project, aws: Aws) -> None:
    running = Running(shop, ["exec", "--watch=500ms", "--", "sh", "-c", 'echo "up ${PASSWORD}"; exec sleep 60'])
    try:
        running.says("up cnry")
        aws.put_secret("cli/password", '{"password": "second"}')
        running.says("up second")
        aws.put_parameter("/cli/production/port", "many", "String")
        running.says("is not an integer")
        aws.put_parameter("/cli/production/port", "81", "String")
        running.says("up second", 2)
        running.send(signal.SIGTERM)
        assert running.status() == 143
    finally:
        running.close()


def test_a_region_that_is_none_is_the_manifests_fault(shop: Project) -> None:
    shop.environ["AWS_REGION"] = "Ireland"
    done = shop.run("check")
    assert done.status == 78
    assert "is none" in done.err
