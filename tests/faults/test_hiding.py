"""What a process that holds secrets shows to others: no core dump, no memory, no command line."""

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from confsvc.testing import find_leaks, make_canary
from fault_proxy import FaultProxy, run_proxy
from openbao import Bao, missing
from public import public_folder
from running import CONFSVC, Project
from supervised import Running, children, until
from toxics import Timeout

SECRET = make_canary()
NOBODY = 65534
MANIFEST = """
[settings]
A = {{ secret = true }}
[backends.vault]
address = "http://127.0.0.1:{port}"
[environments.app.values]
A = "${{vault://secret/hiding#a}}"
"""


@pytest.fixture
def project() -> Iterator[Project]:
    """An empty project, which every user may look into."""
    with public_folder() as folder:
        (folder / ".git").mkdir()
        yield Project(folder)


@pytest.fixture
def proxy(bao: Bao) -> Iterator[FaultProxy]:
    """A proxy before a real server with a secret in it."""
    bao.put("hiding", {"a": SECRET})
    with run_proxy(bao.port) as started:
        yield started


@pytest.fixture
def shop(project: Project, bao: Bao, proxy: FaultProxy) -> Project:
    """A project that reads the secret."""
    project.manifest(MANIFEST.format(port=proxy.port))
    project.environ["VAULT_TOKEN"] = bao.token(bao.policy("hiding", "secret/data/hiding read"))
    return project


def core_limit(pid: int) -> str:
    """Return the soft limit of a process's core dumps."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith("Max core file size"))[26:].split()[0]


def test_a_start_leaves_no_core_dump_and_the_command_may(shop: Project, proxy: FaultProxy) -> None:
    own = resource.getrlimit(resource.RLIMIT_CORE)
    if own[1] != resource.RLIM_INFINITY and own[1] < 4096:
        pytest.skip("the hard limit of core dumps is zero here")
    proxy.use(Timeout())
    process = subprocess.Popen(
        ["sh", "-c", f"ulimit -S -c 8; exec {CONFSVC} exec -- sh -c 'ulimit -S -c > limit; kill -QUIT $$'"],
        cwd=shop.folder,
        env=shop.environ,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: proxy.first_at > 0)
    assert core_limit(process.pid) == "0"
    proxy.clear()
    assert process.wait(20) == -signal.SIGQUIT
    assert (shop.folder / "limit").read_text() == "8\n"


@pytest.fixture
def as_nobody(shop: Project) -> list[str]:
    """What runs a command as a user without rights, who may read the project."""
    if os.getuid() != 0:
        pytest.skip("needs root, to become somebody else")
    if not shutil.which("setpriv"):
        missing("setpriv", "apt-get install util-linux")
    for name in ("run", "out"):
        (shop.folder / name).mkdir(mode=0o700)
        os.chown(shop.folder / name, NOBODY, NOBODY)
    (shop.folder / "confsvc.toml").chmod(0o644)
    return ["setpriv", "--reuid", str(NOBODY), "--clear-groups", "--"]


STAYING = {
    "exec": ["exec", "--watch", "--", "sleep", "60"],
    "redact": ["exec", "--redact", "--", "sleep", "60"],
    "watch": ["watch"],
    "render": ["render", "--watch", "--to", "out"],
    "agent": ["agent", "--socket", "run/agent.sock"],
}


def is_asleep(pid: int) -> bool:
    """Tell whether a process has become the command `sleep 60`."""
    return cmdline(pid) == b"sleep\x0060\x00"


def cmdline(pid: int) -> bytes:
    """Return the words of a command, each with a zero byte behind it."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def said(running: Running) -> bool:
    """Tell whether a command that has no child has everything it needs."""
    return any(word in running.err for word in ("watching", "listening"))


@pytest.mark.parametrize("command", STAYING)
def test_who_stays_is_hidden_from_the_others_of_its_user(shop: Project, as_nobody: list[str], command: str) -> None:
    running = Running(shop, STAYING[command], prefix=as_nobody)
    try:
        until(lambda: bool(children(running.pid)) or said(running), lambda: running.err)
        assert Path(f"/proc/{running.pid}/environ").stat().st_uid == 0  # it is nobody's own no more
        for file in ("environ", "mem", "fd/0"):
            script = f"exec 3< /proc/{running.pid}/{file}"
            done = subprocess.run([*as_nobody, "sh", "-c", script], capture_output=True, check=False)
            assert b"Permission denied" in done.stderr
        for child in children(running.pid):
            until(partial(is_asleep, child))  # before that it is its parent once more
            assert Path(f"/proc/{child}/environ").stat().st_uid == NOBODY
        assert find_leaks(SECRET, cmdline(running.pid)) == []
    finally:
        running.close()


def test_others_of_a_user_can_be_looked_into(shop: Project, as_nobody: list[str]) -> None:
    """The control of the test above: a process that does not hide."""
    running = Running(shop, ["exec", "--", "sleep", "60"], prefix=as_nobody)
    try:
        # The words of its command are in its command line from the start: it must have become the command.
        until(partial(is_asleep, running.pid))
        script = f"exec 3< /proc/{running.pid}/environ"
        subprocess.run([*as_nobody, "sh", "-c", script], capture_output=True, check=True)
    finally:
        running.close()


def test_the_command_of_who_hides_has_the_environment_it_would_have(shop: Project, as_nobody: list[str]) -> None:
    """Who hides can no longer look up what it was started with: it has done so before."""
    running = Running(shop, ["exec", "--watch", "--", "env"], prefix=as_nobody)
    try:
        assert running.status() == 0, running.err
    finally:
        running.close()
    names = {line.partition("=")[0] for line in running.out.splitlines()}
    assert names == {*shop.environ, "A", "CONFSVC_ENV", "CONFSVC_FILE"} - {"VAULT_TOKEN"}


def test_what_a_command_unsets_stays_where_it_was_started_with_and_the_docs_say_so(shop: Project) -> None:
    done = shop.run("exec", "--", "sh", "-c", "unset A; test -z ${A+x} && cat /proc/$$/environ")
    assert done.status == 0
    assert f"A={SECRET}" in done.out.split("\0")
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    assert "`unset`" in page
