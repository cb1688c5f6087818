"""A signal ends a start at once, whatever it is waiting for, and the command never starts."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fault_proxy import FaultProxy, run_proxy
from namespaces import HOST, nameless
from openbao import Bao
from running import CONFSVC
from supervised import until
from toxics import Slicer, Timeout

SOON = 0.2  # seconds, and what the machine had no processor for


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
    process = start(tmp_path, f"http://127.0.0.1:{proxy.port}")
    until(lambda: proxy.first_at > 0 or (phase is connecting and is_asleep(process.pid)))
    end(process, number)
    assert not (tmp_path / "started").exists()


def test_a_signal_ends_a_start_that_waits_for_a_name(tmp_path: Path) -> None:
    process = start(tmp_path, f"https://{HOST}", *nameless("silent"))
    until(lambda: len(list(Path(f"/proc/{process.pid}/task").iterdir())) > 2)
    end(process, signal.SIGTERM)
    assert not (tmp_path / "started").exists()


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
    return any((task / "stat").read_text().rpartition(")")[2].split()[0] == "S" for task in tasks)


def waited(pid: int) -> float:
    """Return for how many seconds a process waited for a processor."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def end(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Send a signal, which ends ``process`` at once."""
    before = waited(process.pid)
    began = time.monotonic()
    process.send_signal(number)
    last = before
    while process.poll() is None:
        assert time.monotonic() - began < 20
        try:
            last = waited(process.pid)
        except (OSError, IndexError):
            continue
    assert process.returncode in {-number, 128 + number}
    assert time.monotonic() - began - (last - before) < SOON
