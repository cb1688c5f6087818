"""Where processes meet: a folder that nobody else can change, a socket in it, and a lock for who leads."""

import fcntl
import os
import socket
import stat
import tempfile
from contextlib import suppress
from typing import NamedTuple

__all__ = ["Lead", "Place", "find_place", "is_ours"]

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

    def lead(self, backlog: int = _BACKLOG, mode: int = 0o600) -> Lead | None:
        """Take the lead; None where somebody else has it, or where nobody can. ``mode`` says who may connect."""
        lock = -1
        try:
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _unlink(self.path)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(self.path)
            os.chmod(self.path, mode)
            listener.listen(backlog)
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
        if len(os.fsencode(path)) <= _LONGEST and is_ours(folder):
            return Place(path)
    return None


def is_ours(folder: str, *, mode: int = 0o700) -> bool:
    """Make ``folder`` if need be. Whether it is a folder of this user that is open to nobody beyond ``mode``."""
    try:
        os.mkdir(folder, mode)
    except FileExistsError:
        pass
    except OSError:
        return False
    found = os.lstat(folder)
    is_safe = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return is_safe and not stat.S_IMODE(found.st_mode) & ~mode & 0o077


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
