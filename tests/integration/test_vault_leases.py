"""Credentials that are made when they are read: what hangs on their leases, with a real PostgreSQL."""

import urllib.error
from collections.abc import Iterator

import pytest

from confsvc.adapter import Deadline, Document
from confsvc.errors import AdapterError, Denied, Malformed
from confsvc_vault.adapter import VaultAdapter
from openbao import Bao
from postgres import run_rotating
from vaulting import backend_for, fetch, fetch_one

CREDS = "vault://database/creds/app"


@pytest.fixture(scope="module")
def database(bao: Bao) -> Iterator[Bao]:
    """The server with a database engine that makes users in a real PostgreSQL."""
    with run_rotating(bao, "database", life="1h", longest="2h"):
        bao.policy("database", "database/creds/app read", "sys/leases/renew update")
        bao.enable("approle")
        yield bao


def environ_of(bao: Bao, **role: str) -> dict[str, str]:
    """Return what a login as a role that may make credentials needs."""
    plain = {"token_policies": "database", "token_ttl": "90m", "token_max_ttl": "0"}
    bao.call("POST", "auth/approle/role/leasing", {**plain, **role})
    role_id = bao.call("GET", "auth/approle/role/leasing/role-id")["data"]["role_id"]
    secret_id = bao.call("POST", "auth/approle/role/leasing/secret-id", {})["data"]["secret_id"]
    return {"VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID": secret_id}


def is_live(bao: Bao, lease_id: str) -> bool:
    """Ask the server whether a lease still is one."""
    try:
        bao.call("PUT", "sys/leases/lookup", {"lease_id": lease_id})
    except urllib.error.HTTPError as error:
        error.close()
        return False
    return True


def read(bao: Bao, **role: str) -> Document:
    """Read credentials with a login of our own, which is closed at the end."""
    found = fetch_one(backend_for(bao.address, environ_of(bao, **role), auth={"method": "approle"}), CREDS)
    assert isinstance(found, Document), found
    assert found.lease is not None
    return found


def test_credentials_come_with_a_lease_that_outlives_us(database: Bao) -> None:
    document = read(database)
    assert document.lease is not None
    assert (document.lease.duration, document.lease.renewable) == (3600.0, True)
    fields = document.content.reveal()
    assert isinstance(fields, dict)
    assert set(fields) == {"username", "password"}
    assert is_live(database, document.lease.id)
    assert document.notes == ()


def test_a_lease_that_ends_with_the_login_says_so(database: Bao) -> None:
    document = read(database, token_ttl="5m", token_max_ttl="5m")
    assert any("after 300 s" in note for note in document.notes)


def test_one_read_makes_one_credential(database: Bao) -> None:
    environ = environ_of(database)
    database.call("PUT", "sys/leases/revoke-prefix/database/creds/app")
    backend = backend_for(database.address, environ, auth={"method": "approle"})
    fetch(backend, CREDS, "vault://database/creds/app?version=2")
    assert len(database.call("LIST", "sys/leases/lookup/database/creds/app")["data"]["keys"]) == 1


def test_a_lease_is_renewed_and_given_back(database: Bao) -> None:
    document = fetch_one(backend_for(database.address), CREDS)
    assert isinstance(document, Document)
    assert document.lease is not None
    adapter = VaultAdapter(backend_for(database.address))
    renewed = adapter.renew(document.lease, deadline=Deadline(60))
    assert renewed.id == document.lease.id
    assert renewed.duration > 0
    adapter.revoke(document.lease, deadline=Deadline(60))
    assert not is_live(database, document.lease.id)
    with pytest.raises(Malformed):
        adapter.renew(document.lease, deadline=Deadline(60))
    adapter.close()


def test_a_version_of_what_has_none_is_refused_before_anything_is_made(database: Bao) -> None:
    database.call("PUT", "sys/leases/revoke-prefix/database/creds/app")
    outcome = fetch_one(backend_for(database.address), f"{CREDS}?version=2")
    assert isinstance(outcome, Malformed)
    with pytest.raises(urllib.error.HTTPError) as caught:
        database.call("LIST", "sys/leases/lookup/database/creds/app")
    caught.value.close()


def test_a_role_that_is_not_there_or_not_allowed_says_so(database: Bao) -> None:
    assert isinstance(fetch_one(backend_for(database.address), "vault://database/creds/none"), AdapterError)
    backend = backend_for(database.address, environ_of(database), auth={"method": "approle"})
    outcome = fetch_one(backend, "vault://database/creds/none")
    assert isinstance(outcome, Denied)
    assert 'path "database/creds/none" { capabilities = ["read"] }' in outcome.hint
