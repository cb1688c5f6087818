"""The agent among clients and stores that misbehave, and when it dies itself."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from agents import Agent, Said, ask_raw, run_agent
from fault_proxy import FaultProxy, run_proxy
from openbao import Bao, missing
from public import public_folder
from running import CONFSVC, Project
from supervised import until
from toxics import Latency, ResetPeer
from usage import resident

MANIFEST = """
project = "shop"
[settings]
PASSWORD = {{ secret = true }}
[backends.vault]
address = "http://127.0.0.1:{port}"
[environments.production]
sources = ["vault://secret/agent-faults"]
"""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
NOBODY = 65534
START = [CONFSVC, "exec", "--", "sh", "-c", 'printf %s "$PASSWORD"']
ASK = b"GET /v1/settings HTTP/1.1\r\nHost: confsvc\r\nConnection: close\r\n\r\n"


@pytest.fixture
def proxy(bao: Bao, canary: str) -> Iterator[FaultProxy]:
    """A proxy before a real server with a secret in it."""
    bao.put("agent-faults", {"password": canary})
    with run_proxy(bao.port) as started:
        yield started


@pytest.fixture
def shop(project: Project, bao: Bao, proxy: FaultProxy) -> Project:
    """A project that reads the secret."""
    project.manifest(MANIFEST.format(port=proxy.port))
    project.environ["VAULT_TOKEN"] = bao.token(bao.policy("agent-faults", "secret/data/agent-faults read"))
    return project


@pytest.fixture
def agent(shop: Project) -> Iterator[Agent]:
    """An agent that serves it."""
    with run_agent(shop, "--interval", "1s") as made:
        yield made


def noise(source: random.Random) -> bytes:
    """Return a request that is none: random bytes, or a good one that was cut, repeated or changed somewhere."""
    kind = source.randrange(4)
    if kind == 0:
        return source.randbytes(source.randrange(2000))
    if kind == 1:
        return ASK[: source.randrange(len(ASK))]
    if kind == 2:
        return ASK.replace(b"close", b"keep-alive") * source.randrange(30) + source.randbytes(10)
    place = source.randrange(len(ASK))
    return ASK[:place] + source.randbytes(3) + ASK[place:]


def test_noise_costs_no_memory_and_disturbs_nobody(agent: Agent, canary: str) -> None:
    source = random.Random(20261128)  # noqa: S311 - the same noise each time
    for _ in range(50):
        send(agent.path, noise(source))
    before = resident(agent.process.pid)
    for _ in range(600):
        send(agent.path, noise(source))
    assert resident(agent.process.pid) - before < 5
    assert agent.get("/v1/settings").data["settings"]["PASSWORD"]["text"] == canary
    assert agent.process.poll() is None


def send(path: str, data: bytes) -> None:
    """Send ``data``, say that this is all, and take what comes back until it is over."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(20)
        one.connect(path)
        try:
            one.sendall(data)
            one.shutdown(socket.SHUT_WR)
            while one.recv(1 << 16):
                pass
        except ConnectionError:
            return  # it has hung up on us, and may


def test_who_never_reads_is_hung_up_on(project: Project, canary: str) -> None:
    project.manifest(
        '[settings]\nA = { secret = true }\n[environments.app]\nsources = ["dotenv://.env"]\n',
        env=f"A={canary}{'x' * 100_000}\n",
    )
    with run_agent(project) as agent, socket.socket(socket.AF_UNIX) as one:
        one.connect(agent.path)
        one.sendall(ASK.replace(b"close", b"keep-alive") * 50)
        assert agent.get("/v1/settings").status == 200  # nobody else waits for it
        until(lambda: 'reason="slow"' in agent.get("/metrics").body.decode())
        one.settimeout(20)
        with suppress(ConnectionError):  # that is hanging up, too
            while one.recv(1 << 16):
                pass


def test_a_read_that_fails_fails_for_all_who_wait_and_is_not_repeated(agent: Agent, proxy: FaultProxy) -> None:
    proxy.use(Latency(0.3), ResetPeer())
    proxy.forget()
    with ThreadPoolExecutor(24) as pool:
        said = list(pool.map(lambda _: agent.get("/v1/documents?max_age=0"), range(24)))
    assert len({one.status for one in said}) == 1
    assert len(proxy.requests()) <= 12
    proxy.clear()
    agent.wait()


