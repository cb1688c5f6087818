"""Where a line of the audit trail goes: the end of a file, or the system's log. Whole, or not at all and said so."""

import os
import time
from stat import S_ISREG

__all__ = ["SYSLOG", "append", "send"]

SYSLOG = "syslog:"
_SOCKET = "/dev/log"
_PRIORITY = 10 * 8 + 6  # authpriv.info, in the numbers of RFC 5424
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_PATIENCE = 5.0  # seconds: whoever holds the lock writes one line
_PAUSE = 0.005


def append(path: str, line: bytes) -> str:
    """Append ``line`` to the file at ``path``; an empty one only checks that it could be. Returns why it failed.

    The file is made for its owner alone, and no link is followed.
    """
    try:
        handle = os.open(path, _FLAGS, mode=0o600)
        try:
            return _locked(handle, line) if S_ISREG(os.fstat(handle).st_mode) else "it is not a regular file"
        finally:
            os.close(handle)
    except OSError as error:
        return _reason(error)
    except ValueError:
        return "its name holds a NUL"


def _locked(handle: int, line: bytes) -> str:
    """Write under a lock, so that a line which did not fit can be taken back before anybody writes behind it."""
    import fcntl

    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return "somebody else has locked it"
            time.sleep(_PAUSE)
        else:
            return _write(handle, line)


def _write(handle: int, line: bytes) -> str:
    before = os.fstat(handle).st_size
    reason = "there is no room for the line"
    try:
        if os.write(handle, line) == len(line):
            return ""
    except OSError as error:
        reason = _reason(error)
    os.ftruncate(handle, before)
    return reason


def send(address: str, lines: list[bytes], tag: str) -> str:
    """Send ``lines`` to the system's log: the socket at ``address``, by default /dev/log. Returns why it failed."""
    import socket

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.settimeout(_PATIENCE)
            log.connect(address.removeprefix(SYSLOG) or _SOCKET)
            for line in lines:
                log.send(f"<{_PRIORITY}>{tag}: ".encode() + line)
    except OSError as error:
        return _reason(error)
    except ValueError:
        return "its name holds a NUL"
    return ""


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else "it does not answer"
