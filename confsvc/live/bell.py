"""Waiting for a time, for a word from another thread, or for somebody who asks."""

import select
import socket
from collections.abc import Iterable
from contextlib import suppress

__all__ = ["Bell"]

_LONGEST = 3600.0  # seconds: what waits longer wakes up for nothing, once


class Bell:
    """Rung by any thread, also from signal handlers; one waits for it."""

    def __init__(self) -> None:
        self._ear, self._rope = socket.socketpair()
        for end in (self._ear, self._rope):
            end.setblocking(False)

    def ring(self) -> None:
        """End the wait, or the next one."""
        with suppress(OSError):  # it rings already, or was closed
            self._rope.send(b"\0")

    def wait(self, timeout: float, listeners: Iterable[socket.socket]) -> set[int]:
        """Wait ``timeout`` seconds at most. Returns the file descriptors of ``listeners`` at which somebody asks."""
        poll = select.poll()  # unlike select it knows no highest file descriptor
        for one in (self._ear, *listeners):
            poll.register(one, select.POLLIN)
        found = {descriptor for descriptor, _ in poll.poll(max(0.0, min(timeout, _LONGEST)) * 1000)}
        with suppress(OSError):
            while self._ear.recv(4096):
                pass
        return found

    def close(self) -> None:
        """Close it."""
        self._ear.close()
        self._rope.close()
