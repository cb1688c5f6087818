"""A program that dies again and again makes no heap of credentials, with a real PostgreSQL."""

import urllib.error
from collections.abc import Iterator

import pytest

from openbao import Bao
from postgres import run_rotating
from running import Project
from supervised import until

STARTS = 6
MANIFEST = """
[settings]
DB_USER = {}
[backends.vault]
auth = { method = "approle" }
[environments.production.values]
DB_USER = "${vault://crashing/creds/app#username}"
"""


@pytest.fixture(scope="module")
def database(bao: Bao) -> Iterator[Bao]:
    """The server with a database engine that makes users in a real PostgreSQL."""
    with run_rotating(bao, "crashing", life="1h", longest="2h"):
        bao.policy("crashing", "crashing/creds/app read", "sys/leases/renew update")
        bao.enable("approle")
        bao.call("POST", "auth/approle/role/crashing", {"token_policies": "crashing", "token_ttl": "90m"})
        yield bao


def leases(bao: Bao) -> int:
    """Count the leases of the engine."""
    try:
        return len(bao.call("LIST", "sys/leases/lookup/crashing/creds/app")["data"]["keys"])
    except urllib.error.HTTPError as error:
        error.close()
        assert error.code == 404
        return 0


@pytest.mark.parametrize("command", ["false", "no-such-command"])
def test_a_crash_loop_leaves_no_lease_and_no_login(project: Project, database: Bao, command: str) -> None:
    project.manifest(MANIFEST)
    role = "auth/approle/role/crashing"
    project.environ |= {
        "VAULT_ADDR": database.address,
        "VAULT_ROLE_ID": database.call("GET", f"{role}/role-id")["data"]["role_id"],
        "VAULT_SECRET_ID": database.call("POST", f"{role}/secret-id", {})["data"]["secret_id"],
    }
    before = database.accessors()
    for _ in range(STARTS if command == "false" else 1):
        done = project.run("exec", "--watch", "--", command)
        assert done.status == {"false": 1, "no-such-command": 127}[command], done.err
    until(lambda: leases(database) == 0)  # the server puts what is revoked in a queue
    until(lambda: database.accessors() <= before)  # those of others may end meanwhile


def test_what_becomes_the_command_leaves_it_one_lease_and_says_when_it_ends(project: Project, database: Bao) -> None:
    """Nobody is left who could give it back: that is what `--watch` is for."""
    project.manifest(MANIFEST.replace('auth = { method = "approle" }', ""))
    done = project.run(
        "exec", "--", "true", env={"VAULT_ADDR": database.address, "VAULT_TOKEN": database.token("root")}
    )
    assert done.status == 0, done.err
    assert "`--watch` does" in done.err
    assert leases(database) == 1
    database.call("PUT", "sys/leases/revoke-prefix/crashing")
