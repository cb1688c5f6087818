"""Every way to log in that OpenBao has, for real, and what is left behind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cluster import Cluster, run_cluster, signed
from confsvc.adapter import Backend, Deadline, Document
from confsvc.errors import Denied, ManifestError, Unauthenticated
from confsvc.reference import parse_reference
from confsvc_vault.adapter import VaultAdapter
from openbao import ROOT, Bao
from vaulting import backend_for, fetch, fetch_one, value_of

SECRET = "vault://secret/auth/db#password"
OTHER = "vault://secret/elsewhere"


@pytest.fixture(autouse=True)
def policy(bao: Bao) -> str:
    """A policy that allows one secret, which is there."""
    bao.put("auth/db", {"password": "hunter2"})
    return bao.policy("auth", "secret/data/auth/* read")


def leaves_nothing(bao: Bao, backend: Backend) -> None:
    """See that `backend` reads the secret, may read no other, and leaves no token behind."""
    before = bao.accessors()  # of other tests too, which end when they like
    assert value_of(backend, SECRET) == "hunter2"
    assert isinstance(fetch_one(backend, OTHER), Denied)
    assert not bao.accessors() - before


# Tokens that are given.


@pytest.mark.parametrize("name", ["VAULT_TOKEN", "BAO_TOKEN"])
def test_a_token_in_a_variable_is_used_and_stays(bao: Bao, name: str) -> None:
    token = bao.token("auth")
    before = bao.accessors()
    assert value_of(backend_for(bao.address, {name: token}), SECRET) == "hunter2"
    assert not bao.accessors() - before
    assert bao.call("GET", "auth/token/lookup-self", token=token)["data"]["policies"] == ["auth", "default"]


def test_each_of_the_two_tools_has_its_own_variable_first(bao: Bao) -> None:
    environ = {"VAULT_TOKEN": bao.token("auth"), "BAO_TOKEN": "not-one"}
    vault, other = backend_for(bao.address, environ), backend_for(bao.address, environ, name="bao")
    assert value_of(vault, SECRET) == "hunter2"
    assert isinstance(fetch_one(other, SECRET), Unauthenticated)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n"])
def test_a_token_in_a_file_is_used_without_its_line_end(bao: Bao, tmp_path: Path, end: str) -> None:
    token = bao.token("auth")
    (tmp_path / "token").write_bytes(token.encode() + end.encode())
    (tmp_path / ".vault-token").write_bytes(token.encode() + end.encode())
    table = {"method": "token", "token": {"file": "token"}}
    assert value_of(backend_for(bao.address, {}, auth=table, directory=str(tmp_path)), SECRET) == "hunter2"
    assert value_of(backend_for(bao.address, {"VAULT_TOKEN_FILE": str(tmp_path / "token")}), SECRET) == "hunter2"
    assert value_of(backend_for(bao.address, {"HOME": str(tmp_path)}), SECRET) == "hunter2"


def test_a_token_in_a_variable_of_another_name_is_used(bao: Bao) -> None:
    auth = {"method": "token", "token": {"env": "SHOP_TOKEN"}}
    environ = {"SHOP_TOKEN": bao.token("auth"), "VAULT_TOKEN": "not-one"}
    assert value_of(backend_for(bao.address, environ, auth=auth), SECRET) == "hunter2"


@pytest.mark.parametrize(
    ("environ", "auth", "words"),
    [
        ({}, None, "there is no token"),
        ({"VAULT_TOKEN": "two words"}, None, "given as the token is none"),
        ({"VAULT_TOKEN_FILE": "/nonexistent"}, None, "`/nonexistent` cannot be read"),
        ({}, {"method": "token", "token": {"env": "SHOP_TOKEN"}}, "`SHOP_TOKEN`"),
        ({}, {"method": "token", "token": {"file": "nonexistent"}}, "`nonexistent`"),
        ({}, {"method": "approle", "role_id": "x"}, "VAULT_SECRET_ID is not set"),
        ({}, {"method": "kubernetes", "role": "x"}, "no service account token"),
        ({"VAULT_TOKEN": "wrong"}, None, "not accepted"),
    ],
)
def test_without_anything_to_show_it_says_what_is_missing(
    bao: Bao, environ: dict[str, str], auth: dict[str, Any] | None, words: str
) -> None:
    more: dict[str, Any] = {} if auth is None else {"auth": auth}
    outcome = fetch_one(backend_for(bao.address, environ, **more), SECRET)
    assert isinstance(outcome, Unauthenticated)
    assert words in outcome.message


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ({"method": "kubernetes"}, "needs `role`"),
        ({"method": "approle", "username": "x"}, "takes no `username`"),
    ],
)
def test_the_keys_of_another_method_are_the_manifests_fault(bao: Bao, auth: dict[str, Any], words: str) -> None:
    outcome = fetch_one(backend_for(bao.address, auth=auth), SECRET)
    assert isinstance(outcome, ManifestError)
    assert words in outcome.message


# AppRole.


@pytest.fixture
def role(bao: Bao) -> dict[str, str]:
    """An AppRole: what the two variables hold."""
    bao.enable("approle")
    plain = {"secret_id_num_uses": 0, "token_type": "default", "token_ttl": "10m", "token_policies": "auth"}
    bao.call("POST", "auth/approle/role/shop", plain)
    role_id = bao.call("GET", "auth/approle/role/shop/role-id")["data"]["role_id"]
    secret_id = bao.call("POST", "auth/approle/role/shop/secret-id", {})["data"]["secret_id"]
    return {"VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID": secret_id}


def test_approle_logs_in_with_the_two_variables(bao: Bao, role: dict[str, str]) -> None:
    leaves_nothing(bao, backend_for(bao.address, role, auth={"method": "approle"}))


def test_approle_logs_in_with_what_the_manifest_says(bao: Bao, role: dict[str, str], tmp_path: Path) -> None:
    bao.enable("approle", "machines")
    bao.call("POST", "auth/machines/role/shop", {"token_policies": "auth"})
    role_id = bao.call("GET", "auth/machines/role/shop/role-id")["data"]["role_id"]
    secret_id = bao.call("POST", "auth/machines/role/shop/secret-id", {})["data"]["secret_id"]
    (tmp_path / "secret-id").write_text(secret_id + "\n")
    auth = {"method": "approle", "mount": "machines", "role_id": role_id, "secret_id": {"file": "secret-id"}}
    leaves_nothing(bao, backend_for(bao.address, role, auth=auth, directory=str(tmp_path)))


def test_a_wrapped_secret_id_is_unwrapped_and_a_used_one_is_suspicious(bao: Bao, role: dict[str, str]) -> None:
    wrapped = bao.call("POST", "auth/approle/role/shop/secret-id", {}, headers={"X-Vault-Wrap-TTL": "60s"})
    environ = {**role, "VAULT_SECRET_ID": wrapped["wrap_info"]["token"]}
    backend = backend_for(bao.address, environ, auth={"method": "approle", "secret_id_wrapped": True})
    assert value_of(backend, SECRET) == "hunter2"
    again = fetch_one(backend, SECRET)
    assert isinstance(again, Unauthenticated)
    assert "somebody else" in again.hint


def test_a_login_that_is_refused_shows_nothing(bao: Bao, role: dict[str, str], canary_text: str) -> None:
    backend = backend_for(bao.address, {**role, "VAULT_SECRET_ID": canary_text}, auth={"method": "approle"})
    outcome = fetch_one(backend, SECRET)
    assert isinstance(outcome, Unauthenticated)
    assert outcome.__context__ is None
    assert outcome.__traceback__ is None
    assert canary_text not in f"{outcome!r} {outcome.hint} {vars(outcome)}"


@pytest.fixture
def canary_text() -> str:
    """A credential that is none."""
    return "cnry-5d02c7f1ab"


def test_a_login_in_a_namespace_reads_there(bao: Bao) -> None:
    bao.call("POST", "sys/namespaces/team-b")
    inside: dict[str, Any] = {"headers": {"X-Vault-Namespace": "team-b"}}
    bao.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, **inside)
    bao.put("auth/db", {"password": "of team-b"}, **inside)
    bao.call("POST", "sys/policies/acl/auth", {"policy": 'path "secret/*" { capabilities = ["read"] }'}, **inside)
    bao.call("POST", "sys/auth/approle", {"type": "approle"}, **inside)
    bao.call("POST", "auth/approle/role/shop", {"token_policies": "auth"}, **inside)
    role_id = bao.call("GET", "auth/approle/role/shop/role-id", **inside)["data"]["role_id"]
    secret_id = bao.call("POST", "auth/approle/role/shop/secret-id", {}, **inside)["data"]["secret_id"]
    environ = {"BAO_ROLE_ID": role_id, "BAO_SECRET_ID": secret_id, "BAO_NAMESPACE": "team-b"}
    assert value_of(backend_for(bao.address, environ, auth={"method": "approle"}), SECRET) == "of team-b"
    nowhere = {**environ, "BAO_NAMESPACE": "nowhere"}
    assert isinstance(fetch_one(backend_for(bao.address, nowhere, auth={"method": "approle"}), SECRET), Unauthenticated)


def test_one_login_serves_a_whole_batch(bao: Bao, role: dict[str, str]) -> None:
    bao.put("auth/other", {"v": "x"})
    bao.call("POST", "auth/approle/role/shop", {"secret_id_num_uses": 1, "token_policies": "auth"})
    once = bao.call("POST", "auth/approle/role/shop/secret-id", {})["data"]["secret_id"]
    backend = backend_for(bao.address, {**role, "VAULT_SECRET_ID": once}, auth={"method": "approle"})
    outcomes = fetch(backend, SECRET, "vault://secret/auth/other", "vault://secret/auth/none")
    assert [type(one) for one in outcomes[:2]] == [Document, Document]


def test_a_batch_token_is_left_to_end_by_itself(bao: Bao, role: dict[str, str]) -> None:
    bao.call("POST", "auth/approle/role/shop", {"token_type": "batch", "token_policies": "auth", "token_ttl": "1m"})
    assert value_of(backend_for(bao.address, role, auth={"method": "approle"}), SECRET) == "hunter2"


def test_a_login_that_ends_between_two_reads_is_made_once_more(bao: Bao, role: dict[str, str]) -> None:
    before = bao.accessors()
    adapter = VaultAdapter(backend_for(bao.address, role, auth={"method": "approle"}))
    reference = parse_reference(SECRET).document
    assert isinstance(adapter.fetch([reference], deadline=Deadline(60))[reference], Document)
    for accessor in bao.accessors() - before:
        bao.call("POST", "auth/token/revoke-accessor", {"accessor": accessor})
    assert isinstance(adapter.fetch([reference], deadline=Deadline(60))[reference], Document)
    adapter.close()
    assert not bao.accessors() - before


def test_a_given_token_that_ends_between_two_reads_is_said_to_have_ended(bao: Bao) -> None:
    token = bao.token("auth")
    adapter = VaultAdapter(backend_for(bao.address, {"VAULT_TOKEN": token}))
    reference = parse_reference(SECRET).document
    assert isinstance(adapter.fetch([reference], deadline=Deadline(60))[reference], Document)
    bao.call("POST", "auth/token/revoke", {"token": token})
    outcome = adapter.fetch([reference], deadline=Deadline(60))[reference]
    adapter.close()
    assert isinstance(outcome, Unauthenticated)
    assert "expired" in outcome.message


# User names and passwords.


def test_userpass_logs_in_whatever_is_in_the_name(bao: Bao) -> None:
    bao.enable("userpass")
    bao.call("POST", "auth/userpass/users/shop", {"password": "p w\n", "token_policies": "auth"})
    auth = {"method": "userpass", "username": "shop", "password": {"env": "SHOP_PASSWORD"}}
    leaves_nothing(bao, backend_for(bao.address, {"SHOP_PASSWORD": "p w\n"}, auth=auth))
    odd = {**auth, "username": "../users/shop"}
    assert isinstance(fetch_one(backend_for(bao.address, {"SHOP_PASSWORD": "x"}, auth=odd), SECRET), Unauthenticated)


# JSON web tokens.


@pytest.fixture
def key(bao: Bao) -> ec.EllipticCurvePrivateKey:
    """A key whose signatures the server trusts."""
    made = ec.generate_private_key(ec.SECP256R1())
    public = made.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    bao.enable("jwt")
    bao.call("POST", "auth/jwt/config", {"jwt_validation_pubkeys": public.decode()})
    claims = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["shop"], "token_policies": "auth"}
    bao.call("POST", "auth/jwt/role/shop", claims)
    return made


def test_jwt_logs_in_with_a_token_that_fits(bao: Bao, key: ec.EllipticCurvePrivateKey) -> None:
    auth = {"method": "jwt", "role": "shop", "jwt": {"env": "ID_TOKEN"}}
    good, other = signed(key, sub="ci", aud="shop"), signed(key, sub="ci", aud="another")
    leaves_nothing(bao, backend_for(bao.address, {"ID_TOKEN": good}, auth=auth))
    refused = fetch_one(backend_for(bao.address, {"ID_TOKEN": other}, auth=auth), SECRET)
    assert isinstance(refused, Unauthenticated)
    assert "`shop`" in refused.message


# Kubernetes.


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A Kubernetes API that reviews tokens of `shop/api`."""
    with run_cluster("api") as made:
        yield made


