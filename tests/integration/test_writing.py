"""`set`, `copy` and `import` with the real stores: what else is there stays, and no writer loses to another."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aws import ENVIRON, Aws
from confsvc.testing import find_leaks
from gcp import PROJECT, Gcp
from openbao import ROOT, Bao
from running import CONFSVC, Done, Project

SETTINGS = """
project = "writing"
[settings]
TOKEN = { secret = true }
PORT = { type = "port", default = 8080 }
URL = { type = "url", required = false }
OTHER = { required = false }
"""


def fill(project: Project, manifest: str, environ: Mapping[str, str]) -> Project:
    project.manifest(SETTINGS + manifest)
    project.environ |= environ
    return project


def set_at_once(project: Project, names: list[str], environment: str = "app") -> list[int]:
    """Set every one of ``names`` to its own lower case, each in a process of its own, at the same time."""
    running = []
    for name in names:
        process = subprocess.Popen(
            [CONFSVC, "set", name, "-e", environment],
            cwd=project.folder,
            env=project.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        assert process.stdin
        process.stdin.write(name.lower().encode())
        running.append(process)
    for process in running:
        assert process.stdin
        process.stdin.close()
    return [process.wait(100) for process in running]


def many(count: int) -> str:
    return "[settings]\n" + "".join(f"N{number} = {{ required = false }}\n" for number in range(count))


def ok(done: Done) -> str:
    assert done.status == 0, done.err
    return done.out


# --- Vault and OpenBao


@pytest.fixture
def vault(project: Project, bao: Bao, tmp_path: Path) -> Project:
    """Two environments in KV 2, one in KV 1, each in a folder of this test's own."""
    path = tmp_path.name
    manifest = f"""
[backends.vault]
address = "{bao.address}"
[environments.app]
sources = ["vault://secret/{path}/app"]
[environments.live]
sources = ["vault://secret/{path}/live"]
[environments.old]
sources = ["vault://kv1/{path}/old"]
[environments.built]
sources = ["vault://secret/{path}/app"]
[environments.built.values]
URL = "https://u:${{vault://secret/{path}/db#pass/word|urlencode}}@host"
TOKEN = "${{vault://secret/{path}/db#/deep/token}}"
"""
    return fill(project, manifest, {"VAULT_TOKEN": ROOT})


def kv(bao: Bao, path: str) -> Any:
    return bao.call("GET", f"secret/data/{path}")["data"]


def test_a_field_is_written_by_the_name_it_has_and_the_others_stay(vault: Project, bao: Bao, tmp_path: Path) -> None:
    bao.put(f"{tmp_path.name}/app", {"api-token": "x", "TokEn": "old", "n": 1.5, "deep": {"a": [1, None]}, "port": 80})
    told = ok(vault.run("set", "TOKEN", "-e", "app", stdin="s\u00e9cret\r\n\n".encode()))
    assert told == f"wrote `TOKEN` to vault://secret/{tmp_path.name}/app#TokEn, version 2\n"
    found = kv(bao, f"{tmp_path.name}/app")["data"]
    assert found == {"api-token": "x", "TokEn": "s\u00e9cret\r\n", "n": 1.5, "deep": {"a": [1, None]}, "port": 80}
    ok(vault.run("set", "PORT", "-e", "app", stdin=b"81\n"))
    assert kv(bao, f"{tmp_path.name}/app")["data"]["port"] == 81
    ok(vault.run("set", "OTHER", "-e", "app", stdin=b"x"))
    assert kv(bao, f"{tmp_path.name}/app")["data"]["other"] == "x"


def test_the_same_value_is_not_written_again(vault: Project, bao: Bao, tmp_path: Path) -> None:
    ok(vault.run("set", "TOKEN", "-e", "app", stdin=b"x"))
    assert (
        ok(vault.run("set", "TOKEN", "-e", "app", stdin=b"x")) == "nothing was written: `TOKEN` is the same already\n"
    )
    assert kv(bao, f"{tmp_path.name}/app")["metadata"]["version"] == 1


