"""`confsvc k8s external-secret`: manifests that the operator's API takes, and refusals by name."""

from typing import Any

import pytest
import yaml

from operator_schemas import check
from running import Done, Project

BACKENDS = """
[backends.vault]
address = "https://vault.example.com"
auth = { method = "kubernetes", role = "shop" }
[backends.aws-sm]
region = "eu-west-1"
role_arn = "arn:aws:iam::1:role/r"
external_id = "x"
[backends.gcp-sm]
project = "acme"
"""
MANIFEST = f"""
project = "shop"
[settings]
DSN = {{ secret = true }}
TOKEN = {{ secret = true }}
PORT = {{ type = "int", default = 8080 }}
CERT = {{ type = "bytes", secret = true }}
FOUND = {{ required = false }}
{BACKENDS}
[environments.staging]
sources = ["vault://secret/{{project}}/{{environment}}"]
[environments.staging.values]
DSN = "postgres://u:${{vault://secret/shop/db#password|urlencode}}@db"
TOKEN = "${{aws-sm://shop#token}}"
CERT = "${{gcp-sm://other/cert?version=3&location=europe-west1}}"
"""
ACCOUNT = ("--service-account", "shop")


def run(project: Project, text: str, *argv: str, **env: str) -> Done:
    project.manifest(text)
    return project.run("k8s", "external-secret", *argv, env=env)


def documents(done: Done) -> list[dict[str, Any]]:
    """Return what was printed, which the operator's API takes."""
    assert done.status == 0, done.err
    found = list(yaml.safe_load_all(done.out))
    for document in found:
        check(document)
    return found


def one_setting(backend: str, reference: str, declared: str = "{ secret = true }", wrapped: str = "${%s}") -> str:
    """Return a manifest with one setting, made of one reference."""
    value = wrapped.replace("%s", reference)
    return f"[settings]\nA = {declared}\n{backend}\n[environments.e.values]\nA = '''{value}'''\n"


def data_of(done: Done) -> list[dict[str, Any]]:
    """Return the `data` of the ExternalSecret."""
    found: list[dict[str, Any]] = documents(done)[-1]["spec"]["data"]
    return found


def test_there_is_a_store_for_each_place_and_one_secret(project: Project) -> None:
    found = documents(run(project, MANIFEST, *ACCOUNT))
    names = [(one["kind"], one["metadata"]["name"]) for one in found]
    assert names == [
        ("SecretStore", "shop-staging-vault-secret"),
        ("SecretStore", "shop-staging-aws-sm"),
        ("SecretStore", "shop-staging-gcp-sm-other-europe-west1"),
        ("ExternalSecret", "shop-staging"),
    ]
    assert list(found[-1]["spec"]["target"]["template"]["data"]) == ["DSN", "TOKEN", "PORT", "CERT"]
    assert found[2]["spec"]["provider"]["gcpsm"]["location"] == "europe-west1"
    assert found[-1]["spec"]["data"][2]["remoteRef"] == {"key": "cert", "version": "3", "decodingStrategy": "Auto"}


def test_the_same_manifest_gives_the_same_bytes_wherever_it_is_run(project: Project) -> None:
    first = run(project, MANIFEST, *ACCOUNT)
    elsewhere = {"VAULT_ADDR": "http://127.0.0.1:1", "AWS_REGION": "us-east-1", "TOKEN": "of this machine"}
    assert run(project, MANIFEST, *ACCOUNT, PYTHONHASHSEED="7", **elsewhere).raw == first.raw


def test_options_say_what_the_manifest_does_not(project: Project) -> None:
    argv = ("--name", "web", "--namespace", "apps", "--refresh-interval", "90s", "--store-kind", "ClusterSecretStore")
    found = documents(run(project, MANIFEST, *ACCOUNT, *argv))
    assert [one["metadata"].get("namespace") for one in found] == [None, None, None, "apps"]
    kubernetes = found[0]["spec"]["provider"]["vault"]["auth"]["kubernetes"]
    assert kubernetes["serviceAccountRef"] == {"name": "shop", "namespace": "apps"}
    spec = found[-1]["spec"]
    assert (spec["refreshInterval"], spec["target"]["name"]) == ("90s", "web")
    assert {entry["sourceRef"]["storeRef"]["kind"] for entry in spec["data"]} == {"ClusterSecretStore"}


