"""Where an agent is asked, and whether whoever listens there may be believed."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket  # noqa: N812 - as the standard library spells its class
    from collections.abc import Mapping

__all__ = ["SOCKET", "UID", "connect", "distrust", "peer_of", "place_of", "set_patience", "trusted_owners"]

SOCKET = "CONFSVC_AGENT_SOCKET"
UID = "CONFSVC_AGENT_UID"

_SYSTEM = "/run/confsvc"  # where there is no folder of the user's own; only root can make it
_NAME = "agent.sock"
_SOCKET_TYPE, _TYPES = 0o140000, 0o170000  # of st_mode; `stat` is not worth its import
_OTHERS_WRITE = 0o022


def place_of(environ: "Mapping[str, str]") -> tuple[str, bool]:
    """Return the path of the agent's socket, and whether somebody named it. An empty path: nobody is to be asked."""
    if SOCKET in environ:
        return environ[SOCKET], True
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return f"{runtime}/confsvc/{_NAME}" if runtime.startswith("/") else f"{_SYSTEM}/{_NAME}", False


def trusted_owners(environ: "Mapping[str, str]") -> frozenset[int]:
    """Return whom a socket may belong to: this user, root, and the user whose number CONFSVC_AGENT_UID is."""
    named = environ.get(UID, "")
    return frozenset({os.geteuid(), 0, *((int(named),) if named.isascii() and named.isdigit() else ())})


def distrust(path: str, owners: frozenset[int]) -> str:
    """Return why the socket at ``path`` is not to be believed, empty where it is. Nothing is sent before that.

    Raises:
        OSError: there is none.

    """
    found = os.lstat(path)
    folder = os.stat(os.path.dirname(path) or ".")
    if found.st_mode & _TYPES != _SOCKET_TYPE:
        return "it is no socket"
    if found.st_uid not in owners:
        return f"it belongs to another user (uid {found.st_uid})"
    if folder.st_uid not in owners or folder.st_mode & _OTHERS_WRITE:
        return "others can write into its folder"
    return ""


def connect(path: str, patience: float) -> "Socket":
    """Return a connection to who listens at ``path``; whatever is done with it takes ``patience`` seconds at most.

    Raises:
        OSError: nobody listens there.

    """
    from _socket import AF_UNIX, SOCK_STREAM, socket

    made = socket(AF_UNIX, SOCK_STREAM)
    try:
        # The kernel's own limit: with Python's, a full queue of a busy agent is an error at once.
        set_patience(made, patience)
        made.connect(path)
    except BaseException:
        made.close()
        raise
    return made


def set_patience(connection: "Socket", seconds: float) -> None:
    """Let each thing done with ``connection`` take ``seconds`` at most."""
    from _socket import SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET
    from sys import byteorder

    whole = int(seconds)
    parts = (whole, int((seconds - whole) * 1_000_000))
    limit = b"".join(part.to_bytes(8, byteorder) for part in parts)  # a struct timeval of two longs
    for option in (SO_RCVTIMEO, SO_SNDTIMEO):
        connection.setsockopt(SOL_SOCKET, option, limit)


def peer_of(connection: "Socket") -> tuple[int, int, int]:
    """Return process, user and group of the other side, as they were when it connected or began to listen.

    Raises:
        OSError: the kernel does not tell.

    """
    import _socket
    from sys import byteorder

    option = getattr(_socket, "SO_PEERCRED", None)
    if option is None:
        raise OSError
    told = connection.getsockopt(_socket.SOL_SOCKET, option, 12)
    return (
        int.from_bytes(told[:4], byteorder, signed=True),
        int.from_bytes(told[4:8], byteorder),
        int.from_bytes(told[8:], byteorder),
    )
