"""`confsvc plan`: exactly what it prints is needed, nothing less works, and the calls are those it counts."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from aws import ENVIRON, REGION, Aws, run_moto
from confsvc.testing import find_leaks
from counting import run_counting
from gcp import PROJECT, Gcp
from openbao import Bao
from running import Project

VAULT = """
project = "planned"
[settings]
URL = { type = "url", secret = true }
PORT = { type = "int" }
OLD = { secret = true }
[backends.vault]
address = "ADDRESS"
EXTRA
[environments.production]
sources = ["vault://secret/{project}/{environment}"]
[environments.production.values]
URL = "postgres://shop:${vault://team/kv/planned/db#password|urlencode}@db/shop"
OLD = "${vault://secret/planned/old?version=1#password}"
"""
RULE = re.compile(r'path "[^"]+" \{\n.*\n\}\n')


def planned(project: Project, *options: str) -> dict[str, Any]:
    """Return the plan of production."""
    done = project.run("plan", "-e", "production", "--json", *options)
    assert (done.status, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)["environments"][0]
    return found


def permission(project: Project, backend: str) -> str:
    """Return what is to be granted for a backend."""
    done = project.run("plan", "-e", "production", "--permissions", backend)
    assert (done.status, done.err) == (0, "")
    return done.out


def starts(project: Project, **environ: str) -> int:
    """Start something, and return the exit status."""
    done = project.run("exec", "-e", "production", "--", "true", env=environ)
    assert done.status in {0, 65, 77}, done.err
    return done.status


@pytest.fixture
def vault(project: Project, bao: Bao, canary: str) -> Project:
    """A project whose settings are in a server, which knows version 2 of KV in two places."""
    bao.put("planned/production", {"PORT": 80, "unused": canary})
    bao.put("planned/old", {"password": canary})
    bao.put("planned/old", {"password": "newer"})
    bao.put("planned/db", {"password": canary}, mount="team/kv")
    project.manifest(VAULT.replace("ADDRESS", bao.address).replace("EXTRA", ""))
    return project


def only(bao: Bao, policy: str) -> str:
    """Return a token with this policy, and without the one that every token has by default."""
    name = f"planned-{uuid4().hex[:8]}"
    bao.call("POST", f"sys/policies/acl/{name}", {"policy": policy})
    return bao.token(name, no_default_policy=True)


def with_version(project: Project, bao: Bao) -> None:
    """Say what the server would have to be asked: where its engines are."""
    text = VAULT.replace("vault://team/kv/", "team://").replace("EXTRA", "kv_version = 2\nkv_mount = 'secret'")
    text = text.replace("team://planned", "team://team/kv/planned")
    team = "[backends.team]\nadapter = 'vault'\naddress = 'ADDRESS'\nkv_version = 2\nkv_mount = 'team/kv'\n"
    project.manifest((text + team).replace("ADDRESS", bao.address))


def test_a_token_with_exactly_the_policy_starts_and_with_any_rule_less_does_not(vault: Project, bao: Bao) -> None:
    with_version(vault, bao)
    first, second = permission(vault, "vault"), permission(vault, "team")
    rules = RULE.findall(first + second)
    assert len(rules) == 3
    assert starts(vault, VAULT_TOKEN=only(bao, first + second)) == 0
    for rule in rules:
        assert starts(vault, VAULT_TOKEN=only(bao, (first + second).replace(rule, ""))) == 77


def test_without_a_version_it_says_that_it_counts_everything_as_version_2(vault: Project, bao: Bao) -> None:
    vault.manifest(
        VAULT.replace("ADDRESS", bao.address).replace("EXTRA", "").replace("team/kv/planned", "secret/planned")
    )
    bao.put("planned/db", {"password": "x"})
    (share,) = planned(vault)["backends"]
    assert "one of KV version 2" in share["notes"][0]
    policy = permission(vault, "vault")
    assert starts(vault, VAULT_TOKEN=only(bao, policy)) == 0
    for rule in RULE.findall(policy):
        assert starts(vault, VAULT_TOKEN=only(bao, policy.replace(rule, ""))) == 77


def test_a_policy_reaches_into_a_namespace_below(project: Project, bao: Bao) -> None:
    bao.call("POST", "sys/namespaces/planning")
    inside = {"X-Vault-Namespace": "planning"}
    bao.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, headers=inside)
    bao.call("POST", "secret/data/app", {"data": {"x": "1"}}, headers=inside)
    project.manifest(
        f'[settings]\nX = {{}}\n[backends.vault]\naddress = "{bao.address}"\nkv_version = 2\n'
        '[environments.production]\nsources = ["vault://secret/app?namespace=planning"]\n'
    )
    policy = permission(project, "vault")
    assert 'path "planning/secret/data/app"' in policy
    assert starts(project, VAULT_TOKEN=only(bao, policy)) == 0
    assert starts(project, VAULT_TOKEN=only(bao, policy.replace("planning/", ""))) == 77


def test_a_path_that_hcl_would_read_otherwise_is_read_as_it_is(project: Project, bao: Bao) -> None:
    odd = "odd/a%22b%5Cc$%7Bd%7D"
    bao.put(odd, {"x": "1"})
    project.manifest(
        f'[settings]\nX = {{}}\n[backends.vault]\naddress = "{bao.address}"\nkv_version = 2\n'
        f"[environments.production]\nsources = ['vault://secret/{odd}']\n"
    )
    assert starts(project, VAULT_TOKEN=only(bao, permission(project, "vault"))) == 0


def test_made_credentials_are_planned_as_they_are_written(project: Project) -> None:
    project.manifest(
        '[settings]\nX = {}\n[environments.production.values]\nX = "${vault://database/creds/shop#username}"\n'
    )
    assert 'path "database/creds/shop"' in permission(project, "vault")


@pytest.mark.parametrize("auth", ["token", "approle"])
def test_a_server_is_asked_as_often_as_it_says(auth: str, vault: Project, bao: Bao) -> None:
    environ = {"VAULT_TOKEN": only(bao, permission(vault, "vault"))}
    bao.put("planned/db", {"password": "x"})
    extra = ""
    if auth == "approle":
        bao.enable("approle")
        bao.call("POST", "sys/policies/acl/planned", {"policy": permission(vault, "vault")})
        bao.call("POST", "auth/approle/role/planned", {"token_policies": "planned"})
        role = bao.call("GET", "auth/approle/role/planned/role-id")["data"]["role_id"]
        secret = bao.call("POST", "auth/approle/role/planned/secret-id", {})["data"]["secret_id"]
        environ = {"VAULT_ROLE_ID": role, "VAULT_SECRET_ID": secret}
        extra = 'auth = { method = "approle" }'
    with run_counting(bao.address) as counting:
        text = VAULT.replace("ADDRESS", counting.address).replace("EXTRA", extra).replace("team/kv/", "secret/")
        vault.manifest(text)
        plan = planned(vault)
        assert counting.asked == {}
        # as made by a role with the policy of this manifest
        bao.call("POST", "sys/policies/acl/planned", {"policy": permission(vault, "vault")})
        environ = environ if auth == "approle" else {"VAULT_TOKEN": only(bao, permission(vault, "vault"))}
        assert starts(vault, **environ) == 0
        expected = {calls["what"]: calls["number"] for calls in plan["backends"][0]["calls"]}
        assert counting.asked == expected
        assert plan["calls"] == counting.asked.total()


AWS = """
project = "planned"
[settings]
A = { secret = true }
B = { secret = true }
OLD = { secret = true }
HOST = {}
PORT = { type = "int" }
[backends.aws-sm]
region = "eu-west-1"
endpoint_url = "ADDRESS"
[backends.aws-ssm]
region = "eu-west-1"
endpoint_url = "ADDRESS"
[environments.production]
sources = ["aws-ssm:///planned/production/"]
[environments.production.values]
A = "${aws-sm://planned/a}"
B = "${aws-sm://planned/b}"
OLD = "${aws-sm://planned/a?stage=AWSPREVIOUS}"
PORT = "${aws-ssm://planned-port}"
"""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """AWS, where policies are asked about resources too."""
    with run_moto(tmp_path_factory.mktemp("strict"), strict=True) as server:
        server.put_secret("planned/a", "first")
        server.put_secret("planned/a", "second")
        server.put_secret("planned/b", "b")
        server.put_secret("planned/c", "nobody's")
        server.put_parameter("/planned/production/host", "h")
        server.put_parameter("planned-port", "80")
        yield server


@pytest.fixture
def amazon(project: Project, strict: Aws) -> Iterator[Project]:
    """A project whose settings are there."""
    project.environ |= {**ENVIRON, "HOME": str(project.folder)}
    project.manifest(AWS.replace("ADDRESS", strict.address))
    yield project
    strict.guard(10**9)


def statements(project: Project) -> list[dict[str, Any]]:
    """Return the statements for both services."""
    policies = [json.loads(permission(project, name)) for name in ("aws-sm", "aws-ssm")]
    return [statement for policy in policies for statement in policy["Statement"]]


def as_user(aws: Aws, allowed: list[dict[str, Any]]) -> dict[str, str]:
    """Return the variables that make a process a user who is allowed this, and guard the server."""
    aws.guard(10**9)
    found = aws.user(f"planned-{uuid4().hex[:8]}", *allowed)
    aws.guard()
    return found


def test_a_user_with_exactly_the_policy_starts_and_with_any_resource_less_does_not(
    amazon: Project, strict: Aws
) -> None:
    allowed = statements(amazon)
    assert starts(amazon, **as_user(strict, allowed)) == 0
    reading = [one for one in allowed if one["Sid"].startswith("Read") and one["Sid"] != "ReadSecretsTogether"]
    # A tree has two lines, for the two ways of writing its path; a server looks at one of them.
    needed = [(one, arn) for one in reading for arn in one["Resource"] if not arn.endswith("/*")]
    assert len(needed) == 4
    for statement, arn in needed:
        less = [
            {**statement, "Resource": [other for other in statement["Resource"] if other != arn] or [f"{arn}-other"]}
        ]
        others = [one for one in allowed if one is not statement]
        assert starts(amazon, **as_user(strict, [*others, *less])) == 77, arn


def test_the_policy_reads_nothing_else(amazon: Project, strict: Aws) -> None:
    allowed = statements(amazon)
    amazon.manifest(AWS.replace("ADDRESS", strict.address).replace("planned/b", "planned/c"))
    assert starts(amazon, **as_user(strict, allowed)) == 77


def test_secrets_can_be_read_one_by_one_where_groups_are_not_allowed(amazon: Project, strict: Aws) -> None:
    allowed = [one for one in statements(amazon) if one["Sid"] != "ReadSecretsTogether"]
    assert starts(amazon, **as_user(strict, allowed)) == 0


def test_keys_are_used_for_nothing_else(amazon: Project) -> None:
    secrets, parameters = (one for one in statements(amazon) if one["Sid"].startswith("Decrypt"))
    assert secrets["Resource"] == [f"arn:aws:kms:{REGION}:*:key/*"]
    condition = secrets["Condition"]["StringLike"]
    assert condition["kms:ViaService"] == [f"secretsmanager.{REGION}.amazonaws.com"]
    prefix = f"arn:aws:secretsmanager:{REGION}:*:secret:planned"
    assert condition["kms:EncryptionContext:SecretARN"] == [f"{prefix}/a-??????", f"{prefix}/b-??????"]
    names = parameters["Condition"]["StringLike"]["kms:EncryptionContext:PARAMETER_ARN"]
    assert names == [f"arn:aws:ssm:{REGION}:*:parameter/{name}" for name in ("planned-port", "planned/production/*")]


def test_a_policy_that_iam_would_not_take_is_told_of(project: Project) -> None:
    names = [f"A{number}" for number in range(60)]
    values = "".join(f'{name} = "${{aws-sm://planned/{name}}}"\n' for name in names)
    project.manifest(
        "[settings]\n" + "".join(f"{name} = {{}}\n" for name in names) + f"[environments.production.values]\n{values}"
    )
    assert any("longer than IAM takes" in note for note in planned(project)["backends"][0]["notes"])


def test_who_takes_a_role_needs_only_that(amazon: Project, strict: Aws) -> None:
    strict.guard(10**9)
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
    name = f"reader-{uuid4().hex[:8]}"
    role = strict.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    text = AWS.replace("ADDRESS", strict.address).replace("[backends", "[backends", 1)
    amazon.manifest(text.replace('region = "eu-west-1"', f'region = "eu-west-1"\nrole_arn = "{role}"'))
    plan = planned(amazon)
    titles = [one["title"] for one in plan["backends"][0]["permissions"]]
    assert titles == [f"IAM policy of the role {name}", "IAM policy of who takes the role"]
    assert ":123456789012:secret:planned/a-??????" in permission(amazon, "aws-sm")
    reading = json.dumps({"Version": "2012-10-17", "Statement": statements(amazon)})
    strict.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=reading)
    taking = json.loads(plan["backends"][0]["permissions"][1]["text"])["Statement"]
    assert starts(amazon, **as_user(strict, taking)) == 0


def test_amazon_is_asked_as_often_as_it_says(amazon: Project, strict: Aws) -> None:
    with run_counting(strict.address) as counting:
        amazon.manifest(AWS.replace("ADDRESS", counting.address))
        plan = planned(amazon)
        assert counting.asked == {}
        assert starts(amazon) == 0
        assert counting.asked.total() == plan["calls"] == 4


def test_google_is_asked_as_often_as_it_says(project: Project, gcp: Gcp) -> None:
    for name in ("planned-a", "planned-b"):
        gcp.put(name, b"x")
    with run_counting(gcp.address) as counting:
        project.manifest(
            "[settings]\nA = {}\nB = {}\n[environments.production.values]\n"
            f'A = "${{gcp-sm:///planned-a}}"\nB = "${{gcp-sm:///planned-b?version=1}}"\n'
            f'[backends.gcp-sm]\nendpoint = "{counting.address}"\nproject = "{PROJECT}"\n'
            'auth = { method = "anonymous" }\n'
        )
        plan = planned(project)
        assert counting.asked == {}
        assert starts(project) == 0
        assert counting.asked.total() == plan["calls"] == 2


def test_what_google_is_to_be_told_can_be_pasted_whatever_the_manifest_says(project: Project) -> None:
    project.manifest(
        "[settings]\nA = {}\n[environments.production]\n"
        'sources = ["gcp-sm:///?prefix=x%27;touch%20started;%22$(touch%20started)"]\n'
        '[backends.gcp-sm]\nproject = "p;touch started"\n'
        'auth = { method = "impersonate", service_account = "$(touch started)", quota_project = "`touch started`" }\n'
    )
    script = permission(project, "gcp-sm")
    done = project.shell('gcloud() { printf "%s\\n" "$@" "--"; }\n' + script)
    assert (done.status, project.started()) == (0, False)
    assert "--project=p;touch started\n" in done.out
    assert "--member=serviceAccount:$(touch started)\n" in done.out
    assert 'startsWith("x\';touch started;\\"$(touch started)")\n' in done.out


WATCHED = """
import sys
def hook(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        print("asked:", event, flush=True)
sys.addaudithook(hook)
from confsvc.cli import run
sys.exit(run(sys.argv[1:]))
"""


def watched(project: Project, *argv: str) -> str:
    """Run the command in a Python that tells of every socket. Returns what it printed."""
    (project.folder / "watched.py").write_text(WATCHED)
    return project.shell(f"{sys.executable} watched.py {' '.join(argv)}").out


def test_no_call_is_made(vault: Project, strict: Aws, bao: Bao, canary: str) -> None:
    vault.environ |= ENVIRON
    both = AWS.replace("ADDRESS", strict.address) + f'[backends.vault]\naddress = "{bao.address}"\n'
    vault.manifest(both.replace('A = "${aws-sm://planned/a}"', 'A = "${vault://secret/planned/old#password}"'))
    out = watched(vault, "plan", "-e", "production")
    assert "Vault policy" in out
    assert "asked:" not in out
    assert find_leaks(canary, out) == []
    vault.environ["VAULT_TOKEN"] = "root-of-the-tests"
    assert "asked: socket.connect" in watched(vault, "exec", "-e", "production", "--", "true")
