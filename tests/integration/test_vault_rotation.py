"""Credentials that rotate under a running command: real leases, a real PostgreSQL, and not one failed login."""

import signal
import sys
import time
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from openbao import Bao
from postgres import PASSWORD, run_rotating
from racing import distant
from running import Project
from supervised import Running, alive, children, until

MANIFEST = """
[settings]
DB_USER = { type = "str" }
DB_PASSWORD = { type = "str" }
[backends.vault]
auth = { method = "approle" }
[environments.production.values]
DB_USER = "${vault://rotating/creds/app#username}"
DB_PASSWORD = "${vault://rotating/creds/app#password}"
"""
APP = """
import os, psycopg, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
done = 0
while True:
    try:
        with psycopg.connect(host="127.0.0.1", port=os.environ["DB_PORT"], dbname="postgres",
                             user=os.environ["DB_USER"], password=os.environ["DB_PASSWORD"]) as connection:
            connection.execute("SELECT 1")
        done += 1
        time.sleep(0.02)
        if done % 20 == 1:
            print("ok", os.environ["DB_USER"], flush=True)
    except psycopg.OperationalError as error:
        print("FAILED", error, flush=True)
"""


@pytest.fixture(scope="module")
def database(bao: Bao) -> Iterator[int]:
    """A database whose users live for 8 seconds, and for 17 at most: on a busy machine who renews them may be late."""
    with run_rotating(bao, "rotating", life="8s", longest="17s") as port:
        bao.policy("rotating", "rotating/creds/app read", "sys/leases/renew update", "secret/data/outage read")
        bao.enable("approle")
        yield port


@pytest.fixture
def shop(project: Project, bao: Bao, database: int) -> Project:
    """A project whose app logs in to the database again and again."""
    bao.call("POST", "auth/approle/role/rotating", {"token_policies": "rotating", "token_ttl": "10s"})
    role_id = bao.call("GET", "auth/approle/role/rotating/role-id")["data"]["role_id"]
    secret_id = bao.call("POST", "auth/approle/role/rotating/secret-id", {})["data"]["secret_id"]
    project.environ |= {"VAULT_ADDR": bao.address, "VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID": secret_id}
    project.environ |= {"DB_PORT": str(database)}
    project.manifest(MANIFEST, **{"app.py": APP})
    return project


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is to be ended."""
    with ExitStack() as made:
        yield made


def leases(bao: Bao) -> list[str]:
    """Return the ids of the leases that the server knows."""
    try:
        found = bao.call("LIST", "sys/leases/lookup/rotating/creds/app")["data"]["keys"]
    except urllib.error.HTTPError as error:
        error.close()
        return []
    return [str(one) for one in found]


def users(port: int) -> list[str]:
    """Return the users that were made for leases."""
    with psycopg.connect(f"host=127.0.0.1 port={port} dbname=postgres user=postgres password='{PASSWORD}'") as found:
        return [str(row[0]) for row in found.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'")]


def sessions(port: int) -> int:
    """Return how many sessions those users have."""
    with psycopg.connect(f"host=127.0.0.1 port={port} dbname=postgres user=postgres password='{PASSWORD}'") as found:
        row = found.execute("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'v-%'").fetchone()
        return int(row[0]) if row else 0


def test_credentials_rotate_without_a_failed_login(shop: Project, bao: Bao, database: int) -> None:
    running = Running(shop, ["exec", "--watch=1s", "--min-interval=0s", "--", sys.executable, "app.py"])
    try:
        until(
            lambda: len({line for line in running.out.splitlines() if line.startswith("ok")}) >= 3, lambda: running.out
        )
        until(lambda: len(leases(bao)) <= 2)  # the server ends them in its own time
        running.send(signal.SIGTERM)
        assert running.status() == 0
    finally:
        running.close()
    assert "FAILED" not in running.out
    assert running.err.count("changed: restarting") >= 2
    until(lambda: leases(bao) == [])  # the server ends them in its own time
    until(lambda: users(database) == [])
    assert sessions(database) == 0


def test_a_lease_that_is_revoked_brings_the_next(shop: Project, bao: Bao) -> None:
    running = Running(shop, ["exec", "--watch=1s", "--min-interval=0s", "--", "sh", "-c", "echo up $DB_USER; sleep 60"])
    try:
        running.says("up v-")
        bao.call("PUT", "sys/leases/revoke-prefix/rotating/creds/app")
        running.says("up v-", 2)
    finally:
        running.close()
    until(lambda: leases(bao) == [])  # the server ends them in its own time


def test_an_outage_changes_nothing(shop: Project, bao: Bao, stack: ExitStack) -> None:
    with distant(bao.port, 0) as port:
        shop.environ["VAULT_ADDR"] = f"http://127.0.0.1:{port}"
        shop.manifest(MANIFEST.replace("rotating/creds/app#", "secret/outage#"))
        bao.put("outage", {"username": "u", "password": "p"})
        running = Running(shop, ["exec", "--watch=200ms", "--timeout=10s", "--", "sleep", "60"])
        stack.callback(running.close)
        until(lambda: bool(children(running.pid)), lambda: running.err)
        (child,) = children(running.pid)
        time.sleep(0.5)
    running.says("cannot be read; the command keeps the ones it has")
    time.sleep(3)  # for further looks
    assert running.err.count("cannot be read") == 1
    assert alive(child)


def test_without_watch_the_end_is_told(shop: Project, bao: Bao) -> None:
    done = shop.run("exec", "--", "true")
    assert done.status == 0
    assert "ends in 8 s, and nobody will renew it" in done.err
    assert len(done.err.splitlines()) == 1
    assert len(leases(bao)) == 1
    bao.call("PUT", "sys/leases/revoke-prefix/rotating/creds/app")


def test_what_ends_can_be_refused_and_is_given_back(shop: Project, bao: Bao) -> None:
    done = shop.run("exec", "--require-static", "--", "touch", "started")
    assert done.status == 65
    assert "it has a lease of 8 s" in done.err
    assert not shop.started()
    until(lambda: leases(bao) == [])  # the server ends them in its own time


def test_what_was_leased_for_a_resolution_that_fails_is_given_back(shop: Project, bao: Bao) -> None:
    shop.manifest(MANIFEST.replace('DB_USER = { type = "str" }', 'DB_USER = { type = "int" }'))
    done = shop.run("exec", "--", "touch", "started")
    assert done.status == 65
    until(lambda: leases(bao) == [])  # the server ends them in its own time


def test_our_own_logins_are_ended(shop: Project, bao: Bao) -> None:
    def tokens() -> set[str]:
        return set(bao.call("LIST", "auth/token/accessors")["data"]["keys"])

    before = tokens()  # of other tests too, which end when they like
    running = Running(shop, ["exec", "--watch=1s", "--", "sh", "-c", "echo up; sleep 60"])
    try:
        running.says("up")
        ours = tokens() - before
        assert len(ours) == 1
        running.send(signal.SIGTERM)
        assert running.status() == 143
    finally:
        running.close()
    assert not tokens() & ours
