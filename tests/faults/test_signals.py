"""A signal ends a start at once, whatever it is waiting for, and the command never starts."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fault_proxy import FaultProxy, run_proxy
from namespaces import HOST, nameless
from observing import ended
from openbao import Bao
from running import CONFSVC
from supervised import until
from toxics import Slicer, Timeout
from usage import waited

SOON = 0.2  # seconds


@pytest.fixture
def proxy(bao: Bao) -> Iterator[FaultProxy]:
    """A proxy before a real server."""
    with run_proxy(bao.port) as started:
        yield started


def connecting(proxy: FaultProxy) -> None:
    """Answer no attempt to connect."""
    proxy.stall()


def waiting(proxy: FaultProxy) -> None:
    """Answer nothing."""
    proxy.use(Timeout())


def reading(proxy: FaultProxy) -> None:
    """Answer a byte at a time."""
    proxy.use(Slicer(1, 0, 0.1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("phase", [connecting, waiting, reading])
def test_a_signal_ends_a_start(
    tmp_path: Path, proxy: FaultProxy, phase: Callable[[FaultProxy], None], number: signal.Signals
) -> None:
    phase(proxy)

    def once() -> float:
        proxy.forget()
        process = start(tmp_path, f"http://127.0.0.1:{proxy.port}")
        until(lambda: proxy.first_at > 0 or (phase is connecting and is_asleep(process.pid)))
        return end(process, number)

    assert is_soon(once)
    assert not (tmp_path / "started").exists()


def test_a_signal_ends_a_start_that_waits_for_a_name(tmp_path: Path) -> None:
    prefix = nameless("silent")

    def once() -> float:
        process = start(tmp_path, f"https://{HOST}", *prefix)
        until(lambda: len(list(Path(f"/proc/{process.pid}/task").iterdir())) > 2)
        return end(process, signal.SIGTERM)

    assert is_soon(once)
    assert not (tmp_path / "started").exists()


def is_soon(once: Callable[[], float]) -> bool:
    """Tell whether it can be done in time: a busy machine may be late now and then, a fault of ours is each time.

    Nor do seconds count in which there was no processor.
    """
    return any(once() < SOON for _ in range(5))


def start(folder: Path, address: str, *prefix: str) -> "subprocess.Popen[bytes]":
    """Start a command whose setting is at ``address``."""
    (folder / "confsvc.toml").write_text(
        f'[settings]\nA = {{}}\n[backends.vault]\naddress = "{address}"\n'
        '[environments.app.values]\nA = "${vault://secret/a#b}"\n'
    )
    environ = {"PATH": os.environ["PATH"], "VAULT_TOKEN": "cnry-token"}
    return subprocess.Popen([*prefix, CONFSVC, "exec", "--", "touch", "started"], cwd=folder, env=environ)


def is_asleep(pid: int) -> bool:
    """Tell whether a thread beside the first one waits for something."""
    tasks = [task for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid)]
    return any(state_of(task) == "S" for task in tasks)


def state_of(task: Path) -> str:
    """Return the letter of what a thread does, nothing of one that has just ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    return ""


def end(process: "subprocess.Popen[bytes]", number: int) -> float:
    """Send a signal, which ends ``process``, and return after how many seconds it did."""
    before = waited(process.pid)
    began = time.monotonic()
    process.send_signal(number)
    over = ended(process)
    assert process.wait(20) in {-number, 128 + number}
    return over.at - began - (over.waited - before)
