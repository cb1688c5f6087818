"""Locks with real stores: what was read is read again after every rotation, and a version that is gone says so."""

import signal
import tomllib
from typing import Any

import pytest

from aws import ENVIRON, Aws
from confsvc.testing import find_leaks
from counting import run_counting
from gcp import PROJECT, Gcp
from openbao import ROOT, Bao
from postgres import run_rotating
from running import Done, Project
from supervised import Running, until

MANIFEST = """
project = "locks"
[settings]
URL = { type = "url", secret = true }
OLD = { secret = true }
PLAIN = {}
SMTP = { secret = true }
PREVIOUS = { secret = true }
LABEL = {}
PORT = { type = "int" }
DEEP = {}
TOKEN = { secret = true }
ALIAS = { secret = true }
LOCKS_ONE = {}
LEVEL = { default = "info" }
[backends.gcp]
adapter = "gcp-sm"
project = "%(project)s"
endpoint = "%(gcp)s"
auth = { method = "anonymous" }
[environments.production]
sources = [
  "vault://kv1/locks",
  "aws-ssm:///{project}/{environment}/?recursive=true",
  "gcp:///?prefix=locks-",
  { from = "vault://secret/locks/missing", optional = true },
]
[environments.production.values]
URL = "https://${vault://secret/locks/db#name}:${vault://secret/data/locks/db#password|urlencode}@h/x"
OLD = "${vault://secret/locks/db?version=1#password}"
SMTP = "${aws-sm://locks/smtp#password}"
PREVIOUS = "${aws-sm://locks/smtp?stage=AWSPREVIOUS#password}"
LABEL = "${aws-ssm:///locks/labelled?label=stable}"
TOKEN = "${gcp://projects/%(project)s/secrets/tokens/versions/latest}"
ALIAS = "${gcp:///tokens?version=latest}"
"""


class Stores:
    """Three stores, and a project that reads all of them. ``put`` makes everything new; each value has its number."""

    def __init__(self, project: Project, bao: Bao, aws: Aws, gcp: Gcp, canary: str) -> None:
        self.project, self.bao, self.aws, self.gcp, self.canary = project, bao, aws, gcp, canary
        project.environ |= {"VAULT_ADDR": bao.address, "VAULT_TOKEN": ROOT, "HOME": str(project.folder)}
        project.environ |= {**ENVIRON, "AWS_ENDPOINT_URL": aws.address}
        project.manifest(MANIFEST % {"project": PROJECT, "gcp": gcp.address})

    def put(self, number: int) -> None:
        """Write everything anew."""
        value = f"{self.canary}-{number}"
        self.bao.put("locks/db", {"name": f"n{number}", "password": value})
        self.bao.call("POST", "kv1/locks", {"plain": f"p{number}"})
        self.aws.put_secret("locks/smtp", f'{{"password": "{value}"}}')
        self.aws.put_parameter("/locks/labelled", f"l{number}")
        self.aws.put_parameter("/locks/production/port", str(number), "String")
        self.aws.put_parameter("/locks/production/further/down/deep", f"d{number}", "String")
        self.gcp.put("tokens", value.encode())
        self.gcp.put("locks-one", f"o{number}".encode())

    def run(self, *argv: str) -> Done:
        """Run a command, which must not tell a secret."""
        done = self.project.run(*argv)
        assert argv[0] in {"export", "get", "exec"} or find_leaks(self.canary, done.out, done.err) == []
        return done

    def values(self, *argv: str) -> dict[str, str]:
        """Return what is exported."""
        done = self.project.run("export", "--format", "dotenv", *argv)
        assert done.status == 0, done.err
        return {name: text.strip("'") for name, _, text in (line.partition("=") for line in done.out.splitlines())}

    def lock(self) -> dict[str, Any]:
        """Lock, and return what the lock says of each setting."""
        done = self.run("lock")
        assert done.status == 0, done.err
        text = (self.project.folder / "confsvc.lock").read_text()
        assert find_leaks(self.canary, text) == []
        found: dict[str, Any] = tomllib.loads(text)["environments"]["production"]["settings"]
        return found


@pytest.fixture
def stores(project: Project, bao: Bao, aws: Aws, gcp: Gcp, canary: str) -> Stores:
    """Stores that were written twice, and a parameter whose first version has a label."""
    made = Stores(project, bao, aws, gcp, canary)
    bao.call("DELETE", "secret/metadata/locks/db")
    made.put(1)
    made.put(2)
    versions = aws.parameters.get_parameter_history(Name="/locks/labelled")["Parameters"]
    version = versions[-2]["Version"]
    aws.parameters.label_parameter_version(Name="/locks/labelled", ParameterVersion=version, Labels=["stable"])
    return made


