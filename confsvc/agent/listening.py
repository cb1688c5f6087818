"""The agent's socket: one that was handed over, or one of our own that nobody else has."""

import os
import socket
import stat
from typing import NamedTuple

from confsvc.discovery import display
from confsvc.errors import OutputError, UsageError
from confsvc.meeting import Lead, Place, is_ours
from confsvc.thin.place import SOCKET, place_of

__all__ = ["Listening", "listen"]

_FIRST = 3  # the number of the first socket that systemd hands over: sd_listen_fds(3)
_BACKLOG = 4096
_LONGEST = 100  # bytes of a path


class Listening(NamedTuple):
    """A socket that is listened at. ``lead`` is None for one that was handed over, and stays with who did."""

    listener: socket.socket
    path: str
    lead: Lead | None

    def close(self) -> None:
        """Listen no longer."""
        if self.lead:
            self.lead.close(self.path)
        else:
            self.listener.close()


def listen(path: str, *, is_wide: bool) -> Listening:
    """Listen at the socket that systemd hands over, else at ``path``, else where clients look by themselves.

    ``is_wide`` lets other users connect; whether they are answered is said elsewhere.

    Raises:
        UsageError: the environment says that there is to be none.
        OutputError: somebody listens there already, or nobody can, or not safely.

    """
    handed = _handed_over()
    if handed is not None:
        return Listening(handed, _name_of(handed), None)
    path = path or place_of(os.environ)[0]
    if not path:
        raise UsageError(f"{SOCKET} is empty, so that no client asks: `--socket PATH` says where to listen")
    path = os.path.abspath(path)
    folder = os.path.dirname(path)
    if len(os.fsencode(path)) > _LONGEST:
        raise OutputError(f"`{display(path)}` is too long for a socket: {_LONGEST} bytes at most")
    _check_folder(folder, is_wide=is_wide)
    _check_place(path)
    lead = Place(path).lead(_BACKLOG, 0o666 if is_wide else 0o600)
    if lead is None:
        raise OutputError(
            f"`{display(path)}` cannot be listened at: another agent does, or the folder cannot be written",
            hint=f"`--socket PATH` takes another one, and {SOCKET} tells clients of it",
        )
    return Listening(lead.listener, path, lead)


def _handed_over() -> socket.socket | None:
    """Return the socket that systemd has listened at for us; None where it has not."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS", "0") == "0":
        return None
    if os.environ["LISTEN_FDS"] != "1":
        raise OutputError("systemd hands over several sockets, and the agent has use for one")
    made: socket.socket | None = None
    try:
        made = socket.socket(fileno=_FIRST)
    except OSError:
        made = None
    if made is None or made.family != socket.AF_UNIX or made.type != socket.SOCK_STREAM:
        raise OutputError("what systemd hands over is no Unix socket for streams", hint="ListenStream=/run/…")
    made.set_inheritable(False)
    return made


def _name_of(listener: socket.socket) -> str:
    name = listener.getsockname()
    return name if isinstance(name, str) else ""


def _check_folder(folder: str, *, is_wide: bool) -> None:
    """Refuse a folder in which somebody else could put another socket in the place of ours."""
    if is_ours(folder, mode=0o755 if is_wide else 0o700):
        return
    reason = "others can write into it, or it belongs to somebody else"
    try:
        found = os.stat(folder)
        if found.st_uid in {0, os.geteuid()} and not stat.S_IMODE(found.st_mode) & 0o022:
            return
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
    hint = "`mkdir -m 700` makes one, and `--socket PATH` takes another place"
    raise OutputError(f"the folder `{display(folder)}` cannot hold the agent's socket: {reason}", hint=hint)


def _check_place(path: str) -> None:
    """Refuse to take the place of what is no socket of ours."""
    try:
        found = os.lstat(path)
    except OSError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise OutputError(f"`{display(path)}` is there already, and is no socket of this user")
