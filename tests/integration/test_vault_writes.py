"""Metadata without values, and storing, on a real server."""

import json
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from confsvc.adapter import Deadline, Describer, Description, LeaseKeeper, Storer, parse_json
from confsvc.errors import Denied, Malformed, NotFound, Unauthenticated
from confsvc.reference import parse_reference
from confsvc_vault.adapter import VaultAdapter
from counting import run_counting
from openbao import ROOT, Bao
from vaulting import backend_for, value_of

PATH = "vault://secret/writes"


@pytest.fixture
def adapter(bao: Bao) -> Iterator[VaultAdapter]:
    """The adapter with the root token."""
    made = VaultAdapter(backend_for(bao.address))
    yield made
    made.close()


def describe(adapter: VaultAdapter, text: str) -> Any:
    reference = parse_reference(text)
    return adapter.describe([reference], deadline=Deadline(60))[reference]


def store(adapter: VaultAdapter, text: str, fields: dict[str, Any], expected: str | None = None) -> str:
    return adapter.store(parse_reference(text), fields, deadline=Deadline(60), expected=expected)


def test_it_has_every_optional_ability(adapter: VaultAdapter) -> None:
    abilities: tuple[Describer, Storer, LeaseKeeper] = (adapter, adapter, adapter)  # for mypy to see
    assert all(callable(getattr(abilities[0], name)) for name in ("describe", "store", "renew", "revoke", "release"))


def test_a_secret_is_described_without_being_read(bao: Bao) -> None:
    bao.put("writes/described", {"v": "one"})
    bao.put("writes/described", {"v": "two"})
    bao.call("POST", "secret/metadata/writes/described", {"custom_metadata": {"owner": "shop"}})
    token = bao.token(bao.policy("describing", "secret/metadata/writes/* read"))
    adapter = VaultAdapter(backend_for(bao.address, {"VAULT_TOKEN": token}))
    found = describe(adapter, f"{PATH}/described")
    first = describe(adapter, f"{PATH}/described?version=1")
    adapter.close()
    assert isinstance(found, Description)
    assert (found.version, found.state, found.custom) == ("2", "", {"owner": "shop"})
    assert found.time.startswith("20")
    assert first.version == "1"
    assert first.time < found.time


def test_who_looks_again_asks_once_and_sees_what_is_mounted_by_then(bao: Bao) -> None:
    bao.call("POST", "sys/mounts/moving", {"type": "kv", "options": {"version": "2"}})
    bao.call("POST", "moving/data/app", {"data": {"v": "one"}})
    with run_counting(bao.address) as counting:
        adapter = VaultAdapter(backend_for(counting.address, {"VAULT_TOKEN": ROOT}))
        assert describe(adapter, "vault://moving/app").version == "1"
        counting.asked.clear()
        assert describe(adapter, "vault://moving/app").version == "1"
        assert counting.asked == {"GET /v1/moving/metadata/app": 1}
        bao.call("DELETE", "sys/mounts/moving")
        bao.call("POST", "sys/mounts/moving", {"type": "kv", "options": {"version": "1"}})
        assert isinstance(describe(adapter, "vault://moving/app"), Malformed)
        adapter.close()


def test_what_was_deleted_is_described_as_that(bao: Bao, adapter: VaultAdapter) -> None:
    bao.put("writes/gone", {"v": "one"})
    bao.put("writes/gone", {"v": "two"})
    bao.call("PUT", "secret/destroy/writes/gone", {"versions": [1]})
    bao.call("DELETE", "secret/data/writes/gone")
    assert describe(adapter, f"{PATH}/gone?version=1").state == "destroyed"
    assert describe(adapter, f"{PATH}/gone").state == "deleted"


