"""`check --metadata` against real servers: a role that may read no value proves that every document exists."""

import json
from typing import Any

import pytest

from aws import ENVIRON, REGION, Aws
from confsvc.testing import find_leaks
from counting import run_counting
from gcp import PROJECT, Gcp
from openbao import Bao, free_port
from running import Done, Project

MOUNTS = "/sys/internal/ui/mounts/"  # what a path is mounted on, which holds no value

VAULT = """
[settings]
URL = { secret = true }
PASSWORD = { secret = true, required = false }
LEASED = { required = false }
OLD = { required = false }
[backends.vault]
address = "ADDRESS"
[environments.staging]
sources = ["vault://secret/meta/{environment}"]
values = { PASSWORD = "${vault://secret/meta/db#password}" }
[environments.production]
extends = "staging"
values = { LEASED = "${vault://cubbyhole/creds#x}", OLD = "${vault://kv1/old#x}" }
"""


def documents(done: Done) -> dict[str, dict[str, Any]]:
    """Return what was said of each document, by its reference."""
    return {one["reference"]: one for found in json.loads(done.out)["environments"] for one in found["documents"]}


@pytest.fixture
def metadata_token(bao: Bao) -> str:
    """A token with which no value can be read."""
    return bao.token(bao.policy("metadata-only", "secret/metadata/meta/* read", "kv1/nothing list"))


def test_a_vault_role_without_read_access_proves_that_documents_exist(
    bao: Bao, metadata_token: str, project: Project, canary: str
) -> None:
    for path in ("staging", "production", "db"):
        bao.put(f"meta/{path}", {"password": canary})
    with run_counting(bao.address) as counting:
        project.manifest(VAULT.replace("ADDRESS", counting.address))
        done = project.run("check", "--all", "--metadata", env={"VAULT_TOKEN": metadata_token})
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "ok: 2 documents exist for staging, each with a live version"
    assert lines[1] == "ok: 2 documents exist for production, each with a live version; 2 not checked"
    assert "rights of the role that runs it" in lines[-1]
    assert counting.asked["GET /v1/secret/metadata/meta/db"] == 1  # both environments need it
    asked = [path for path in counting.asked if MOUNTS not in path]
    assert [path for path in asked if not path.startswith("GET /v1/secret/metadata/meta/")] == []
    assert find_leaks(canary, done.out, done.err) == []


def test_each_way_in_which_a_vault_document_is_not_there_is_told(
    bao: Bao, metadata_token: str, project: Project
) -> None:
    for path in ("staging", "db"):
        bao.put(f"meta/{path}", {"x": "1"})
    project.manifest(VAULT.replace("ADDRESS", bao.address))
    environ = {"VAULT_TOKEN": metadata_token}
    before = project.run("check", "-e", "staging", "--metadata", "--json", env=environ)
    version = documents(before)["vault://secret/meta/staging"]["version"]
    assert version.isdecimal()
    bao.call("DELETE", "secret/data/meta/staging")
    done = project.run("check", "-e", "staging", "--metadata", env=environ)
    assert done.status == 1
    assert f"malformed: its version {version} is deleted" in done.err
    bao.call("DELETE", "secret/metadata/meta/staging")
    done = project.run("check", "-e", "staging", "--metadata", env=environ)
    assert (done.status, "not found: `secret/metadata/meta/staging` is not there" in done.err) == (1, True)
    done = project.run("check", "-e", "staging", "--metadata", env={"VAULT_TOKEN": bao.token("default")})
    assert (done.status, "denied" in done.err) == (77, True)


AWS = """
[settings]
URL = { secret = true }
KEY = { secret = true, required = false }
[backends.aws-sm]
endpoint_url = "ADDRESS"
region = "eu-west-1"
[backends.aws-ssm]
endpoint_url = "ADDRESS"
region = "eu-west-1"
[environments.production]
sources = ["aws-sm://meta/{environment}", "aws-ssm:///meta/{environment}/"]
values = { KEY = "${aws-ssm:///meta/key}" }
"""


def test_an_aws_role_without_read_access_proves_that_documents_exist(aws: Aws, project: Project) -> None:
    aws.put_secret("meta/production", '{"URL": "x"}')
    aws.put_parameter("/meta/production/level", "x")
    aws.put_parameter("/meta/key", "x")
    allowed = ["secretsmanager:DescribeSecret", "ssm:DescribeParameters"]
    user = aws.user(f"u{free_port()}", {"Effect": "Allow", "Action": allowed, "Resource": "*"})
    project.manifest(AWS.replace("ADDRESS", aws.address))
    aws.guard()
    done = project.run("check", "--all", "--metadata", env={**user, "AWS_REGION": REGION})
    assert done.status == 0, done.err
    assert done.out.startswith("ok: 3 documents exist for production, each with a live version\n")
    refused = project.run("check", "--all", env={**user, "AWS_REGION": REGION})
    assert (refused.status, "ssm:GetParameters" in refused.err) == (77, True)


def test_no_aws_operation_that_reveals_a_value_is_called(aws: Aws, project: Project) -> None:
    aws.put_secret("meta/production", '{"URL": "x"}')
    aws.put_parameter("/meta/production/level", "x")
    aws.secrets.delete_secret(SecretId=aws.put_secret("meta/gone", "x"))
    with run_counting(aws.address) as counting:
        text = AWS.replace("ADDRESS", counting.address).replace("aws-ssm:///meta/key", "aws-sm://meta/gone")
        project.manifest(text)
        done = project.run("check", "--all", "--metadata", env=ENVIRON)
    assert set(counting.operations) == {"DescribeSecret", "DescribeParameters"}
    assert (done.status, "is scheduled for deletion" in done.err) == (1, True)


GCP = """
[settings]
URL = { secret = true }
[backends.gcp-sm]
endpoint = "ADDRESS"
project = "PROJECT"
auth = { method = "anonymous" }
[environments.production]
values = { URL = "${gcp-sm:///meta-url}" }
[environments.staging]
values = { URL = "${gcp-sm:///meta-url?version=1}" }
"""


def test_no_gcp_version_is_accessed(gcp: Gcp, project: Project, canary: str) -> None:
    gcp.put("meta-url", canary.encode())
    version = gcp.put("meta-url", canary.encode())
    with run_counting(gcp.address) as counting:
        project.manifest(GCP.replace("ADDRESS", counting.address).replace("PROJECT", PROJECT))
        done = project.run("check", "--all", "--metadata", "--json")
        name = f"projects/{PROJECT}/secrets/meta-url/versions/1"
        gcp.client.disable_secret_version(name=name)
        disabled = project.run("check", "-e", "staging", "--metadata")
    assert done.status == 0
    found = documents(done)
    assert found["gcp-sm:///meta-url"]["version"] == version
    assert {one["state"] for one in found.values()} == {"live"}
    assert [path for path in counting.asked if "access" in path] == []
    assert (disabled.status, "malformed: its version 1 is disabled" in disabled.err) == (1, True)
    assert find_leaks(canary, done.out, done.err) == []
