"""Reading from a real server: KV of both versions, wherever it is mounted, and whatever else can be read."""

import time
from typing import Any

import pytest

from confsvc.adapter import Document
from confsvc.errors import ConfsvcError, Malformed, NotFound
from openbao import Bao
from vaulting import backend_for, fetch, fetch_one, value_of


@pytest.mark.parametrize(
    "reference",
    [
        "vault://secret/reads/db#password",
        "vault://secret/data/reads/db#password",
        "vault:///secret/reads/db#password",
        "vault://kv1/reads/db#password",
        "vault://team/kv/reads/db#password",
        "vault://team/kv/data/reads/db#password",
    ],
)
def test_a_field_is_read_from_either_version_in_either_spelling(bao: Bao, reference: str) -> None:
    bao.put("reads/db", {"password": "of secret"})
    bao.put("reads/db", {"password": "of team/kv"}, mount="team/kv")
    bao.call("POST", "kv1/reads/db", {"password": "of kv1"})
    mount = next(name for name in ("team/kv", "kv1", "secret") if name in reference)
    assert value_of(backend_for(bao.address), reference) == f"of {mount}"


def test_a_version_is_read_and_named(bao: Bao) -> None:
    for number in range(1, 4):
        bao.put("reads/versions", {"n": str(number)})
    backend = backend_for(bao.address)
    first, last = fetch(backend, "vault://secret/reads/versions?version=1", "vault://secret/reads/versions")
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert (first.version, last.version) == ("1", "3")
    assert (first.content.reveal(), last.content.reveal()) == ({"n": "1"}, {"n": "3"})


def test_numbers_and_booleans_stay_as_json_has_them(bao: Bao) -> None:
    text = '{"price": 1.10, "big": 12345678901234567890, "on": true, "none": null, "deep": {"a": [1e30]}}'
    bao.call("POST", "kv1/reads/numbers", text)
    backend = backend_for(bao.address)
    document = fetch_one(backend, "vault://kv1/reads/numbers")
    assert isinstance(document, Document)
    fields: Any = document.content.reveal()
    expected = ["1.10", "12345678901234567890", True, None]
    assert [fields[name] for name in ("price", "big", "on", "none")] == expected
    assert value_of(backend, "vault://kv1/reads/numbers#/deep/a/0") == "1e30"


def test_version_2_keeps_numbers_as_its_server_does(bao: Bao) -> None:
    bao.call("POST", "secret/data/reads/numbers", '{"data": {"port": 5432, "ratio": 0.5, "on": false}}')
    document = fetch_one(backend_for(bao.address), "vault://secret/reads/numbers")
    assert isinstance(document, Document)
    assert document.content.reveal() == {"port": "5432", "ratio": "0.5", "on": False}


def test_a_name_may_hold_what_a_url_may_not(bao: Bao) -> None:
    bao.call("POST", "secret/data/reads/a%20b/%C3%A9%3F%23%25", {"data": {"k#y": "odd"}})
    assert value_of(backend_for(bao.address), "vault://secret/reads/a%20b/%C3%A9%3F%23%25#k%23y") == "odd"


def test_a_namespace_is_its_own_world(bao: Bao) -> None:
    bao.call("POST", "sys/namespaces/team-a")
    inside = {"X-Vault-Namespace": "team-a"}
    bao.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, headers=inside)
    bao.put("reads/ns", {"v": "inside"}, headers=inside)
    bao.put("reads/ns", {"v": "outside"})
    assert value_of(backend_for(bao.address), "vault://secret/reads/ns?namespace=team-a#v") == "inside"
    assert value_of(backend_for(bao.address, namespace="team-a"), "vault://secret/reads/ns#v") == "inside"
    assert value_of(backend_for(bao.address), "vault://secret/reads/ns#v") == "outside"


@pytest.mark.parametrize("state", ["deleted", "destroyed"])
def test_a_version_that_is_gone_says_how(bao: Bao, state: str) -> None:
    bao.put(f"reads/{state}", {"v": "x"})
    if state == "deleted":
        bao.call("DELETE", "secret/data/reads/deleted")
    else:
        bao.call("PUT", "secret/destroy/reads/destroyed", {"versions": [1]})
    outcome = fetch_one(backend_for(bao.address), f"vault://secret/reads/{state}")
    assert isinstance(outcome, Malformed)
    assert f"was {state}" in outcome.message