def test_a_value_that_is_one_reference_is_written_there(vault: Project, bao: Bao, tmp_path: Path) -> None:
    bao.put(f"{tmp_path.name}/db", {"deep": {"token": "old", "other": "stays"}, "top": "stays"})
    ok(vault.run("set", "TOKEN", "-e", "built", stdin=b"new"))
    assert kv(bao, f"{tmp_path.name}/db")["data"] == {"deep": {"token": "new", "other": "stays"}, "top": "stays"}
    refused = vault.run("set", "URL", "-e", "built", stdin=b"https://x")
    assert refused.status == 64
    assert "make it of several parts" in refused.err
    assert f"`vault://secret/{tmp_path.name}/db#pass/word`" in refused.err
    ok(vault.run("set", "URL", "-e", "built", "--to", f"vault://secret/{tmp_path.name}/app", stdin=b"https://x"))
    assert kv(bao, f"{tmp_path.name}/app")["data"] == {"url": "https://x"}


def test_kv_1_is_written_too(vault: Project, bao: Bao, tmp_path: Path) -> None:
    ok(vault.run("set", "TOKEN", "-e", "old", stdin=b"one"))
    told = ok(vault.run("set", "OTHER", "-e", "old", stdin=b"two"))
    assert told == f"wrote `OTHER` to vault://kv1/{tmp_path.name}/old#other\n"
    assert bao.call("GET", f"kv1/{tmp_path.name}/old")["data"] == {"token": "one", "other": "two"}


def test_writers_at_the_same_time_lose_nothing(vault: Project, bao: Bao, tmp_path: Path) -> None:
    names = [f"N{number}" for number in range(8)]
    manifest = (vault.folder / "confsvc.toml").read_text().partition("[backends")[2]
    vault.manifest(f"{many(8)}[backends{manifest.replace('TOKEN', 'N0').replace('URL', 'N1')}")
    assert set_at_once(vault, names) == [0] * 8
    found = kv(bao, f"{tmp_path.name}/app")
    assert found["data"] == {name.lower(): name.lower() for name in names}
    assert found["metadata"]["version"] == 8


def test_an_import_that_is_denied_half_way_says_what_was_written_and_is_finished_later(
    vault: Project, bao: Bao, tmp_path: Path, canary: str
) -> None:
    path = tmp_path.name
    bao.put(f"{path}/closed", {"other": "old"})
    manifest = (vault.folder / "confsvc.toml").read_text()
    vault.manifest(manifest + f'[environments.app.values]\nOTHER = "${{vault://secret/{path}/closed#other}}"\n')
    vault.write({"new.env": f"TOKEN={canary}\nOTHER={canary}2\nPORT=90\nURL=https://x\nNOBODY={canary}3\n"})
    rules = [f"secret/data/{path}/app read,create,update", f"secret/data/{path}/closed read"]
    environ = {"VAULT_TOKEN": bao.token(bao.policy("half-way", *rules)), "CONFSVC_AUDIT": str(tmp_path / "audit")}
    denied = vault.run("import", "new.env", "-e", "app", "--yes", env=environ)
    assert denied.status == 77
    assert f"wrote `TOKEN`, `PORT`, `URL` to vault://secret/{path}/app, version 1\n" in denied.out
    assert denied.err.startswith("error: 1 of 4 settings was not written to app\n")
    assert f"OTHER  vault://secret/{path}/closed#other  denied: " in denied.err
    assert kv(bao, f"{path}/closed")["data"] == {"other": "old"}
    bao.policy("half-way", rules[0], f"secret/data/{path}/closed read,create,update")
    finished = vault.run("import", "new.env", "-e", "app", "--yes", env=environ)
    assert finished.status == 0
    assert f"wrote `OTHER` to vault://secret/{path}/closed#other, version 2\n" in finished.out
    assert kv(bao, f"{path}/app")["metadata"]["version"] == 1
    trail = (tmp_path / "audit").read_text()
    assert find_leaks(canary, denied.out, denied.err, finished.out, finished.err, trail) == []
    lines = [json.loads(line) for line in trail.splitlines()]
    assert [(line["event"], line["outcome"], line["codes"]) for line in lines] == [
        ("compare", "ok", []),
        ("write", "ok", []),
        ("write", "failed", ["denied"]),
        ("compare", "ok", []),
        ("write", "ok", []),
    ]
    assert lines[1]["settings"][0] == {
        "name": "TOKEN",
        "reference": f"vault://secret/{path}/app#token",
        "version": "1",
    }


