"""What the External Secrets Operator makes of our manifests is what `confsvc` itself resolves, from the same servers.

The operator is played by tests/support/external_operator.py.
"""

import base64
import json
import re
import urllib.error
from typing import Any

import pytest

from aws import ENVIRON, REGION, Aws
from external_operator import NotThereError, Read, sync, vault_path
from go_templates import BadTemplateError
from openbao import ROOT, Bao
from running import Project

VAULT = """
project = "eso"
[settings]
DSN = { type = "url", secret = true }
PASSWORD = { secret = true }
KEYSTORE = { type = "bytes", secret = true }
LIMITS = { type = "json" }
TIMEOUT = { type = "duration", default = "5m" }
PORT = { type = "int", default = 8080 }
MOTTO = { default = "{{ not a template }} $HOME" }
SENTRY = { type = "url", secret = true, required = false }
ABSENT = { required = false }
OLD = {}
HEADER = {}
FIRST = {}
[backends.vault]
address = "ADDRESS"
[backends.first]
adapter = "vault"
address = "ADDRESS"
kv_version = 1
[backends.deep]
adapter = "vault"
address = "ADDRESS"
kv_version = 2
kv_mount = "team/kv"
[environments.base]
sources = ["vault://secret/eso/base"]
[environments.app]
extends = "base"
sources = ["deep://team/kv/eso/app"]
[environments.app.values]
DSN = "postgres://shop:${vault://secret/eso/db#pass word|urlencode}@db/{x}${PORT}?motto=${MOTTO|urlencode}"
KEYSTORE = "${vault://secret/data/eso/db#store}"
LIMITS = "${vault://secret/eso/db#/limits}"
OLD = "${vault://secret/eso/rotated?version=1#key}"
HEADER = "Basic ${PASSWORD|trim|base64}"
FIRST = "${first://kv1/kv1/eso#a.b}"
"""
ODD = " \u00a0p+ä{{ .X }}\"'\\%/?\n"


@pytest.fixture
def filled(bao: Bao, project: Project) -> Project:
    """A project whose settings come from three engines."""
    bao.put("eso/base", {"password": ODD, "port": 9090, "sentry": "https://a@sentry/1", "undeclared": "no"})
    bao.put("eso/app", {"PASS-WORD": "another name", "timeout": "9m", "password": f"{ODD}above"}, mount="team/kv")
    store = base64.b64encode(bytes(range(256))).decode()
    bao.put("eso/db", {"pass word": ODD, "store": store, "limits": {"a": [1, 2]}})
    bao.put("eso/rotated", {"key": "first"})
    bao.put("eso/rotated", {"key": "second"})
    bao.call("POST", "kv1/kv1/eso", {"a.b": "nested in its own mount's name"})
    project.manifest(VAULT.replace("ADDRESS", bao.address))
    project.environ["VAULT_TOKEN"] = ROOT
    return project


def reader(bao: Bao) -> Read:
    """Return what reads documents as the operator's provider does."""

    def read(provider: dict[str, Any], remote: dict[str, str]) -> dict[str, Any]:
        vault = provider["vault"]
        assert vault["server"] == bao.address
        query = f"?version={remote['version']}" if "version" in remote else ""
        try:
            found = bao.call("GET", vault_path(vault, remote["key"]) + query)["data"]
        except urllib.error.HTTPError as error:
            raise NotThereError(error.code) from None
        document: dict[str, Any] = found["data"] if vault["version"] == "v2" else found
        return document

    return read


def manifests(project: Project, *argv: str, **env: str) -> str:
    done = project.run("k8s", "external-secret", "-q", *argv, env=env)
    assert (done.status, done.err) == (0, "")
    return done.out


def rendered(project: Project, **env: str) -> dict[str, bytes]:
    """Return the files that `confsvc render` writes: the exact bytes of each setting."""
    done = project.run("render", "--to", "out", env=env)
    assert done.status == 0, done.err
    return {file.name: file.read_bytes() for file in (project.folder / "out").iterdir() if file.is_file()}


def test_the_operator_makes_of_vault_what_we_do(filled: Project, bao: Bao) -> None:
    made = sync(manifests(filled, "-e", "app"), reader(bao))
    expected = rendered(filled, CONFSVC_ENV="app")
    assert json.loads(made.pop("LIMITS")) == json.loads(expected.pop("LIMITS"))
    assert made == expected
    assert made["KEYSTORE"] == bytes(range(256))
    assert made["PASSWORD"].decode() == f"{ODD}above"
    assert made["OLD"] == b"first"
    assert "ABSENT" not in made