def test_only_what_is_wanted_is_fetched(project: Project) -> None:
    found = documents(run(project, MANIFEST, "--only", "TOKEN"))
    assert [one["kind"] for one in found] == ["SecretStore", "ExternalSecret"]
    assert "dataFrom" not in found[-1]["spec"]
    assert "sourceRef" not in found[-1]["spec"]["data"][0]


def test_without_a_schema_every_field_is_taken(project: Project) -> None:
    text = f"{BACKENDS}[environments.e]\nsources = ['aws-sm://app']\n[environments.e.values]\nMORE = 'x{{'\n"
    template = documents(run(project, text))[-1]["spec"]["target"]["template"]
    assert template["data"] == {"MORE": '{{ "x{" }}'}
    assert "LD_" in template["templateFrom"][0]["literal"]


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ("", {"tokenSecretRef": {"name": "e-vault-auth", "key": "token"}}),
        (
            '{ method = "approle", mount = "ci/approle", role_id = "r" }',
            {
                "appRole": {
                    "path": "ci/approle",
                    "roleId": "r",
                    "secretRef": {"name": "e-vault-auth", "key": "secret_id"},
                }
            },
        ),
        (
            '{ method = "approle", role_id = { env = "R" } }',
            {
                "appRole": {
                    "path": "approle",
                    "roleRef": {"name": "e-vault-auth", "key": "role_id"},
                    "secretRef": {"name": "e-vault-auth", "key": "secret_id"},
                }
            },
        ),
        (
            '{ method = "kubernetes", role = "r" }',
            {"kubernetes": {"mountPath": "kubernetes", "role": "r", "serviceAccountRef": {"name": "shop"}}},
        ),
        (
            '{ method = "jwt", role = "r", jwt = { file = "t" } }',
            {
                "jwt": {
                    "path": "jwt",
                    "role": "r",
                    "kubernetesServiceAccountToken": {"serviceAccountRef": {"name": "shop"}},
                }
            },
        ),
        (
            '{ method = "userpass", username = "u", password = { env = "P" } }',
            {
                "userPass": {
                    "path": "userpass",
                    "username": "u",
                    "secretRef": {"name": "e-vault-auth", "key": "password"},
                }
            },
        ),
    ],
)
def test_each_way_to_log_in_to_vault(project: Project, auth: str, expected: dict[str, Any]) -> None:
    backend = f"[backends.vault]\naddress = 'https://v'\n{f'auth = {auth}' if auth else ''}"
    found = documents(run(project, one_setting(backend, "vault://secret/a#b"), *ACCOUNT))
    assert found[0]["spec"]["provider"]["vault"]["auth"] == expected


def test_what_people_have_to_make_is_told(project: Project) -> None:
    backend = "[backends.vault]\naddress='https://v'\nca_file='ca.pem'\ncert_file='c'\nkey_file='k'"
    done = run(project, one_setting(backend, "vault://secret/a#b"))
    assert documents(done)[0]["spec"]["provider"]["vault"]["caProvider"]["name"] == "e-vault-ca"
    for helper in (
        "the ConfigMap `e-vault-ca` with the key `ca.crt`",
        "the Secret `e-vault-auth` with the key `tls.crt`",
        "the Secret `e-vault-auth` with the key `tls.key`",
        "the Secret `e-vault-auth` with the key `token`",
    ):
        assert helper in done.err


VAULT = "[backends.vault]\naddress='https://v'\nnamespace='home'\nkv_version={}"


