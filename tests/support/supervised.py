"""Running a command that stays, and waiting for what it says."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from running import CONFSVC, Project

__all__ = ["Running", "alive", "children", "until"]


class Running:
    """A `confsvc` that stays, whose output goes to files."""

    def __init__(self, project: Project, argv: Sequence[str], *, prefix: Sequence[str] = ()) -> None:
        self._out, self._err = project.folder / "out.txt", project.folder / "err.txt"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*prefix, CONFSVC, *argv],
                cwd=project.folder,
                env=project.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def pid(self) -> int:
        """The parent's process id."""
        return self.process.pid

    @property
    def out(self) -> str:
        """What was printed so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What was said on stderr so far."""
        return self._err.read_text()

    def says(self, text: str, count: int = 1) -> None:
        """Wait until ``text`` was printed ``count`` times, to either stream."""
        until(lambda: (self.out + self.err).count(text) >= count, lambda: f"{self.out}\n{self.err}")

    def send(self, number: int) -> None:
        """Send a signal to the parent."""
        os.kill(self.pid, number)

    def status(self) -> int:
        """Wait until it ends, and return its exit status."""
        return self.process.wait(60)

    def close(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()


def until(is_so: Callable[[], bool], why: Callable[[], object] = lambda: "") -> None:
    """Wait until something is so; it fails where that does not come within two minutes."""
    end = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < end, why()
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    """Return the process ids of the children of ``pid``."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found += [int(word) for word in (task / "children").read_text().split()]
    return found


def alive(pid: int) -> bool:
    """Tell whether ``pid`` runs; a zombie does not, nor one that is just being taken away."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False