@pytest.mark.parametrize(
    ("reference", "kind", "words"),
    [
        ("vault://secret/reads/nothing", NotFound, "`secret/data/reads/nothing` is not there"),
        ("vault://kv1/reads/nothing", NotFound, "`kv1/reads/nothing` is not there"),
        ("vault://secret/reads/once?version=7", NotFound, "has no version 7"),
        ("vault://kv1/reads/once?version=7", Malformed, "only KV engines of version 2"),
        ("vault://secret/reads/once?version=latest", Malformed, "`version` is a number"),
        ("vault://secret/reads/once?version=0", Malformed, "`version` is a number"),
        ("vault://nomount/reads/once", Malformed, "no secrets engine"),
        ("vault://secret/reads/once?namespace=nowhere", Malformed, "no namespace is called `nowhere`"),
        ("vault://secret", Malformed, "the mount of an engine"),
        ("vault://team/kv", Malformed, "the mount of an engine"),
        ("vault://secret/reads/", Malformed, "ends in a slash"),
    ],
)
def test_what_cannot_be_read_says_why(bao: Bao, reference: str, kind: type[ConfsvcError], words: str) -> None:
    bao.put("reads/once", {"v": "x"})
    outcome = fetch_one(backend_for(bao.address), reference)
    assert type(outcome) is kind
    assert words in outcome.message


def test_certificates_are_read_as_they_are_served(bao: Bao) -> None:
    bao.mount("pki", "pki")
    bao.call("POST", "pki/root/generate/internal", {"common_name": "test"})
    backend = backend_for(bao.address)
    document = fetch_one(backend, "vault://pki/ca/pem")
    assert isinstance(document, Document)
    pem = document.content.reveal()
    assert isinstance(pem, bytes)
    assert pem.startswith(b"-----BEGIN CERTIFICATE-----")
    assert value_of(backend, "vault://pki/cert/ca#certificate").encode() in pem + b"\n"


def test_a_cubbyhole_is_the_tokens_own(bao: Bao) -> None:
    token = bao.token("default")
    bao.call("POST", "cubbyhole/mine", {"v": "x"}, token=token)
    assert value_of(backend_for(bao.address, {"VAULT_TOKEN": token}), "vault://cubbyhole/mine#v") == "x"


def test_a_token_without_the_default_policy_reads_what_it_may(bao: Bao) -> None:
    bao.put("reads/bare", {"v": "x"})
    policy = bao.policy("bare", "secret/data/reads/bare read")
    token = bao.token(policy, no_default_policy=True)
    assert value_of(backend_for(bao.address, {"VAULT_TOKEN": token}), "vault://secret/reads/bare#v") == "x"


@pytest.mark.parametrize("reference", ["secret/reads/blind", "secret/data/reads/blind", "kv1/reads/blind"])
def test_a_token_that_may_not_see_mounts_reads_all_the_same(bao: Bao, reference: str) -> None:
    bao.put("reads/blind", {"v": "x"})
    bao.call("POST", "kv1/reads/blind", {"v": "x"})
    deny = "sys/internal/ui/mounts/* deny"
    policy = bao.policy("blind", "secret/data/reads/blind read", "kv1/reads/blind read", deny)
    backend = backend_for(bao.address, {"VAULT_TOKEN": bao.token(policy)})
    assert value_of(backend, f"vault://{reference}#v") == "x"


def test_the_manifest_may_say_which_version_it_is(bao: Bao) -> None:
    bao.put("reads/fixed", {"v": "two"})
    bao.put("reads/fixed", {"v": "deeper"}, mount="team/kv")
    bao.call("POST", "kv1/reads/fixed", {"v": "one"})
    assert value_of(backend_for(bao.address, kv_version=2), "vault://secret/reads/fixed#v") == "two"
    assert value_of(backend_for(bao.address, kv_version=1), "vault://kv1/reads/fixed#v") == "one"
    deeper = backend_for(bao.address, kv_version=2, kv_mount="team/kv")
    assert value_of(deeper, "vault://team/kv/reads/fixed#v") == "deeper"
    assert value_of(deeper, "vault://kv1/reads/fixed#v") == "one"


def test_a_large_batch_has_an_outcome_for_each(bao: Bao) -> None:
    for number in range(40):
        bao.put(f"reads/many/{number}", {"v": f"value {number}"})
    texts = [f"vault://secret/reads/many/{number}" for number in range(45)]
    outcomes = fetch(backend_for(bao.address), *texts)
    found = [one.content.reveal() for one in outcomes if isinstance(one, Document)]
    assert found == [{"v": f"value {number}"} for number in range(40)]
    assert all(isinstance(one, NotFound) for one in outcomes[40:])


def test_a_document_tells_when_its_version_was_made(bao: Bao) -> None:
    before = time.time()
    bao.put("dated", {"a": "1"})
    outcome = fetch_one(backend_for(bao.address), "vault://secret/dated")
    assert isinstance(outcome, Document)
    assert outcome.made_at is not None
    assert before - 2 <= outcome.made_at <= time.time() + 2