@pytest.mark.parametrize(
    ("backend", "reference", "expected"),
    [
        (VAULT.format(2), "vault://secret/data/a/b?version=4#c", {"key": "a/b", "property": "c", "version": "4"}),
        (VAULT.format(1), "vault://kv/data/b#c.d", {"key": "data/b", "property": "c.d"}),
        (VAULT.format(2), "vault://kv/kv/b#/c/0/d", {"key": "kv/kv/b", "property": "c.0.d"}),
        (BACKENDS, "aws-sm://a?stage=AWSPREVIOUS", {"key": "a", "version": "AWSPREVIOUS"}),
        (BACKENDS, "aws-sm://a?version=12-34#b", {"key": "a", "property": "b", "version": "uuid/12-34"}),
        ("[backends.aws-ssm]\nregion='eu-west-1'", "aws-ssm:///a/b?label=l", {"key": "/a/b", "version": "l"}),
        (BACKENDS, "gcp-sm:///a?version=latest#b", {"key": "a", "property": "b"}),
    ],
)
def test_a_reference_is_written_as_the_operator_has_it(
    project: Project, backend: str, reference: str, expected: dict[str, str]
) -> None:
    (entry,) = data_of(run(project, one_setting(backend, reference)))
    assert entry == {"secretKey": "A", "remoteRef": expected}


def test_another_namespace_is_another_store(project: Project) -> None:
    text = "[settings]\nA = {}\nB = {}\n" + VAULT.format(2)
    text += "\n[environments.e.values]\nA = '${vault://s/a#b}'\nB = '${vault://s/a?namespace=team#b}'\n"
    here, there, _ = documents(run(project, text))
    assert here["spec"]["provider"]["vault"]["namespace"] == "home"
    assert "namespace" not in here["spec"]["provider"]["vault"]["auth"]
    assert there["metadata"]["name"] == "e-vault-team-s"
    assert there["spec"]["provider"]["vault"]["namespace"] == "team"
    assert there["spec"]["provider"]["vault"]["auth"]["namespace"] == "home"


def test_an_arn_decides_the_region(project: Project) -> None:
    arn = "arn:aws:secretsmanager:us-east-2:123456789012:secret:a"
    store, _ = documents(run(project, one_setting("", f"aws-sm://{arn}")))
    assert store["metadata"]["name"] == "e-aws-sm-us-east-2"
    assert store["spec"]["provider"]["aws"] == {"service": "SecretsManager", "region": "us-east-2"}


SOURCES = "[settings]\nA = {{ required = false }}\nB = {{}}\n{backend}\n[environments.e]\nsources = ['{source}']\n"


@pytest.mark.parametrize(
    ("backend", "source", "expected"),
    [
        (BACKENDS, "gcp-sm:///?prefix=shop-", {"find": {"name": {"regexp": r"^shop\-"}}}),
        (BACKENDS, "gcp-sm:///app", {"extract": {"key": "app"}}),
        (BACKENDS, "aws-sm://app#/inner", {"extract": {"key": "app", "property": "inner"}}),
        (
            "[backends.aws-ssm]\nregion='eu-west-1'",
            "aws-ssm:///a.b/?recursive=true",
            {"find": {"path": "/a.b", "name": {"regexp": r"^/a\.b/.+$"}}},
        ),
    ],
)
def test_a_source_is_written_as_the_operator_has_it(
    project: Project, backend: str, source: str, expected: dict[str, Any]
) -> None:
    spec = documents(run(project, SOURCES.format(backend=backend, source=source)))[-1]["spec"]
    (entry,) = spec["dataFrom"]
    assert entry.pop("rewrite")
    assert entry == expected
    assert spec["target"]["template"]["data"] == {"B": "{{ .B }}"}
    assert '"A"' in spec["target"]["template"]["templateFrom"][0]["literal"]