def test_everything_that_was_locked_is_read_again_after_it_rotated(stores: Stores) -> None:
    before = stores.values()
    locked = stores.lock()
    for number in (3, 4):
        stores.put(number)
    stores.aws.parameters.label_parameter_version(Name="/locks/labelled", Labels=["stable"])
    stores.bao.put("locks/missing", {"level": "debug"})
    after = stores.values("--locked")
    assert after == {**before, "PLAIN": "p4"}  # KV version 1 keeps nothing
    changed = {name for name, text in stores.values().items() if after[name] != text}
    assert changed == set(before) - {"OLD", "PLAIN"}
    reads = {name: [read.get("version", read.get("state")) for read in one["reads"]] for name, one in locked.items()
             if name != "LEVEL"}  # fmt: skip
    assert reads["URL"] == ["2", "2"]
    assert reads["OLD"] == ["1"]
    assert reads["PLAIN"] == ["unpinned"]
    assert reads["SMTP"] != reads["PREVIOUS"]
    assert all(reads[name][0].isdecimal() for name in ("LABEL", "PORT", "DEEP", "TOKEN", "ALIAS", "LOCKS_ONE"))
    assert locked["DEEP"]["reads"][0]["part"] == "further/down/deep"
    assert locked["LOCKS_ONE"]["reads"][0]["part"] == "locks-one"


def test_what_moved_is_told_by_metadata_alone(stores: Stores) -> None:
    stores.lock()
    assert stores.run("lock", "--check").status == 0
    stores.put(3)
    with run_counting(stores.bao.address) as vault, run_counting(stores.aws.address) as amazon:
        stores.project.environ |= {"VAULT_ADDR": vault.address, "AWS_ENDPOINT_URL": amazon.address}
        done = stores.run("lock", "--check", "-v")
    assert done.status == 1, done.err
    assert done.err.count("not known") == 2  # KV version 1, and which version has the label
    moved = {line.split()[1] for line in done.out.splitlines()[1:]}
    assert moved == {
        "vault://secret/locks/db",
        "vault://secret/data/locks/db",
        "aws-sm://locks/smtp",
        "aws-sm://locks/smtp?stage=AWSPREVIOUS",
        "aws-ssm:///locks/production/port",
        "aws-ssm:///locks/production/further/down/deep",
        f"gcp://projects/{PROJECT}/secrets/tokens/versions/latest",
        "gcp:///tokens?version=latest",
        "gcp:///locks-one",
    }
    assert [path for path in vault.asked if "/data/" in path] == []
    assert set(amazon.operations) <= {"DescribeSecret", "DescribeParameters"}


def test_a_locked_tree_is_read_ten_parameters_at_a_time(project: Project, aws: Aws) -> None:
    names = [f"P{number}" for number in range(45)]
    for name in names:
        aws.put_parameter(f"/locks/many/{name.lower()}", "then", "String")
    settings = "".join(f"{name} = {{}}\n" for name in names)
    project.manifest(
        f'project = "locks"\n[settings]\n{settings}[environments.many]\nsources = ["aws-ssm:///locks/many/"]\n'
    )
    project.environ |= {**ENVIRON, "AWS_ENDPOINT_URL": aws.address, "HOME": str(project.folder)}
    assert project.run("lock").status == 0
    for name in names:
        aws.put_parameter(f"/locks/many/{name.lower()}", "now", "String")
    with run_counting(aws.address) as counting:
        done = project.run("export", "--format", "dotenv", "--locked", env={"AWS_ENDPOINT_URL": counting.address})
    assert done.out == "".join(f"{name}='then'\n" for name in names)
    assert counting.operations == {"GetParameters": 5}


def test_a_version_that_is_gone_is_named(stores: Stores) -> None:
    locked = stores.lock()
    stores.put(3)
    parent = f"projects/{PROJECT}/secrets/tokens/versions"
    stores.bao.call("POST", "secret/destroy/locks/db", {"versions": [2]})
    stores.gcp.client.disable_secret_version(name=f"{parent}/{locked['TOKEN']['reads'][0]['version']}")
    stores.aws.parameters.delete_parameter(Name="/locks/production/port")
    stores.aws.secrets.delete_secret(SecretId="locks/smtp", RecoveryWindowInDays=7)
    try:
        done = stores.run("exec", "--locked", "--", "touch", "started")
        checked = stores.run("lock", "--check")
    finally:
        stores.aws.secrets.restore_secret(SecretId="locks/smtp")
    assert (done.status, stores.project.started()) == (65, False)
    told = {line.split()[0]: line for line in done.err.splitlines() if line.startswith("  ")}
    assert "version 2 of `secret/data/locks/db` was destroyed" in told["URL"]
    assert "disabled" in told["TOKEN"]
    assert "/locks/production/port" in told["PORT"]
    assert "it is the version that was locked" in told["PORT"]
    assert "SMTP" in told
    assert find_leaks(stores.canary, done.out, done.err) == []
    gone = {line.split()[1] for line in checked.out.splitlines() if line.split()[0] == "gone"}
    assert gone >= {"vault://secret/locks/db", "aws-ssm:///locks/production/port"}


