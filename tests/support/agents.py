"""Real agents for tests: started in a project, asked over their socket, and stopped."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from running import CONFSVC, Project

__all__ = ["Agent", "Said", "ask_raw", "run_agent"]


class Said:
    """An HTTP answer. ``early`` says whether an interim answer came before it."""

    def __init__(self, data: bytes) -> None:
        self.early = data.startswith(b"HTTP/1.1 102 ")
        if self.early:
            data = data.partition(b"\r\n\r\n")[2]
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1]) if data else 0
        self.fields = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines[1:])}

    @property
    def data(self) -> Any:
        """What its JSON holds."""
        return json.loads(self.body)


def ask_raw(path: str, request: bytes, timeout: float = 20.0) -> bytes:
    """Send ``request`` to the socket at ``path``, and return everything that comes back until it is closed."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        parts = []
        try:
            connection.sendall(request)
            while part := connection.recv(1 << 16):
                parts.append(part)
        except ConnectionError:
            pass  # it has hung up on us, as some tests want it to
    return b"".join(parts)


class Agent:
    """A running agent. ``log`` are the lines it has written so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", path: str, log: Path) -> None:
        self.process = process
        self.path = path
        self._log = log

    @property
    def environ(self) -> dict[str, str]:
        """What tells clients of it."""
        return {"CONFSVC_AGENT_SOCKET": self.path}

    @property
    def log(self) -> list[dict[str, Any]]:
        whole, _, _ = self._log.read_text().rpartition("\n")  # what comes after that is being written
        return [json.loads(line) for line in whole.splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the lines about one kind of event."""
        return [line for line in self.log if line["event"] == name]

    def get(self, target: str, method: str = "GET", timeout: float = 20.0) -> Said:
        """Ask for a page."""
        head = f"{method} {target} HTTP/1.1\r\nHost: confsvc\r\nConnection: close\r\n\r\n"
        return Said(ask_raw(self.path, head.encode(), timeout))

    def listens(self) -> bool:
        """Tell whether somebody can connect: the socket is there a moment before."""
        with socket.socket(socket.AF_UNIX) as one:
            return not one.connect_ex(self.path)

    def wait(self, page: str = "/readyz", status: int = 200) -> None:
        """Return when ``page`` has this status."""
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.get(page).status == status:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        pytest.fail(f"the agent did not come so far: {self._log.read_text()[-2000:]}")

    def until(self, event: str, count: int = 1) -> None:
        """Return when it has told of ``event`` so often."""
        end = time.monotonic() + 120
        while len(self.events(event)) < count:
            assert time.monotonic() < end, f"no {event}: {self._log.read_text()[-2000:]}"
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and return its status."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def run_agent(
    project: Project, *argv: str, env: Mapping[str, str] | None = None, ready: bool = True, path: str = ""
) -> Iterator[Agent]:
    """Run an agent for the manifest of ``project``. Its socket is in a folder of its own beside that."""
    folder = project.folder / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = path or str(folder / "agent.sock")
    log = project.folder / f"agent-{len(list(project.folder.glob('agent-*.log')))}.log"
    environ = {**project.environ, **(env or {})}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [CONFSVC, "agent", "--socket", path, *argv], cwd=project.folder, env=environ, stderr=stream, stdout=stream
        )
    agent = Agent(process, path, log)
    try:
        if ready:
            agent.wait()
        yield agent
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGCONT)
            process.kill()
            process.wait(20)