@pytest.mark.parametrize(
    ("auth", "argv", "expected"),
    [
        ("", (), None),
        ("", ACCOUNT, {"workloadIdentity": {"serviceAccountRef": {"name": "shop"}}}),
        (
            "auth = { method = 'service-account', file = 'key.json' }",
            (),
            {"secretRef": {"secretAccessKeySecretRef": {"name": "e-gcp-sm-auth", "key": "secret-access-credentials"}}},
        ),
    ],
)
def test_each_way_to_log_in_to_gcp(
    project: Project, auth: str, argv: tuple[str, ...], expected: dict[str, Any] | None
) -> None:
    backend = f"[backends.gcp-sm]\nlocation = 'europe-west1'\n{auth}"
    found = documents(run(project, one_setting(backend, "gcp-sm://acme/a"), *argv))
    provider = found[0]["spec"]["provider"]["gcpsm"]
    assert (provider["projectID"], provider["location"], provider.get("auth")) == ("acme", "europe-west1", expected)


@pytest.mark.parametrize(
    ("backend", "reference", "declared", "reason"),
    [
        ("", "dotenv://.env#A", "{}", "reads this machine"),
        ("", "env://A", "{}", "reads this machine"),
        ("", "file:///a", "{}", "reads this machine"),
        ("", "dir:///a/#b", "{}", "reads this machine"),
        ("", "vault://secret/a#b", "{}", "does not say the `address`"),
        ("[backends.vault]\naddress={env='V'}", "vault://secret/a#b", "{}", "a variable or a file of this machine"),
        (VAULT.format(2), "vault://secret/a", "{}", "names a whole secret"),
        (VAULT.format(1), "vault://secret/a?version=2#b", "{}", "KV version 1 has no versions"),
        (VAULT.format(2), "vault://secret/a#b|c", "{}", "means something else"),
        (VAULT.format(2), "vault://secret/a#b*", "{}", "means something else"),
        (VAULT.format(2), "vault://secret/a#/b.c", "{}", "means something else"),
        (VAULT.format(2), "vault://secret/a#/01", "{}", "means something else"),
        (VAULT.format(2) + "\ntls_skip_verify=true", "vault://secret/a#b", "{}", "always checks certificates"),
        ("[backends.vault]\naddress='https://v'", "vault://database/creds/app#b", "{}", "not in a KV engine"),
        ("[backends.vault]\naddress='https://v'", "vault://s/a?namespace=t#b", "{}", "cannot log in outside"),
        ("[backends.vault]\naddress='https://v'\nauth={method='cert'}", "vault://s/a#b", "{}", "auth method `cert`"),
        (BACKENDS, "aws-sm://a?stage=s&version=v", "{}", "a stage or a version, not both"),
        ("", "aws-sm://a", "{}", "does not say the `region`"),
        ("[backends.aws-sm]\nregion='eu-west-1'\nprofile='p'", "aws-sm://a", "{}", "profiles are of this machine"),
        ("[backends.aws-ssm]\nregion='eu-west-1'", "aws-ssm:///a/", "{}", "names many secrets"),
        ("", "gcp-sm:///a", "{}", "does not say the `project`"),
        (BACKENDS, "gcp-sm:///?filter=x", "{}", "takes no `filter`"),
        ("[backends.gcp-sm]\nauth={quota_project='q'}", "gcp-sm://p/a", "{}", "`quota_project`"),
        ("[backends.gcp-sm]\nauth={method='anonymous'}", "gcp-sm://p/a", "{}", "auth method `anonymous`"),
    ],
)
def test_what_the_operator_cannot_read_is_refused_by_name(
    project: Project, backend: str, reference: str, declared: str, reason: str
) -> None:
    reference = reference.replace("|", "%7C")
    done = run(project, one_setting(backend, reference, declared), *ACCOUNT)
    assert (done.status, done.out) == (78, "")
    assert done.err.startswith("error: 1 setting or source of e cannot be written")
    assert "\n  A  " in done.err
    assert reason in done.err