def test_what_cannot_be_described_says_why(bao: Bao, adapter: VaultAdapter) -> None:
    bao.put("writes/one", {"v": "one"})
    assert isinstance(describe(adapter, f"{PATH}/nothing"), NotFound)
    assert isinstance(describe(adapter, f"{PATH}/one?version=9"), NotFound)
    assert isinstance(describe(adapter, "vault://kv1/one"), Malformed)
    assert isinstance(describe(adapter, f"{PATH}/"), Malformed)
    token = bao.token(bao.policy("reading", "secret/data/writes/* read"))
    bare = VaultAdapter(backend_for(bao.address, {"VAULT_TOKEN": token}))
    denied = describe(bare, f"{PATH}/one")
    bare.close()
    assert isinstance(denied, Denied)
    assert 'path "secret/metadata/writes/one"' in denied.hint


def test_what_is_stored_is_read_back(bao: Bao, adapter: VaultAdapter) -> None:
    fields = {"text": "é\n", "number": 5, "on": True, "deep": {"list": [1, None]}}
    assert store(adapter, f"{PATH}/a%20b/c", fields) == "1"
    assert store(adapter, "vault://secret/data/writes/a%20b/c", fields) == "2"
    assert store(adapter, "vault://kv1/writes/a%20b", fields) == ""
    for path in ("secret/data/writes/a%20b/c", "kv1/writes/a%20b"):
        found = bao.call("GET", path)["data"]
        assert found.get("data", found) == fields
    assert value_of(backend_for(bao.address), f"{PATH}/a%20b/c#text") == "é\n"


def test_what_was_read_can_be_stored_again(bao: Bao, adapter: VaultAdapter) -> None:
    text = '{"port": 5432, "ratio": 0.25, "text": "5432"}'
    fields, _ = parse_json(text)
    assert isinstance(fields, dict)
    store(adapter, f"{PATH}/again", fields)
    assert bao.call("GET", "secret/data/writes/again")["data"]["data"] == json.loads(text)


def test_check_and_set_keeps_two_writers_apart(adapter: VaultAdapter) -> None:
    assert store(adapter, f"{PATH}/cas", {"v": "one"}, expected="0") == "1"
    assert store(adapter, f"{PATH}/cas", {"v": "two"}, expected="1") == "2"
    with pytest.raises(Malformed, match="version 1 is not its current one"):
        store(adapter, f"{PATH}/cas", {"v": "three"}, expected="1")
    with pytest.raises(Malformed, match="version 0"):
        store(adapter, f"{PATH}/cas", {"v": "three"}, expected="0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{PATH}/x?version=3", None),
        (f"{PATH}/x", "latest"),
        ("vault://kv1/x", "1"),
        ("vault://cubbyhole/x", None),
        ("vault://secret", None),
    ],
)
def test_what_cannot_be_stored_is_refused(adapter: VaultAdapter, text: str, expected: str | None) -> None:
    with pytest.raises(Malformed):
        store(adapter, text, {"v": "x"}, expected=expected)


def test_a_value_that_cannot_be_stored_shows_nowhere(bao: Bao) -> None:
    canary = "cnry-2f81ab7713"
    bao.put("writes/denied", {"v": "x"})
    token = bao.token(bao.policy("reading", "secret/data/writes/* read"))
    adapter = VaultAdapter(backend_for(bao.address, {"VAULT_TOKEN": token}))
    with pytest.raises(Denied) as caught:
        store(adapter, f"{PATH}/denied", {"v": canary})
    adapter.close()
    error = caught.value
    assert 'capabilities = ["create", "update"]' in error.hint
    assert canary not in f"{error!r} {error.hint} {vars(error)} {error.__context__} {error.__cause__}"
    stranger = VaultAdapter(backend_for(bao.address, {}))
    with pytest.raises(Unauthenticated):
        store(stranger, f"{PATH}/denied", {"v": canary})
    stranger.close()


def test_nothing_is_written_where_a_version_was_named(bao: Bao, adapter: VaultAdapter) -> None:
    with pytest.raises(Malformed):
        store(adapter, f"{PATH}/named?version=1", {"v": "x"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        bao.call("GET", "secret/data/writes/named")
    caught.value.close()