def test_nothing_is_written_where_something_cannot_be_read(vault: Project, bao: Bao, tmp_path: Path) -> None:
    vault.write({"new.env": "TOKEN=x\n"})
    token = bao.token(bao.policy("writing-only", f"secret/data/{tmp_path.name}/app create,update"))
    for words in (["import", "new.env", "-e", "app"], ["set", "TOKEN", "-e", "app"]):
        done = vault.run(*words, env={"VAULT_TOKEN": token}, stdin=b"x")
        assert done.status == 77
        assert "cannot be written to app; nothing was written" in done.err


def test_copying_fills_gaps_and_overwrites_only_when_asked(
    vault: Project, bao: Bao, tmp_path: Path, canary: str
) -> None:
    path = tmp_path.name
    bao.put(f"{path}/app", {"token": canary, "url": "https://app", "other": "same", "stray": "x"})
    bao.put(f"{path}/live", {"token": "live", "other": "same"})
    dry = vault.run("copy", "app", "live", "--all", "--dry-run")
    rows = [line.split()[:2] for line in dry.out.splitlines()[1:]]
    assert sorted(rows) == [["OTHER", "same"], ["PORT", "left"], ["TOKEN", "different"], ["URL", "new"]]
    refused = vault.run("copy", "app", "live", "--all")
    assert (refused.status, kv(bao, f"{path}/live")["metadata"]["version"]) == (64, 1)
    assert "would be overwritten, so nothing was written: `TOKEN`" in refused.err
    ok(vault.run("copy", "app", "live", "--all", "--new"))
    assert kv(bao, f"{path}/live")["data"] == {"token": "live", "other": "same", "url": "https://app"}
    done = vault.run("copy", "app", "live", "TOKEN", "--yes")
    assert kv(bao, f"{path}/live")["data"]["token"] == canary
    assert find_leaks(canary, dry.out, refused.err, done.out, done.err) == []


# --- AWS


@pytest.fixture
def amazon(project: Project, aws: Aws, tmp_path: Path) -> Project:
    """Environments in Secrets Manager and Parameter Store, under names of this test's own."""
    path = tmp_path.name
    manifest = f"""
[environments.app]
sources = ["aws-sm://{path}/app"]
[environments.tree]
sources = ["aws-ssm:///{path}/tree/"]
[environments.plain.values]
TOKEN = "${{aws-sm://{path}/plain}}"
OTHER = "${{aws-ssm:///{path}/json#other}}"
"""
    environ = {**ENVIRON, "AWS_ENDPOINT_URL": aws.address, "HOME": str(project.folder)}
    return fill(project, manifest, environ)


def secret(aws: Aws, name: str) -> str:
    return str(aws.secrets.get_secret_value(SecretId=name)["SecretString"])


def test_a_json_secret_keeps_its_fields_and_a_plain_one_its_bytes(amazon: Project, aws: Aws, tmp_path: Path) -> None:
    path = tmp_path.name
    aws.put_secret(f"{path}/app", '{"price": 1.10, "Token": "old", "port": 80}')
    ok(amazon.run("set", "TOKEN", "-e", "app", stdin=b"new"))
    ok(amazon.run("set", "PORT", "-e", "app", stdin=b"81"))
    assert secret(aws, f"{path}/app") == '{"price":1.10,"Token":"new","port":81}'
    ok(amazon.run("set", "TOKEN", "-e", "plain", "--raw", stdin=b"-----BEGIN-----\nx\n"))
    assert secret(aws, f"{path}/plain") == "-----BEGIN-----\nx\n"
    assert amazon.run("get", "TOKEN", "-e", "plain").out == "-----BEGIN-----\nx\n"


