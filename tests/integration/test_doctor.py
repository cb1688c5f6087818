"""`confsvc doctor`: what is wrong is found where it is, with a fix that helps; what is well is said to be."""

import datetime as dt
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any
from uuid import uuid4

import pytest

from aws import ENVIRON, REGION, Aws
from confsvc.testing import find_leaks
from counting import run_counting
from gcp import PROJECT, Gcp
from openbao import Bao, run_bao
from running import Project
from serving import Quiet, serving

Found = dict[str, dict[str, Any]]


def manifest(project: Project, backend: str, source: str = "vault://secret/doctor/app") -> None:
    """Write a manifest with one backend, called as its scheme, and one environment."""
    name = source.partition(":")[0]
    project.manifest(
        f'[settings]\nA = {{}}\n[backends.{name}]\n{backend}\n[environments.one]\nsources = ["{source}"]\n'
    )


def examined(project: Project, *options: str) -> tuple[int, dict[str, Found], str]:
    """Return the exit status, what was found of each backend by topic, and all that was printed."""
    done = project.run("doctor", "--json", *options)
    assert done.out, done.err
    said = json.loads(done.out)
    found = {one["backend"]: {f["topic"]: f for f in one["findings"]} for one in said["backends"]}
    found[""] = {f["topic"]: f for f in said["this_machine"]}
    return done.status, found, done.out + done.err


def levels(found: Found) -> dict[str, str]:
    """Return how bad it is, by topic; but for the latency, which is bad where the tests keep the machine busy."""
    return {topic: one["level"] for topic, one in found.items() if topic != "latency"}


@pytest.fixture
def shop(project: Project, bao: Bao, canary: str) -> Project:
    """A project that reads one document from a server with TLS."""
    bao.put("doctor/app", {"A": canary})
    manifest(project, f'address = "{bao.tls_address}"\nca_file = "{bao.authority.file}"')
    return project


def test_what_is_well_is_said_to_be(shop: Project, bao: Bao, canary: str) -> None:
    shop.environ["VAULT_TOKEN"] = token = bao.token(bao.policy("doctor", "secret/data/doctor/app read"), ttl="5h30m")
    status, found, text = examined(shop)
    assert status == 0
    assert levels(found["vault"]) == {
        "reachable": "ok", "TLS": "warning", "clock": "ok", "server": "ok", "who": "ok",
        "token": "ok", "permission": "ok",
    }  # fmt: skip
    assert found["vault"]["latency"]["message"].endswith(" ms for a request")
    assert found["vault"]["TLS"]["message"].startswith("TLSv1.3; the certificate is good for 2 days more")
    assert "`doctor`" in found["vault"]["who"]["message"]
    assert found["vault"]["token"]["message"] == "it lives 5 hours more"
    assert levels(found[""]) == {"confsvc": "ok", "manifest": "ok"}
    assert find_leaks(canary, text) == find_leaks(token, text) == []


def test_it_is_told_to_people_with_a_fix_for_everything_that_could_be_better(shop: Project, bao: Bao) -> None:
    shop.environ["VAULT_TOKEN"] = bao.token(bao.policy("doctor-no", "secret/data/other read"), num_uses=50)
    done = shop.run("doctor")
    assert done.status == 77
    lines = done.out.splitlines()
    bad = [number for number, line in enumerate(lines[:-1]) if line.split()[1:2] in (["warning"], ["problem"])]
    bad = [number for number in bad if "latency" not in lines[number]]
    assert len(bad) == 3, done.out  # the certificate, the number of uses, the policy
    assert all(lines[number + 1].strip().startswith("fix: ") for number in bad)
    assert lines[-1].startswith("1 problem and ")


def test_the_fix_for_a_policy_helps(shop: Project, bao: Bao) -> None:
    shop.environ["VAULT_TOKEN"] = bao.token(bao.policy("doctor-fixed", "secret/data/other read"))
    status, found, _ = examined(shop)
    assert (status, found["vault"]["permission"]["exit_status"]) == (77, 77)
    rule = found["vault"]["permission"]["fix"].partition("allows it: ")[2]
    bao.call("POST", "sys/policies/acl/doctor-fixed", {"policy": rule})
    status, found, _ = examined(shop)
    assert (status, found["vault"]["permission"]["level"]) == (0, "ok")


def ended(bao: Bao) -> str:
    """Return a token that has expired."""
    token = bao.token("default", explicit_max_ttl="1s", ttl="1s")
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            bao.call("GET", "auth/token/lookup-self", token=token)
        except urllib.error.HTTPError:
            return token
        time.sleep(0.1)
    pytest.fail("the token does not end")