def test_killed_under_load_no_start_fails(shop: Project, canary: str) -> None:
    with run_agent(shop) as agent:
        environ = {**shop.environ, **agent.environ}
        done: list[tuple[int, bytes]] = []

        def start() -> None:
            one = subprocess.run(START, cwd=shop.folder, env=environ, capture_output=True, check=False)
            done.append((one.returncode, one.stdout))

        starts = [threading.Thread(target=start) for _ in range(24)]
        for number, one in enumerate(starts):
            one.start()
            if number == 12:
                agent.process.send_signal(signal.SIGKILL)
            time.sleep(0.02)
        for one in starts:
            one.join()
        assert done == [(0, canary.encode())] * len(starts)
        agent.process.wait(20)
        with run_agent(shop, path=agent.path) as successor:
            assert subprocess.run(START, cwd=shop.folder, env=environ, capture_output=True, check=True).stderr == b""
            assert successor.get("/v1/settings").status == 200


# Connects as one user, and speaks as another one; or gives the connection to its parent, who speaks.
CONNECT = """
import os, socket, sys
path, as_whom, ask, descriptor = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
def change():
    os.setgroups([]); os.setgid(as_whom); os.setuid(as_whom)
if descriptor:
    change()
one = socket.socket(socket.AF_UNIX)
one.connect(path)
if descriptor:
    socket.send_fds(socket.socket(fileno=descriptor), [b"x"], [one.fileno()])
else:
    change()
    one.sendall(ask.encode())
    while piece := one.recv(65536):
        os.write(1, piece)
"""


@pytest.fixture
def public_path() -> Iterator[str]:
    """Where an agent can listen that every user may try to connect to."""
    with public_folder() as folder:
        yield str(folder / "agent.sock")


@pytest.fixture
def public_agent(shop: Project, public_path: str) -> Iterator[Agent]:
    """An agent that every user may connect to."""
    with run_agent(shop, path=public_path) as made:
        Path(public_path).chmod(0o666)
        yield made


@AS_ROOT
def test_who_connected_counts_and_not_who_speaks(public_agent: Agent, canary: str) -> None:
    agent = public_agent
    command = [sys.executable, "-c", CONNECT, agent.path, str(NOBODY), ASK.decode()]
    spoken = subprocess.run([*command, "0"], capture_output=True, check=True).stdout
    assert canary.encode() in spoken
    ours, theirs = socket.socketpair()
    with ours, theirs:
        subprocess.run([*command, str(theirs.fileno())], pass_fds=[theirs.fileno()], check=True)
        _, (descriptor,), _, _ = socket.recv_fds(ours, 1, 1)
    with socket.socket(fileno=descriptor) as one:
        one.settimeout(20)
        try:
            one.sendall(ASK)
            assert one.recv(65536) == b""
        except ConnectionError:
            return


@AS_ROOT
def test_who_has_no_number_here_is_hung_up_on(shop: Project, public_path: str) -> None:
    """The agent in a user namespace that knows root alone: anybody else is nobody there, and not let in."""
    if not shutil.which("setpriv"):
        missing("setpriv", "apt-get install util-linux")
    path, log = public_path, shop.folder / "agent.log"
    command = ["unshare", "-Ur", CONFSVC, "agent", "--socket", path]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=shop.folder, env=shop.environ, stdout=stream, stderr=stream)
    agent = Agent(process, path, log)
    try:
        agent.wait()
        Path(path).chmod(0o666)
        ask = f"import sys; sys.path[:0] = {sys.path!r}; from agents import ask_raw; print(ask_raw({path!r}, {ASK!r}))"
        somebody = ["setpriv", "--reuid", str(NOBODY), "--clear-groups", "--", sys.executable, "-c", ask]
        done = subprocess.run(somebody, capture_output=True, check=True)
        assert done.stdout == b"b''\n"
        assert Said(ask_raw(path, ASK)).status == 200
    finally:
        process.kill()
        process.wait(20)
