"""What Kubernetes shows of a container that has ended: the text in its termination log.

https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
"""

import os
from stat import S_ISREG

__all__ = ["leave"]

_PLACE = "/dev/termination-log"
_LONGEST = 4096  # bytes, of which the kubelet reads no more
_MORE = "\n…\n"


def leave(message: str) -> None:
    """Write ``message`` where the kubelet looks for it, if that is there.

    It was told on stderr already, so that it is no error where it cannot be written.
    """
    place = os.environ.get("CONFSVC_TERMINATION_LOG") or _PLACE
    try:
        handle = os.open(place, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError):
        return
    with open(handle, "wb", buffering=0) as file:
        if S_ISREG(os.fstat(handle).st_mode):
            try:
                file.write(_shortened(message.encode(errors="backslashreplace")))
                file.truncate()
            except OSError:
                return


def _shortened(data: bytes) -> bytes:
    if len(data) <= _LONGEST:
        return data
    more = _MORE.encode()
    return data[: _LONGEST - len(more)].decode(errors="ignore").encode() + more