def test_a_secret_that_was_deleted_is_no_absence_that_a_default_mends(project: Project, bao: Bao) -> None:
    project.environ |= {"VAULT_ADDR": bao.address, "VAULT_TOKEN": ROOT}
    project.manifest(
        '[settings]\nA = { default = "fallback" }\n[environments.production.values]\nA = "${vault://secret/locks/a#f}"\n'
    )
    bao.put("locks/a", {"f": "then"})
    assert project.run("lock").status == 0
    bao.call("DELETE", "secret/metadata/locks/a")
    assert project.run("get", "A").out == "fallback"
    done = project.run("get", "A", "--locked")
    assert (done.status, done.out) == (65, "")
    assert "it is the version that was locked" in done.err


@pytest.mark.parametrize(("old", "new"), [('version = "1"', 'version = "one"'), ('version = "1"', 'version = "0"')])
def test_a_version_that_the_store_cannot_have_is_the_locks_fault(
    project: Project, bao: Bao, old: str, new: str
) -> None:
    project.environ |= {"VAULT_ADDR": bao.address, "VAULT_TOKEN": ROOT}
    project.manifest('[settings]\nA = {}\n[environments.production.values]\nA = "${vault://secret/locks/b#f}"\n')
    bao.call("DELETE", "secret/metadata/locks/b")
    bao.put("locks/b", {"f": "then"})
    assert project.run("lock").status == 0
    path = project.folder / "confsvc.lock"
    path.write_text(path.read_text().replace(old, new))
    done = project.run("get", "A", "--locked")
    assert (done.status, "a number from 1 on" in done.err) == (78, True)
    assert project.run("lock", "--check").err == done.err
    path.write_text(path.read_text().replace(new, 'version = "999"'))
    assert project.run("get", "A", "--locked").status == 65


def test_files_are_rendered_from_a_lock(stores: Stores) -> None:
    stores.lock()
    stores.put(3)
    done = stores.run("render", "--to", "out", "--locked")
    assert done.status == 0, done.err
    assert (stores.project.folder / "out" / "PORT").read_text() == "2"


def test_credentials_that_are_made_when_they_are_read_are_marked_and_kept_alive(project: Project, bao: Bao) -> None:
    project.environ |= {"VAULT_ADDR": bao.address, "VAULT_TOKEN": ROOT}
    project.manifest(
        "[settings]\nUSER = { secret = true }\nWORD = { secret = true }\n[environments.production.values]\n"
        'USER = "${vault://locked-database/creds/app#username}"\nWORD = "${vault://secret/locks/word#w}"\n'
    )
    bao.put("locks/word", {"w": "then"})
    with run_rotating(bao, "locked-database", life="1h", longest="2h"):
        assert project.run("lock", "--strict").status == 0
        locked = tomllib.loads((project.folder / "confsvc.lock").read_text())["environments"]["production"]
        reference = "vault://locked-database/creds/app#username"
        assert locked["settings"]["USER"]["reads"] == [{"reference": reference, "state": "leased"}]
        assert leases(bao) == []
        bao.put("locks/word", {"w": "now"})
        running = Running(
            project, ["exec", "--locked", "--watch=300ms", "--", "sh", "-c", 'echo "up $WORD"; exec sleep 60']
        )
        try:
            running.says("up then")
            bao.put("locks/word", {"w": "later"})
            until(lambda: len(leases(bao)) == 1)
            running.send(signal.SIGTERM)
            assert running.status() == 143
            assert running.out == "up then\n"
        finally:
            running.close()


def leases(bao: Bao) -> list[str]:
    """Return the leases of the database engine that live."""
    import urllib.error

    try:
        found: list[str] = bao.call("LIST", "sys/leases/lookup/locked-database/creds/app")["data"]["keys"]
    except urllib.error.HTTPError as error:
        error.close()
        return []
    return found