@pytest.mark.parametrize("kind", ["expired", "revoked", "none", "never was one"])
def test_a_token_that_is_not_good_is_found(kind: str, shop: Project, bao: Bao, canary: str) -> None:
    if kind == "expired":
        shop.environ["VAULT_TOKEN"] = ended(bao)
    elif kind == "revoked":
        shop.environ["VAULT_TOKEN"] = bao.token("default")
        bao.call("POST", "auth/token/revoke", {"token": shop.environ["VAULT_TOKEN"]})
    elif kind == "never was one":
        shop.environ["VAULT_TOKEN"] = canary
    status, found, text = examined(shop)
    assert (status, levels(found["vault"])["who"]) == (77, "problem")
    assert found["vault"]["who"]["fix"]
    assert "permission" not in found["vault"]
    assert find_leaks(canary, text) == []


def test_a_root_token_and_one_without_the_policy_default_are_told_apart(shop: Project, bao: Bao) -> None:
    shop.environ["VAULT_TOKEN"] = "root-of-the-tests"
    status, found, _ = examined(shop)
    assert (status, levels(found["vault"])["who"]) == (0, "warning")
    policy = bao.policy("doctor-bare", "secret/data/doctor/app read")
    shop.environ["VAULT_TOKEN"] = bao.token(policy, no_default_policy=True)
    status, found, _ = examined(shop)
    assert (status, levels(found["vault"])["who"], levels(found["vault"])["permission"]) == (0, "note", "note")


def test_a_login_is_made_and_given_back(project: Project, bao: Bao) -> None:
    bao.enable("approle")
    bao.policy("doctor-role", "secret/data/doctor/app read")
    bao.call("POST", "auth/approle/role/doctor", {"token_policies": "doctor-role", "token_ttl": "20m"})
    role = bao.call("GET", "auth/approle/role/doctor/role-id")["data"]["role_id"]
    secret = bao.call("POST", "auth/approle/role/doctor/secret-id", {})["data"]["secret_id"]
    project.environ |= {"VAULT_ROLE_ID": role, "VAULT_SECRET_ID": secret}
    manifest(project, f'address = "{bao.address}"\nauth = {{ method = "approle" }}')
    before = bao.accessors()
    status, found, text = examined(project)
    assert (status, levels(found["vault"])["token"]) == (0, "ok")
    assert found["vault"]["token"]["message"] in {f"it lives {n} minutes, and is given back" for n in (19, 20)}
    assert levels(found["vault"])["TLS"] == "note"
    assert not bao.accessors() - before  # of other tests some end when they like
    assert find_leaks(secret, text) == []
    project.environ["VAULT_SECRET_ID"] = "wrong"
    status, found, _ = examined(project)
    assert (status, levels(found["vault"])["who"]) == (77, "problem")


def test_a_certificate_of_somebody_else_or_of_yesterday_is_found(
    project: Project, bao: Bao, tmp_path_factory: pytest.TempPathFactory
) -> None:
    manifest(project, f'address = "{bao.tls_address}"')
    status, found, _ = examined(project)
    assert (status, levels(found["vault"])) == (69, {"reachable": "ok", "TLS": "problem"})
    assert "`ca_file`" in found["vault"]["TLS"]["fix"]
    manifest(project, f'address = "{bao.tls_address}"\ntls_skip_verify = true')
    _, found, _ = examined(project)
    assert levels(found["vault"])["TLS"] == "warning"
    with run_bao(tmp_path_factory.mktemp("old"), life=dt.timedelta(hours=-1)) as old:
        manifest(project, f'address = "{old.tls_address}"\nca_file = "{old.authority.file}"')
        status, found, _ = examined(project)
        assert (status, "expired" in found["vault"]["TLS"]["message"]) == (69, True)


