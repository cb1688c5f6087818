"""The command line with AWS: both schemes in one manifest, rotation under a command, and nothing that leaks."""

import os
import pty
import signal
import subprocess

import boto3
import pytest

from aws import ENVIRON, Aws
from confsvc.testing import find_leaks
from running import CONFSVC, Project
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


@pytest.mark.parametrize("arn", ["billing-reader", "arn:aws:iam::123456789012:user/reader"])
def test_a_role_that_is_none_is_the_manifests_fault(shop: Project, arn: str) -> None:
    shop.manifest(f'{MANIFEST}[backends.aws-sm]\nrole_arn = "{arn}"\n')
    done = shop.run("check")
    assert done.status == 78
    assert "backend `aws-sm`: `role_arn` must match" in done.err


REGIONS = """
[settings]
HERE = {}
THERE = {}
ELSEWHERE = {}
FURTHER = {}
[backends.aws-sm]
region = "eu-west-1"
[backends.billing]
adapter = "aws-sm"
region = "eu-west-1"
role_arn = "arn:aws:iam::222222222222:role/reader"
[backends.billing-us]
adapter = "aws-sm"
region = "us-east-1"
role_arn = "arn:aws:iam::222222222222:role/reader"
[backends.asia]
adapter = "aws-sm"
region = "ap-south-1"
[environments.production.values]
HERE = "${aws-sm://accounts}"
THERE = "${billing://accounts}"
ELSEWHERE = "${billing-us://accounts}"
FURTHER = "${asia://accounts}"
"""


def test_two_accounts_and_three_regions_are_backends_of_one_manifest(shop: Project, aws: Aws) -> None:
    role = "arn:aws:iam::222222222222:role/reader"
    given = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
    for region in ("eu-west-1", "us-east-1"):
        other = boto3.client(
            "secretsmanager",
            region_name=region,
            endpoint_url=aws.address,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        other.create_secret(Name="accounts", SecretString=f"other account, {region}")
    for region in ("eu-west-1", "us-east-1", "ap-south-1"):
        aws.put_secret("accounts", f"own account, {region}", region=region)
    shop.manifest(REGIONS)
    done = shop.run("exec", "--", "sh", "-c", 'echo "$HERE; $THERE; $ELSEWHERE; $FURTHER"')
    assert done.out == (
        "own account, eu-west-1; other account, eu-west-1; other account, us-east-1; own account, ap-south-1\n"
    ), done.err


def test_a_tree_of_several_pages_shows_on_a_terminal_how_far_it_is(shop: Project, aws: Aws) -> None:
    for number in range(23):
        aws.put_parameter(f"/cli/great/key-{number}", "v", "String")
    leader, follower = pty.openpty()
    command = [CONFSVC, "exec", "--source", "aws-ssm:///cli/great/", "--", "true"]
    with subprocess.Popen(command, cwd=shop.folder, env=shop.environ, stderr=follower) as process:
        os.close(follower)
        shown = b""
        while chunk := _read(leader):
            shown += chunk
    os.close(leader)
    assert process.returncode == 0, shown
    assert b"reading aws-ssm:///cli/great/: 10 so far" in shown
    assert b"reading aws-ssm:///cli/great/: 20 so far" in shown
    assert shown.endswith(b"\r\x1b[K")
    quiet = shop.run("exec", "--source", "aws-ssm:///cli/great/", "--", "true")
    assert (quiet.status, quiet.err) == (0, "")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other side is closed
        return b""
