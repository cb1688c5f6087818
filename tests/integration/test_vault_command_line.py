"""The real command against a real server: exit statuses, what is said, and that nothing secret is."""

import socket
from collections.abc import Mapping

import pytest

from openbao import ROOT, Bao
from running import Done, Project

MANIFEST = """
[settings]
PASSWORD = {{ type = "str", secret = true }}
[backends.vault]
{backend}
[environments.production.values]
PASSWORD = "${{{reference}}}"
"""
GOOD = "vault://secret/cli/db#password"
SENTINEL = ("--", "touch", "started")


@pytest.fixture
def token(bao: Bao, canary: str) -> str:
    """A token that may read one folder, with a secret in it."""
    bao.put("cli/db", {"password": canary, "user": "shop", "port": 5432})
    return bao.token(bao.policy("cli", "secret/data/cli/* read"))


def run(
    project: Project, bao: Bao, token: str, reference: str, *command: str, backend: str = "", **environ: str
) -> Done:
    """Run `confsvc` with a manifest that reads `reference`."""
    project.manifest(MANIFEST.format(backend=backend, reference=reference))
    return project.run(*command, env={"VAULT_ADDR": bao.address, "VAULT_TOKEN": token, **environ})


def test_the_child_gets_the_secret_and_nothing_that_opens_the_store(
    project: Project, bao: Bao, token: str, canary: str
) -> None:
    done = run(project, bao, token, GOOD, "exec", "--", "env")
    assert done.status == 0, done.err
    assert f"PASSWORD={canary}\n" in done.out
    assert token not in done.out + done.err
    assert "VAULT_TOKEN" not in done.out


@pytest.mark.parametrize("command", [("check",), ("explain",), ("explain", "PASSWORD")])
def test_no_command_that_explains_shows_anything(
    project: Project, bao: Bao, token: str, canary: str, command: tuple[str, ...]
) -> None:
    done = run(project, bao, token, GOOD, *command)
    assert done.status == 0, done.err
    assert canary not in done.out + done.err
    assert token not in done.out + done.err


@pytest.mark.parametrize(
    "case",
    [
        ("vault://wrong/cli/db#password", {}, 77, "wrong/cli/db"),
        ("vault://secret/cli/db", {}, 65, "PASSWORD"),
        ("vault://secret/cli/db#pasword", {}, 65, "did you mean `password`"),
        ("vault://secret/cli/db?version=99#password", {}, 65, "has no version 99"),
        ("vault://secret/cli/db?versoin=99#password", {}, 78, "no parameter `versoin`"),
        ("vault://secret/cli/../db#password", {}, 78, "`.` and `..`"),
        ("vault://secret/other#password", {}, 77, 'path "secret/data/other" { capabilities = ["read"] }'),
        (GOOD, {"VAULT_NAMESPACE": "nowhere"}, 65, "no namespace is called `nowhere`"),
        (GOOD, {"VAULT_ADDR": "127.0.0.1:8200"}, 78, "no scheme"),
        (GOOD, {"VAULT_ADDR": "http://vault.example.com"}, 78, "plain `http`"),
        (GOOD, {"VAULT_ADDR": ""}, 78, "no address"),
        (GOOD, {"VAULT_TOKEN": ""}, 77, "there is no token"),
        (GOOD, {"VAULT_TOKEN": "cnry-wrong"}, 77, "not accepted"),
    ],
)
def test_bad_input_has_its_exit_status(
    project: Project, bao: Bao, token: str, canary: str, case: tuple[str, Mapping[str, str], int, str]
) -> None:
    reference, options, status, words = case
    done = run(project, bao, token, reference, "exec", *SENTINEL, **options)
    assert (done.status, words in done.err) == (status, True), done.err
    assert not project.started()
    for secret in (canary, token, "cnry-wrong"):
        assert secret not in done.out + done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ('addres = "x"', "unknown key `addres` (did you mean `address`?)"),
        ('auth = { method = "aprole" }', "did you mean `approle`"),
        ('auth = { method = "token", token = "s.123" }', "cannot stand in the manifest"),
        ('auth = { method = "approle", secret_id = "123" }', "cannot stand in the manifest"),
        ('auth = { method = "userpass", username = "x", password = "123" }', "cannot stand in the manifest"),
        ('auth = { role = "x" }', "`auth` with the method `token` takes no `role`"),
        ('auth = { method = "jwt", role = "x", jwt = "123" }', "`auth.jwt` must be a table"),
        ('auth = { method = "jwt", role = "x" }', "needs `jwt`"),
        ("kv_version = 3", "kv_version"),
        ("connections = 0", "at least 1"),
    ],
)
def test_a_wrong_table_is_told(project: Project, bao: Bao, token: str, backend: str, words: str) -> None:
    done = run(project, bao, token, GOOD, "exec", *SENTINEL, backend=backend)
    assert (done.status, words in done.err) == (78, True), done.err
    assert "123" not in done.err
    assert not project.started()


def test_silence_until_the_deadline_is_75(project: Project, bao: Bao, token: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = run(project, bao, token, GOOD, "exec", "--timeout", "1", *SENTINEL, VAULT_ADDR=address)
    assert done.status == 75, done.err
    assert not project.started()


def test_a_source_is_a_whole_secret_and_numbers_keep_their_text(project: Project, bao: Bao, token: str) -> None:
    project.manifest('[environments.production]\nsources = ["bao://secret/cli/db"]\n')
    done = project.run("exec", "--", "env", env={"BAO_ADDR": bao.address, "BAO_TOKEN": token, "VAULT_TOKEN": "x"})
    assert done.status == 0, done.err
    assert {"USER=shop", "PORT=5432"} <= set(done.out.splitlines())
    assert ROOT not in done.out


def test_a_backend_of_another_name_adjusted_by_an_environment(project: Project, bao: Bao, token: str) -> None:
    project.manifest(
        '[backends.team]\nadapter = "vault"\naddress = "http://127.0.0.1:1"\n'
        '[environments.production]\nsources = ["team://secret/cli/db"]\n'
        f'[environments.production.backends.team]\naddress = "{bao.address}"\n'
        'auth = { method = "token", token = { env = "TEAM_TOKEN" } }\n'
    )
    done = project.run("exec", "--", "env", env={"TEAM_TOKEN": token})
    assert done.status == 0, done.err
    assert "PORT=5432" in done.out
    assert "TEAM_TOKEN" not in done.out


def test_a_new_version_of_a_secret_is_another_fingerprint(project: Project, bao: Bao, token: str) -> None:
    first = run(project, bao, token, GOOD, "fingerprint")
    assert (first.status, first.err) == (0, "")
    assert run(project, bao, token, GOOD, "fingerprint").out == first.out
    bao.put("cli/db", {"password": "another"})
    assert run(project, bao, token, GOOD, "fingerprint").out != first.out
