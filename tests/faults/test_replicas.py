"""A cluster of two real servers: one that stands by, lags, or is left alone."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault_proxy import run_proxy
from raft import Pair, run_pair
from supervised import until
from trial import Store, Trial

NAMES = ("SETTING_A", "SETTING_B")
TWICE = 10  # requests: a token that was made a moment ago may not be known to the standby yet, then all is asked again


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The cluster, with a role to log in with."""
    with run_pair(tmp_path_factory.mktemp("raft")) as started:
        call, token = started.active.call, started.token
        call("POST", "sys/auth/approle", {"type": "approle"}, token)
        call("POST", "sys/policies/acl/shop", {"policy": 'path "secret/data/shop" { capabilities = ["read"] }'}, token)
        call("POST", "auth/approle/role/shop", {"token_policies": "shop", "token_ttl": "10m"}, token)
        yield started


@pytest.fixture
def store(pair: Pair) -> Store:
    """Two settings, read from the standby."""
    call, token, role = pair.active.call, pair.token, "auth/approle/role/shop"
    role_id = call("GET", f"{role}/role-id", None, token)["data"]["role_id"]
    secret_id = call("POST", f"{role}/secret-id", {}, token)["data"]["secret_id"]
    environ = {"VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID": secret_id}
    table = 'address = "http://127.0.0.1:{port}"\nauth = { method = "approle" }'
    values = {name: f"vault://secret/shop#{name}" for name in NAMES}
    made = Store("vault", pair.standby.port, table, values, environ, list(environ.values()), 5, [])
    return write(pair, made, "first")


def write(pair: Pair, store: Store, number: object) -> Store:
    """Write another generation, and note it."""
    store.generations.append({name: f"cnry-{number}-of-{name}" for name in NAMES})
    pair.put("shop", store.generations[-1])
    return store


def follow(pair: Pair, store: Store) -> None:
    """Wait until the standby has the newest generation."""
    newest = store.generations[-1]
    until(lambda: pair.standby.until("GET", "secret/data/shop", token=pair.token)["data"]["data"] == newest)


def test_a_standby_serves_a_login_and_reads(tmp_path: Path, store: Store, pair: Pair) -> None:
    follow(pair, store)
    with run_proxy(store.port) as proxy:
        trial = Trial(tmp_path, store, proxy)
        trial.check(requests=TWICE)
        assert not any("sys/health" in request for request in proxy.requests())


def test_what_a_standby_has_is_a_whole_generation_old_or_new(tmp_path: Path, store: Store, pair: Pair) -> None:
    follow(pair, store)
    is_over = threading.Event()

    def go_on() -> None:
        for number in itertools.count():
            write(pair, store, number)
            if is_over.is_set():
                return

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        with run_proxy(store.port) as proxy:
            trial = Trial(tmp_path, store, proxy)
            received = [trial.check(requests=TWICE).received for _ in range(4)]
    finally:
        is_over.set()
        writer.join()
    assert len({one["SETTING_A"] for one in received if one}) > 1


def test_the_active_node_is_killed(tmp_path: Path, store: Store, pair: Pair) -> None:
    """The last test. What the standby answers by itself is used; it cannot make a token, and that is told."""
    follow(pair, store)
    pair.active.kill()
    given = store._replace(
        backend='address = "http://127.0.0.1:{port}"', environ={"VAULT_TOKEN": pair.token}, secrets=[pair.token]
    )
    with run_proxy(store.port) as proxy:
        Trial(tmp_path / "given", given, proxy).check()
        login = Trial(tmp_path / "login", store, proxy)
        login.check(status=69, words=["2 of 2", "unavailable: ", f"127.0.0.1:{proxy.port}"], requests=10)