def test_kubernetes_reads_its_token_at_every_login(bao: Bao, cluster: Cluster, tmp_path: Path) -> None:
    cluster.admit(bao, "shop", "auth")
    auth = {"method": "kubernetes", "role": "shop", "jwt": {"file": "token"}}
    backend = backend_for(bao.address, auth=auth, directory=str(tmp_path))
    for number in range(2):
        (tmp_path / "token").write_text(cluster.issue(n=number))
        leaves_nothing(bao, backend)
    cluster.known = ""
    assert isinstance(fetch_one(backend, SECRET), Unauthenticated)


# Client certificates.


def test_cert_logs_in_with_the_certificate_of_the_connection(bao: Bao) -> None:
    certificate, private = bao.authority.issue("shop.client")
    bao.enable("cert")
    bao.call(
        "POST",
        "auth/cert/certs/shop",
        {"certificate": bao.authority.file.read_text(), "allowed_dns_sans": "shop.client", "token_policies": "auth"},
    )
    trust: dict[str, Any] = {"ca_file": str(bao.authority.file), "auth": {"method": "cert", "role": "shop"}}
    files: dict[str, Any] = {"cert_file": str(certificate), "key_file": str(private)}
    leaves_nothing(bao, backend_for(bao.tls_address, **trust, **files))
    assert isinstance(fetch_one(backend_for(bao.tls_address, **trust), SECRET), Unauthenticated)


# An agent that logs in by itself.


def test_an_agents_address_needs_no_token(bao: Bao) -> None:
    backend = backend_for("", {"VAULT_AGENT_ADDR": bao.address, "VAULT_ADDR": "http://127.0.0.1:1"})
    outcome = fetch_one(backend, SECRET)
    assert isinstance(outcome, Denied)  # OpenBao itself is asked here, and an agent would have added its token


def test_what_the_manifest_says_wins_over_the_environment(bao: Bao) -> None:
    environ = {"VAULT_TOKEN": ROOT, "VAULT_ADDR": "http://127.0.0.1:1", "VAULT_NAMESPACE": "nowhere"}
    assert value_of(backend_for(bao.address, environ, namespace="/"), SECRET) == "hunter2"
    assert value_of(backend_for("", {**environ, "VAULT_ADDR": bao.address, "VAULT_NAMESPACE": ""}), SECRET) == "hunter2"