def test_a_server_that_is_not_open_says_what_opens_it(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with run_bao(tmp_path_factory.mktemp("sealed"), sealed=True) as sealed:
        manifest(project, f'address = "{sealed.address}"')
        status, found, _ = examined(project)
        assert (status, found["vault"]["server"]["fix"]) == (69, "bao operator init")
        sealed.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        status, found, _ = examined(project)
        assert (status, found["vault"]["server"]["fix"]) == (69, "bao operator unseal")


class Elsewhen(Quiet):
    """A standby in which it is later than here by ``ahead`` seconds, and which knows nobody."""

    ahead = 0.0

    def do_GET(self) -> None:  # noqa: N802 - http.server calls it so
        is_health = self.path.startswith("/v1/sys/health")
        body = json.dumps({"initialized": True, "sealed": False, "standby": True} if is_health else {}).encode()
        self.send_response_only(200 if is_health else 403)
        self.send_header("Date", formatdate(time.time() + self.ahead, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def elsewhen() -> Iterator[str]:
    with serving(Elsewhen) as address:
        yield address


@pytest.mark.parametrize(
    ("ahead", "level", "words"),
    [
        (0, "ok", "to the second or so"),
        (60, "warning", "behind"),
        (-60, "warning", "ahead of"),
        (700, "problem", "11 minutes behind"),
    ],
)
def test_a_clock_that_is_wrong_is_found(
    ahead: float, level: str, words: str, elsewhen: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Elsewhen, "ahead", ahead)
    project.environ["VAULT_TOKEN"] = "a-token"
    manifest(project, f'address = "{elsewhen}"')
    status, found, _ = examined(project)
    assert (found["vault"]["clock"]["level"], words in found["vault"]["clock"]["message"]) == (level, True)
    assert "NTP" in found["vault"]["clock"]["fix"] or level == "ok"
    assert found["vault"]["server"]["message"].startswith("a standby")
    assert status == 77  # of the token


def test_one_that_hangs_does_not_hold_up_the_others(project: Project, bao: Bao) -> None:
    bao.put("doctor/app", {"A": "1"})
    project.environ["VAULT_TOKEN"] = bao.token(bao.policy("doctor", "secret/data/doctor/app read"))
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        project.manifest(
            '[settings]\nA = {}\n[environments.one]\nsources = ["vault://secret/doctor/app", "mute://secret/a"]\n'
            f'[backends.vault]\naddress = "{bao.address}"\n[backends.mute]\nadapter = "vault"\n'
            f'address = "http://127.0.0.1:{mute.getsockname()[1]}"\n'
        )
        status, found, _ = examined(project, "--timeout", "6s")
    assert (status, levels(found["vault"])["permission"]) == (75, "ok")
    assert found["mute"]["reachable"]["level"] == "ok"
    late = found["mute"].get("answer") or found["mute"]["server"]
    assert (late["level"], "no answer" in late["message"]) == ("problem", True)


def test_environments_that_share_a_backend_have_it_looked_at_once(project: Project, bao: Bao) -> None:
    project.environ["VAULT_TOKEN"] = bao.token(bao.policy("doctor", "secret/data/doctor/app read"))
    with run_counting(bao.address) as counting:
        project.manifest(
            f'[settings]\nA = {{}}\n[backends.vault]\naddress = "{counting.address}"\n'
            '[environments.one]\nsources = ["vault://secret/doctor/app"]\n[environments.two]\nextends = "one"\n'
        )
        done = project.run("doctor", "--json")
        assert counting.asked["GET /v1/auth/token/lookup-self"] == 1
        assert not [asked for asked in counting.asked if "/data/" in asked]  # nothing is read
    assert json.loads(done.out)["backends"][0]["environments"] == ["one", "two"]


@pytest.fixture
def amazon(project: Project, aws: Aws, canary: str) -> Project:
    """A project that reads a secret from AWS."""
    aws.put_secret("doctor/app", json.dumps({"A": canary}))
    project.environ |= {**ENVIRON, "HOME": str(project.folder)}
    manifest(project, f'endpoint_url = "{aws.address}"\nregion = "{REGION}"', "aws-sm://doctor/app")
    return project


def test_amazon_tells_who_we_are_and_whether_we_may_read(amazon: Project, aws: Aws, canary: str) -> None:
    allowed = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    name = f"doctor-{uuid4().hex[:8]}"
    amazon.environ |= aws.user(name, allowed)
    nobody = aws.user(f"{name}-no", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    aws.guard()
    status, found, text = examined(amazon)
    assert (status, levels(found["aws-sm"])) == (0, {
        "reachable": "ok", "TLS": "note", "clock": "ok", "who": "ok", "token": "note", "permission": "ok",
    })  # fmt: skip
    assert f"user/{name}`" in found["aws-sm"]["who"]["message"]
    assert find_leaks(canary, text) == find_leaks(amazon.environ["AWS_SECRET_ACCESS_KEY"], text) == []
    amazon.environ |= nobody
    status, found, _ = examined(amazon)
    assert (status, levels(found["aws-sm"])["permission"]) == (77, "problem")
    assert '"secretsmanager:GetSecretValue"' in found["aws-sm"]["permission"]["fix"]
    amazon.environ["AWS_ACCESS_KEY_ID"] = "AKIANOBODY"
    status, found, _ = examined(amazon)
    assert (status, levels(found["aws-sm"])["who"]) == (77, "problem")


def test_amazon_without_a_region_or_credentials_says_where_to_write_them(amazon: Project, aws: Aws) -> None:
    manifest(amazon, f'endpoint_url = "{aws.address}"', "aws-sm://doctor/app")
    del amazon.environ["AWS_REGION"]
    status, found, _ = examined(amazon)
    assert (status, "AWS_REGION" in found["aws-sm"]["backend"]["fix"]) == (78, True)
    amazon.environ |= {"AWS_REGION": REGION, "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    status, found, _ = examined(amazon)
    assert (status, levels(found["aws-sm"])["who"]) == (77, "problem")


def test_google_is_examined(project: Project, gcp: Gcp, canary: str) -> None:
    gcp.put("doctor-app", canary.encode())
    backend = f'endpoint = "{gcp.address}"\nproject = "{PROJECT}"\nauth = {{ method = "anonymous" }}'
    manifest(project, backend, "gcp-sm:///doctor-app")
    status, found, text = examined(project)
    assert (status, levels(found["gcp-sm"])) == (0, {
        "reachable": "ok", "TLS": "note", "clock": "ok", "who": "note", "permission": "ok",
    })  # fmt: skip
    assert find_leaks(canary, text) == []
    manifest(project, backend, "gcp-sm:///doctor-nowhere")
    status, found, _ = examined(project)
    assert (status, levels(found["gcp-sm"])["permission"]) == (0, "warning")
    manifest(project, backend.replace("anonymous", "service-account"), "gcp-sm:///doctor-app")
    status, found, _ = examined(project)
    assert (status, found["gcp-sm"]["backend"]["level"]) == (78, "problem")


def git(project: Project, *arguments: str) -> None:
    """Run git in the project."""
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", "-C", str(project.folder), *arguments], check=True, capture_output=True, env=environ)


def test_files_that_others_can_read_or_git_may_have_are_found(project: Project, canary: str) -> None:
    (project.folder / ".git").rmdir()
    git(project, "init", "-q")
    project.manifest('[settings]\nA = {}\n[environments.one]\nsources = ["dotenv://.env"]\n', env=f"A={canary}\n")
    file = project.folder / ".env"
    file.chmod(0o644)
    status, found, text = examined(project)
    assert (status, levels(found["dotenv"])) == (0, {"file": "ok", "access": "warning", "git": "warning"})
    assert (found["dotenv"]["access"]["fix"], ".gitignore" in found["dotenv"]["git"]["fix"]) == ("chmod 600 .env", True)
    assert find_leaks(canary, text) == []
    git(project, "add", ".env")
    _, found, _ = examined(project)
    assert found["dotenv"]["git"]["fix"].startswith("git rm --cached .env")
    git(project, "rm", "-q", "--cached", ".env")
    (project.folder / ".gitignore").write_text(".env\n")
    file.chmod(0o600)
    _, found, _ = examined(project)
    assert levels(found["dotenv"]) == {"file": "ok"}
    file.unlink()
    status, found, _ = examined(project)
    assert (status, levels(found["dotenv"])) == (1, {"file": "problem"})
    text = (project.folder / "confsvc.toml").read_text()
    project.manifest(text.replace('"dotenv://.env"', '{ from = "dotenv://.env", optional = true }'))
    status, found, _ = examined(project)
    assert (status, levels(found["dotenv"])) == (0, {"file": "note"})
    file.mkdir()
    file.chmod(0o700)
    status, found, _ = examined(project)
    assert (status, found["dotenv"]["file"]["message"]) == (1, "`.env` is a folder, not a file")


def test_an_extra_that_is_missing_is_named(project: Project) -> None:
    manifest(project, 'address = "http://127.0.0.1:9"\nauth = { method = "approle" }')
    code = "import sys; sys.modules['hvac'] = None; from confsvc.cli import run; sys.exit(run(['doctor', '--json']))"
    done = project.shell(f'{sys.executable} -c "{code}"')
    extra = next(f for f in json.loads(done.out)["backends"][0]["findings"] if f["topic"] == "extra")
    assert (done.status, extra["fix"]) == (78, "pip install 'confsvc[vault]'")


def test_what_is_wrong_with_the_manifest_is_a_finding_too(project: Project) -> None:
    status, found, _ = examined(project)
    assert (status, "confsvc init" in found[""]["manifest"]["fix"]) == (78, True)
    project.manifest('[settings]\nA = {}\n[environments.one]\nsources = ["dotenv://.env"]\n[backends.x]\nadaptr = 1\n')
    status, found, _ = examined(project)
    assert (status, "adapter" in found[""]["manifest"]["message"]) == (78, True)
    assert set(found) == {""}


def test_a_local_file_beside_the_manifest_is_told_of(project: Project) -> None:
    project.manifest('[settings]\nA = {}\n[environments.one]\nsources = ["env://?prefix=SHOP_"]\n')
    project.write({"confsvc.local.toml": "default_environment = 'one'\n"})
    status, found, _ = examined(project)
    assert "`confsvc.local.toml`" in found[""]["manifest"]["message"]
    assert (status, levels(found["env"])) == (0, {"variable": "warning"})
    project.environ["SHOP_A"] = "x"
    assert levels(examined(project)[1]["env"]) == {"variable": "ok"}