def test_everything_that_is_wrong_is_told_at_once(project: Project) -> None:
    text = """
        [settings]
        A = {}
        B = { type = "bytes" }
        C = {}
        D = { type = "bytes" }
        E = { type = "int" }
        F = {}
        [backends.aws-sm]
        region = "eu-west-1"
        [environments.e]
        sources = ["dotenv://.env", { from = "aws-sm://a", optional = true }]
        [environments.e.values]
        A = "${dotenv://.env#A}"
        C = "x${D}"
        D = "${aws-sm://a#d|trim}"
        E = "many"
    """
    done = run(project, text)
    assert done.status == 78
    assert done.err.startswith("error: 7 settings or sources of e cannot be written")
    starts = [line.split("  ")[1] for line in done.err.splitlines() if line.startswith("  ")]
    assert sorted(starts) == ["A", "B", "C", "D", "E", "confsvc.toml:12", "confsvc.toml:12"]
    done = project.run("k8s", "external-secret", "--json", "--only", "E")
    assert done.status == 65
    assert '"exit_status": 65' in done.err


def test_extra_fields_are_for_all_sources_or_none(project: Project) -> None:
    text = "[settings]\nA = {}\n[backends.aws-sm]\nregion='eu-west-1'\n[environments.e]\n"
    sources = "sources = ['aws-sm://a', { from = 'aws-sm://b', extra = 'inject' }]"
    done = run(project, text + sources)
    assert done.status == 78
    assert "`extra` has to be the same for all of them" in done.err
    done = run(project, text + sources.replace("'aws-sm://a'", "{ from = 'aws-sm://a', extra = 'inject' }"))
    assert "templateFrom" in documents(done)[-1]["spec"]["target"]["template"]


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ((), "needs a service account"),
        ((*ACCOUNT, "--store-kind", "ClusterSecretStore"), "say where its service account is"),
        ((*ACCOUNT, "--refresh-interval", "1 hour"), "takes a duration"),
        ((*ACCOUNT, "--namespace", "No"), "lower-case letters"),
        ((*ACCOUNT, "--only", "TOKNE"), "did you mean `TOKEN`"),
        ((*ACCOUNT, "--store-kind", "Store"), "invalid choice"),
    ],
)
def test_a_bad_command_line(project: Project, argv: tuple[str, ...], reason: str) -> None:
    done = run(project, MANIFEST, *argv)
    assert (done.status, done.out) == (64, "")
    assert reason in done.err


def test_a_name_that_no_object_can_have(project: Project) -> None:
    assert run(project, MANIFEST, *ACCOUNT, "--name", "No_name").status == 73


def test_a_cluster_wide_store_says_where_its_secrets_are(project: Project) -> None:
    text = one_setting("[backends.vault]\naddress='https://v'", "vault://s/a#b")
    done = run(project, text, "--store-kind", "ClusterSecretStore")
    assert (done.status, done.out) == (64, "")
    store, _ = documents(run(project, text, "--store-kind", "ClusterSecretStore", "--namespace", "ops"))
    token = store["spec"]["provider"]["vault"]["auth"]["tokenSecretRef"]
    assert token == {"name": "e-vault-auth", "key": "token", "namespace": "ops"}


def test_nothing_to_fetch_is_nothing_for_an_operator(project: Project) -> None:
    done = run(project, "[settings]\nA = { default = 'x' }\n[environments.e]\n")
    assert (done.status, done.out) == (78, "")
    assert "k8s-configmap" in done.err


def test_a_schema_in_code(project: Project) -> None:
    project.write({"shop.py": "from dataclasses import dataclass\n@dataclass\nclass S:\n    a: str\n    b: int = 3\n"})
    text = "schema = 'shop:S'\n[backends.aws-sm]\nregion = 'eu-west-1'\n[environments.e.values]\nA = '${aws-sm://a}'\n"
    found = documents(run(project, text))
    assert found[-1]["spec"]["target"]["template"]["data"] == {"A": "{{ .A }}", "B": "3"}
