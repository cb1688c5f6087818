"""A real server that is not ready, or that says no: what the adapter makes of it."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority
from confsvc.adapter import Document
from confsvc.errors import Denied, ManifestError, Throttled, Unavailable
from openbao import Bao, run_bao
from vaulting import backend_for, fetch, fetch_one, value_of

SECRET = "vault://secret/states/db#v"


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A server that was never initialised."""
    with run_bao(tmp_path_factory.mktemp("sealed"), sealed=True) as server:
        yield server


def test_a_server_that_is_not_initialised_or_sealed_says_what_to_do(sealed: Bao) -> None:
    backend = backend_for(sealed.address)
    outcome = fetch_one(backend, SECRET)
    assert isinstance(outcome, Unavailable)
    assert (outcome.hint, outcome.exit_status) == ("bao operator init", 69)
    sealed.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
    outcome = fetch_one(backend, SECRET)
    assert isinstance(outcome, Unavailable)
    assert "is sealed" in outcome.message
    assert outcome.hint == "bao operator unseal"


@pytest.mark.parametrize(
    ("rule", "reference", "place"),
    [
        ("secret/data/other read", "vault://secret/states/db", "secret/data/states/db"),
        ("secret/data/states/db list", "vault://secret/states/db", "secret/data/states/db"),
        ("secret/data/other read", "vault://kv1/states/db", "states/db"),
        ("kv1/other read", "vault://kv1/states/db", "kv1/states/db"),
    ],
)
def test_a_denial_names_the_path_and_the_line_that_is_missing(bao: Bao, rule: str, reference: str, place: str) -> None:
    token = bao.token(bao.policy("states", rule))
    outcome = fetch_one(backend_for(bao.address, {"VAULT_TOKEN": token}), reference)
    assert isinstance(outcome, Denied)
    assert place in outcome.message
    assert outcome.hint.endswith(f'{place}" {{ capabilities = ["read"] }}')


def test_one_that_is_denied_does_not_keep_the_others(bao: Bao) -> None:
    bao.put("states/db", {"v": "x"})
    token = bao.token(bao.policy("states", "secret/data/states/db read"))
    outcomes = fetch(backend_for(bao.address, {"VAULT_TOKEN": token}), SECRET, "vault://secret/other", "vault://kv1/x")
    assert [type(outcome) for outcome in outcomes] == [Document, Denied, Denied]


def test_a_quota_that_is_used_up_is_said(bao: Bao) -> None:
    bao.mount("slow", "kv", options={"version": "1"})
    bao.call("POST", "slow/a", {"v": "x"})
    bao.call("POST", "sys/quotas/rate-limit/slow", {"path": "slow", "rate": 1, "interval": "10m"})
    try:
        outcomes = [fetch_one(backend_for(bao.address, kv_version=1), "vault://slow/a") for _ in range(2)]
    finally:
        bao.call("DELETE", "sys/quotas/rate-limit/slow")
    assert [type(outcome) for outcome in outcomes] == [Document, Throttled]


# TLS.


def test_a_server_with_a_certificate_that_is_trusted_is_read(bao: Bao) -> None:
    bao.put("states/db", {"v": "x"})
    environ = {"VAULT_TOKEN": "root-of-the-tests", "VAULT_ADDR": bao.tls_address}
    assert value_of(backend_for(bao.tls_address, ca_file=str(bao.authority.file)), SECRET) == "x"
    assert value_of(backend_for("", {**environ, "VAULT_CACERT": str(bao.authority.file)}), SECRET) == "x"
    assert value_of(backend_for("", {**environ, "VAULT_SKIP_VERIFY": "true"}), SECRET) == "x"
    named = bao.tls_address.replace("127.0.0.1", "localhost")
    assert value_of(backend_for(named, ca_file=str(bao.authority.file), tls_server_name="127.0.0.1"), SECRET) == "x"


@pytest.mark.parametrize("login", [False, True])
def test_a_certificate_that_proves_nothing_is_not_believed(bao: Bao, tmp_path: Path, *, login: bool) -> None:
    other = Authority(tmp_path, "another authority")
    auth: dict[str, Any] = {"auth": {"method": "userpass", "username": "x", "password": {"env": "P"}}} if login else {}
    environ = {"P": "x", "VAULT_TOKEN": "x"}
    for options, words in (
        ({"ca_file": str(other.file)}, "is not trusted"),
        ({}, "is not trusted"),
        ({"ca_file": str(bao.authority.file), "tls_server_name": "vault.example.com"}, "is not for"),
    ):
        outcome = fetch_one(backend_for(bao.tls_address, environ, **options, **auth), SECRET)
        assert isinstance(outcome, Unavailable)
        assert words in outcome.message


def test_an_expired_certificate_says_what_the_clock_says(tmp_path: Path) -> None:
    with run_bao(tmp_path, life=-dt.timedelta(days=1)) as server:
        outcome = fetch_one(backend_for(server.tls_address, ca_file=str(server.authority.file)), SECRET)
    assert isinstance(outcome, Unavailable)
    assert "expired" in outcome.message
    assert "clock" in outcome.hint


def test_a_name_that_nobody_knows_is_unavailable() -> None:
    outcome = fetch_one(backend_for("https://vault.invalid"), SECRET, seconds=5)
    assert outcome.exit_status in {69, 75}  # type: ignore[union-attr]


def test_plain_http_to_another_machine_needs_a_word(bao: Bao) -> None:
    assert isinstance(fetch_one(backend_for("http://192.0.2.1:8200"), SECRET), ManifestError)
    assert isinstance(fetch_one(backend_for(bao.address, insecure=True), "vault://secret/states/db"), Document)
