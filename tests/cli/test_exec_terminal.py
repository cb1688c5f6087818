"""`confsvc exec --watch` at a terminal: an interactive shell, its job control, and keys that reach the command once."""

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from running import Project
from supervised import alive, until

MANIFEST = """
[settings]
PORT = { type = "int" }
[environments.development]
sources = ["dotenv://.env"]
"""
APP = """
import os, select, signal, sys
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def note(number, frame):
    say("got", signal.Signals(number).name)
for number in (signal.SIGINT, signal.SIGCONT, signal.SIGWINCH, signal.SIGHUP):
    signal.signal(number, note)
say("up", os.environ["PORT"], os.getpid())
while True:  # a signal that comes just before a wait is noted after it, so no wait is long
    if select.select([0], [], [], 0.1)[0]:
        line = os.read(0, 1000)
        if not line:
            break
        say("read", line.decode().strip())
say("bye")
sys.exit(9)
"""
PROMPT = "ready> "


class Terminal:
    """A bash at a terminal of its own."""

    def __init__(self, project: Project) -> None:
        self.seen = ""
        self.pid, self._handle = pty.fork()
        if self.pid == 0:
            os.chdir(project.folder)
            environ = {**project.environ, "PS1": PROMPT, "TERM": "dumb"}
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"], environ)  # noqa: S606 - a shell is what it is about
        self.until(PROMPT)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._handle, text.encode())

    def until(self, text: str) -> str:
        """Wait for ``text``, and return what was seen up to it since the last time."""
        end = time.monotonic() + 40
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self._handle], [], [], 0.1)[0]:
                self.seen += os.read(self._handle, 10_000).decode()
        found, _, self.seen = self.seen.partition(text)
        return found

    def hang_up(self) -> None:
        """Take the terminal away."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def close(self) -> None:
        """End the shell, and with its terminal everything in it."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.hang_up()


@pytest.fixture
def terminal(project: Project) -> Iterator[Terminal]:
    """A shell in a project with an app that says what it gets."""
    project.manifest(MANIFEST, env="PORT=1\n", **{"app.py": APP})
    made = Terminal(project)
    yield made
    made.close()


def begin(terminal: Terminal, *options: str) -> int:
    """Start the app at the terminal, and return its process id."""
    terminal.type(f"confsvc exec --watch=200ms {' '.join(options)} -- {sys.executable} app.py\n")
    terminal.until("up 1 ")
    return int(terminal.until("\r\n"))


@pytest.mark.parametrize("options", [(), ("--group",)], ids=["same group", "own group"])
def test_ctrl_c_reaches_the_command_once(options: tuple[str, ...], terminal: Terminal) -> None:
    begin(terminal, *options)
    terminal.type("\x03")
    terminal.until("got SIGINT")
    terminal.type("hello\n")
    assert "got" not in terminal.until("read hello")
    terminal.type("\x04")
    terminal.until("bye")
    terminal.until(PROMPT)
    terminal.type("echo status $?\n")
    terminal.until("status 9\r\n")


@pytest.mark.parametrize("options", [(), ("--group",)], ids=["same group", "own group"])
def test_ctrl_z_stops_the_job_and_fg_goes_on(options: tuple[str, ...], terminal: Terminal) -> None:
    begin(terminal, *options)
    terminal.type("\x1a")
    terminal.until("Stopped")
    terminal.until(PROMPT)
    terminal.type("fg\n")
    terminal.until("got SIGCONT")
    terminal.type("again\n")
    terminal.until("read again")
    terminal.type("\x03")
    terminal.until("got SIGINT")
    terminal.type("\x04")
    terminal.until("bye")
    terminal.until(PROMPT)


def test_a_restart_keeps_the_terminal(terminal: Terminal, project: Project) -> None:
    begin(terminal, "--stop-signal=KILL")
    project.swap(".env", "PORT=2\n")
    terminal.until("up 2")
    terminal.type("hello\n")
    terminal.until("read hello")


def test_nothing_stays_when_the_terminal_goes_away(project: Project) -> None:
    project.manifest(MANIFEST, env="PORT=1\n", **{"app.py": APP.replace(", signal.SIGHUP)", ")")})
    terminal = Terminal(project)
    app = begin(terminal)
    terminal.hang_up()
    until(lambda: not alive(app))
    terminal.close()