def test_parameters_are_written_one_by_one_and_keep_their_type(amazon: Project, aws: Aws, tmp_path: Path) -> None:
    path = f"/{tmp_path.name}"
    aws.put_parameter(f"{path}/tree/port", "80", "String")
    amazon.write({"new.env": "PORT=81\nTOKEN=t\nURL=https://x\n"})
    told = ok(amazon.run("import", "new.env", "-e", "tree", "--yes"))
    assert f"wrote `PORT` to aws-ssm://{path}/tree/port, version 2\n" in told
    assert f"wrote `TOKEN` to aws-ssm://{path}/tree/token, version 1\n" in told
    found = aws.parameters.get_parameters_by_path(Path=f"{path}/tree", WithDecryption=True)["Parameters"]
    assert {(one["Name"].rpartition("/")[2], one["Type"], one["Value"]) for one in found} == {
        ("port", "String", "81"),
        ("token", "SecureString", "t"),
        ("url", "SecureString", "https://x"),
    }
    ok(amazon.run("set", "OTHER", "-e", "plain", stdin=b"x"))
    aws.put_parameter(f"{path}/json", '{"other":"x","more":1}')
    ok(amazon.run("set", "OTHER", "-e", "plain", stdin=b"y"))
    assert amazon.run("get", "OTHER", "-e", "plain").out == "y"


@pytest.mark.parametrize("adapter", ["aws-sm", "aws-ssm"])
def test_two_writers_lose_nothing_in_aws_either(amazon: Project, aws: Aws, tmp_path: Path, adapter: str) -> None:
    name = f"/{tmp_path.name}/{adapter}"
    source = f'"{adapter}://{name}"'
    for number in range(3):
        amazon.manifest(f"{many(6)}[environments.app]\nsources = [{source}]\n")
        assert set_at_once(amazon, [f"N{2 * number}", f"N{2 * number + 1}"]) == [0, 0]
    text = (
        secret(aws, name)
        if adapter == "aws-sm"
        else str(aws.parameters.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    )
    assert json.loads(text) == {f"n{number}": f"n{number}" for number in range(6)}


# --- GCP


@pytest.fixture
def google(project: Project, gcp: Gcp, tmp_path: Path) -> Project:
    """Environments in Secret Manager: one JSON secret, one whole project, under names of this test's own."""
    prefix = tmp_path.name.replace("_", "-")
    manifest = f"""
[backends.gcp-sm]
endpoint = "{gcp.address}"
project = "{PROJECT}"
auth = {{ method = "anonymous" }}
[environments.app]
sources = ["gcp-sm:///{prefix}-app"]
[environments.plain.values]
TOKEN = "${{gcp-sm:///{prefix}-token}}"
[environments.tree]
sources = ["gcp-sm://{prefix}-tree/"]
"""
    return fill(project, manifest, {})


def test_secrets_of_google_are_written_whole_by_field_and_in_a_tree(google: Project, gcp: Gcp, tmp_path: Path) -> None:
    prefix = tmp_path.name.replace("_", "-")
    gcp.put(f"{prefix}-app", b'{"token": "old", "n": 1.10}')
    assert ok(google.run("set", "TOKEN", "-e", "app", stdin=b"new")).endswith(f"{prefix}-app#token, version 2\n")
    name = f"projects/{PROJECT}/secrets/{prefix}-app/versions/latest"
    assert gcp.client.access_secret_version(name=name).payload.data == b'{"token":"new","n":1.10}'
    ok(google.run("set", "TOKEN", "-e", "plain", "--raw", stdin=b"exact\n"))
    assert google.run("get", "TOKEN", "-e", "plain").out == "exact\n"
    ok(google.run("set", "TOKEN", "-e", "tree", stdin=b"t"))
    ok(google.run("set", "OTHER", "-e", "tree", stdin=b"o"))
    assert google.run("get", "OTHER", "-e", "tree").out == "o"


def test_two_writers_lose_nothing_in_gcp_either(google: Project) -> None:
    manifest = (
        (google.folder / "confsvc.toml").read_text().partition("[backends")[2].partition("[environments.plain")[0]
    )
    google.manifest(f"{many(6)}[backends{manifest}")
    for number in range(3):
        assert set_at_once(google, [f"N{2 * number}", f"N{2 * number + 1}"]) == [0, 0]
    found = json.loads(google.run("export", "--format", "json").out)
    assert found == {f"N{number}": f"n{number}" for number in range(6)}
