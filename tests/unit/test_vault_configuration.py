"""Where the vault adapter's configuration comes from: the manifest, then one tool's variables, then the other's."""

from typing import Any

import pytest

from confsvc.adapter import Backend
from confsvc.errors import ManifestError
from confsvc.http import Origin
from confsvc_vault.configuration import Configuration, read_configuration

ADDRESS = {"VAULT_ADDR": "https://vault.example.com"}
VARIABLES = {
    "ADDR": "https://one.example.com:8200",
    "NAMESPACE": "team-a/",
    "CACERT": "/ca.pem",
    "CLIENT_CERT": "/client.pem",
    "CLIENT_KEY": "/client.key",
    "TLS_SERVER_NAME": "vault.internal",
    "SKIP_VERIFY": "1",
    "CLIENT_TIMEOUT": "1m30s",
}


def read(environ: dict[str, str], *, name: str = "vault", adapter: str = "vault", **options: Any) -> Configuration:
    return read_configuration(Backend(name, adapter, options, "/project", environ))


@pytest.mark.parametrize("tool", ["VAULT", "BAO"])
@pytest.mark.parametrize("adapter", ["vault", "bao"])
def test_the_variables_of_either_tool_fill_what_is_open(tool: str, adapter: str) -> None:
    found = read({f"{tool}_{name}": text for name, text in VARIABLES.items()}, adapter=adapter)
    assert found.origin == Origin("https", "one.example.com", 8200)
    assert (found.namespace, found.timeout, found.via_agent) == ("team-a", 90.0, False)
    assert found.tls == ("/ca.pem", "", "/client.pem", "/client.key", "vault.internal", False)


@pytest.mark.parametrize(
    ("name", "adapter", "host"),
    [("vault", "vault", "vault"), ("bao", "bao", "bao"), ("bao", "vault", "bao"), ("x", "bao", "bao")],
)
def test_a_tools_own_variables_come_first(name: str, adapter: str, host: str) -> None:
    environ = {"VAULT_ADDR": "https://vault", "BAO_ADDR": "https://bao"}
    assert read(environ, name=name, adapter=adapter).origin.host == host


def test_an_empty_variable_is_none() -> None:
    assert read({"VAULT_ADDR": "", "BAO_ADDR": "https://bao"}).origin.host == "bao"


def test_an_agent_is_asked_before_the_server_and_after_the_manifest() -> None:
    environ = {**ADDRESS, "VAULT_AGENT_ADDR": "http://127.0.0.1:8100"}
    assert read(environ).via_agent
    assert read(environ).origin.port == 8100
    assert not read(environ, address="https://x").via_agent


def test_the_manifest_wins() -> None:
    environ = {f"VAULT_{name}": text for name, text in VARIABLES.items()}
    found = read(
        environ,
        address="https://two.example.com",
        namespace="team-b",
        ca_path="authorities",
        cert_file="/other.pem",
        key_file="other.key",
        tls_server_name="other",
        tls_skip_verify=False,
        request_timeout=5,
        connections=4,
        kv_version=2,
        kv_mount="/team/kv/",
        redirect_origins=["https://three.example.com"],
    )
    assert found.origin.host == "two.example.com"
    assert found.tls == ("", "/project/authorities", "/other.pem", "/project/other.key", "other", True)
    assert (found.namespace, found.timeout, found.connections) == ("team-b", 5.0, 4)
    assert (found.kv_version, found.kv_mount) == (2, "team/kv")
    assert found.redirect_origins == (Origin("https", "three.example.com", 443),)


def test_a_folder_of_authorities_is_second_to_a_file() -> None:
    environ = {**ADDRESS, "VAULT_CAPATH": "/folder"}
    assert read(environ).tls.ca_path == "/folder"
    assert read({**environ, "VAULT_CACERT": "/file"}).tls[:2] == ("/file", "")


def test_a_text_may_be_in_a_variable_of_another_name() -> None:
    assert read({"SHOP": "https://shop"}, address={"env": "SHOP"}).origin.host == "shop"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", 0.0), ("60", 60.0), ("60s", 60.0), ("1.5m", 90.0), ("1h1m1s", 3661.0), ("250ms", 0.25)],
)
def test_a_timeout_is_seconds_or_a_duration(text: str, seconds: float) -> None:
    assert read({**ADDRESS, "VAULT_CLIENT_TIMEOUT": text}).timeout == seconds


@pytest.mark.parametrize(
    ("environ", "options"),
    [
        ({}, {}),
        ({"VAULT_ADDR": "vault.example.com"}, {}),
        ({"VAULT_ADDR": "unix:///run/agent.sock"}, {}),
        ({"VAULT_ADDR": "http://vault.example.com"}, {}),
        ({**ADDRESS, "VAULT_SKIP_VERIFY": "perhaps"}, {}),
        ({**ADDRESS, "VAULT_CLIENT_TIMEOUT": "5 minutes"}, {}),
        (ADDRESS, {"kv_version": 3}),
        (ADDRESS, {"namespace": {"env": "NOT_SET"}}),
        (ADDRESS, {"namespace": {"file": "/nonexistent"}}),
        (ADDRESS, {"namespace": {}}),
        (ADDRESS, {"redirect_origins": ["http://standby.example.com"]}),
    ],
)
def test_what_cannot_be_used_is_the_manifests_fault(environ: dict[str, str], options: dict[str, Any]) -> None:
    with pytest.raises(ManifestError):
        read(environ, **options)


def test_plain_http_is_allowed_where_it_is_written() -> None:
    assert read({"VAULT_ADDR": "http://vault.example.com"}, insecure=True).origin.scheme == "http"