def test_no_value_and_no_call_is_needed_for_it(filled: Project, bao: Bao) -> None:
    first = manifests(filled, "-e", "app")
    del filled.environ["VAULT_TOKEN"]
    filled.manifest(VAULT.replace("ADDRESS", "https://vault.invalid"))
    assert manifests(filled, "-e", "app", PORT="1", PASSWORD="of this machine") == first.replace(
        bao.address, "https://vault.invalid"
    )


def test_what_is_gone_fails_there_as_here(filled: Project, bao: Bao) -> None:
    stream = manifests(filled, "-e", "app")
    bao.put("eso/db", {"pass word": "x"})
    with pytest.raises(NotThereError):
        sync(stream, reader(bao))
    assert filled.run("check", "-e", "app").status == 1


def test_a_required_setting_that_no_source_has_fails_there_as_here(filled: Project, bao: Bao) -> None:
    bao.put("eso/base", {"port": 1})
    bao.put("eso/app", {"port": 1}, mount="team/kv")
    with pytest.raises(BadTemplateError):
        sync(manifests(filled, "-e", "app"), reader(bao))
    assert filled.run("check", "-e", "app").status == 1


AWS = f"""
project = "eso"
[settings]
URL = {{}}
LEVEL = {{ default = "info" }}
TOKEN = {{ secret = true }}
USER = {{ secret = true }}
BEFORE = {{ secret = true }}
BLOB = {{ type = "bytes", secret = true }}
SEVENTH = {{}}
[backends.aws-sm]
region = "{REGION}"
[backends.aws-ssm]
region = "{REGION}"
[environments.app]
sources = ["aws-sm://eso/app", "aws-ssm:///eso/app/"]
[environments.app.values]
USER = "${{aws-sm://eso/nested#/db/users/1}}"
BEFORE = "${{aws-sm://eso/plain?stage=AWSPREVIOUS}}"
BLOB = "${{aws-sm://eso/blob}}"
SEVENTH = "${{aws-ssm:///eso/app/url?version=1}}"
"""


def test_the_operator_makes_of_aws_what_we_do(aws: Aws, project: Project) -> None:
    aws.put_secret("eso/app", json.dumps({"token": ODD, "url": "shadowed"}))
    aws.put_secret("eso/nested", json.dumps({"db": {"users": ["a", "b"]}}))
    aws.put_secret("eso/plain", "before")
    aws.put_secret("eso/plain", "now")
    aws.put_secret("eso/blob", b"\xff\x00\xfe")
    aws.put_parameter("/eso/app/url", "first")
    aws.put_parameter("/eso/app/url", "second")
    aws.put_parameter("/eso/app/deeper/level", "not of this tree")
    project.manifest(AWS)
    project.environ |= {**ENVIRON, "AWS_ENDPOINT_URL": aws.address}
    made = sync(manifests(project), aws_reader(aws), lambda _, find: found_in(aws, find))
    assert made == rendered(project)
    assert (made["BEFORE"], made["BLOB"], made["URL"]) == (b"before", b"\xff\x00\xfe", b"second")


def aws_reader(aws: Aws) -> Read:
    """Return what reads documents as the operator's providers do."""

    def read(provider: dict[str, Any], remote: dict[str, str]) -> bytes:
        version = remote.get("version", "")
        if provider["aws"]["service"] == "ParameterStore":
            name = remote["key"] + (f":{version}" if version else "")
            found = aws.parameters.get_parameter(Name=name, WithDecryption=True)
            return str(found["Parameter"]["Value"]).encode()
        stage = {"VersionStage": version or "AWSCURRENT"}
        found = aws.secrets.get_secret_value(
            SecretId=remote["key"], **({"VersionId": version[5:]} if version.startswith("uuid/") else stage)
        )
        return bytes(found.get("SecretBinary", b"")) or str(found["SecretString"]).encode()

    return read


def found_in(aws: Aws, find: dict[str, Any]) -> dict[str, str]:
    """Return the parameters under a path, all the way down, whose names match."""
    pages = aws.parameters.get_paginator("get_parameters_by_path")
    found = pages.paginate(Path=find["path"], Recursive=True, WithDecryption=True).build_full_result()["Parameters"]
    return {one["Name"]: one["Value"] for one in found if re.search(find["name"]["regexp"], one["Name"])}
