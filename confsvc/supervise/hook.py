"""A program that is run for a change: one at a time, and never for longer than it may."""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress

from confsvc.adapter import lasting_clock
from confsvc.inject.process import find_command
from confsvc.supervise.child import Program, spawn

__all__ = ["Hook"]


class Hook:
    """Runs ``words`` with the new settings, and the names of what changed in ``CONFSVC_CHANGED``."""

    def __init__(self, words: tuple[str, ...], timeout: float) -> None:
        self._words = words
        self._timeout = timeout
        self._waiting: tuple[str, ...] = ()
        self._is_late = False
        self.pid = 0
        self.due = float("inf")

    def run(self, environ: Mapping[str, str], names: tuple[str, ...]) -> None:
        """Start it, or once more when the one that runs has ended.

        Raises:
            CommandError: it cannot be started.

        """
        if self.pid:
            self._waiting = tuple(dict.fromkeys((*self._waiting, *names)))
            return
        file = find_command(self._words[0], environ.get("PATH"))
        changed = {**environ, "CONFSVC_CHANGED": " ".join(names)}
        self.pid = spawn(Program(file, self._words, changed, aside=True))
        self.due = lasting_clock() + self._timeout
        self._is_late = False

    def stop_if_late(self, now: float) -> bool:
        """Kill it, and what it has started, if its time is over. Returns whether it was."""
        if not self.pid or now < self.due:
            return False
        self.due = float("inf")
        self._is_late = True
        self._send(signal.SIGKILL)
        return True

    def end(self) -> None:
        """Tell it to end, as it ends with us."""
        if self.pid:
            self._send(signal.SIGTERM)

    def done(self, status: int) -> int:
        """Take note that it ended, and return ``status``; zero where we killed it, which is known."""
        self.pid = 0
        self.due = float("inf")
        return 0 if self._is_late else status

    def take_waiting(self) -> tuple[str, ...]:
        """Return the names that it is to be run for once more, if any, and forget them."""
        names, self._waiting = self._waiting, ()
        return names if not self.pid else ()

    def _send(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # it has just ended; or it is another user now
            os.killpg(self.pid, number)
