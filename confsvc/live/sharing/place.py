"""Where processes of one user meet: a folder that nobody else can look into, and a lock for who leads."""

import fcntl
import os
import socket
import stat
import tempfile
from contextlib import suppress
from typing import NamedTuple

__all__ = ["Lead", "Place", "find_place"]

_LONGEST = 100  # bytes of a path that a socket can have; Linux takes 107, others a few less
_BACKLOG = 128


class Lead(NamedTuple):
    """What whoever leads holds: the lock, and the socket at which it is asked."""

    lock: int
    listener: socket.socket

    def close(self, path: str) -> None:
        """Lead no longer. The socket goes first, so that it is never taken from a successor."""
        self.listener.close()
        if path:
            _unlink(path)
        os.close(self.lock)


class Place(NamedTuple):
    """A meeting place: the path of its socket; beside it lies its lock."""

    path: str

    def lead(self) -> Lead | None:
        """Take the lead; None where somebody else has it, or where nobody can."""
        lock = -1
        try:
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _unlink(self.path)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(self.path)
            listener.listen(_BACKLOG)
        except OSError:
            if lock >= 0:
                os.close(lock)
            return None
        listener.setblocking(False)
        return Lead(lock, listener)

    def connect(self, timeout: float) -> socket.socket | None:
        """Return a connection to whoever leads; None where nobody answers."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.connect(self.path)
        except OSError:
            connection.close()
            return None
        return connection


def find_place(name: str) -> Place | None:
    """Return the place called ``name`` in a folder of this user's own; None where there can be none."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folders = [os.path.join(runtime, "confsvc")] if runtime else []
    for folder in (*folders, os.path.join(tempfile.gettempdir(), f"confsvc-{os.geteuid()}")):
        path = os.path.join(folder, name)
        if len(os.fsencode(path)) <= _LONGEST and _is_ours(folder):
            return Place(path)
    return None


def _is_ours(folder: str) -> bool:
    """Make ``folder`` if need be. Whether it is a folder of this user that nobody else can enter."""
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    except OSError:
        return False
    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
