"""Seeing whether code does I/O: what it opens, connects to, and starts."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["watch"]

# Audit events: https://docs.python.org/3/library/audit_events.html
_EVENTS = frozenset(
    "_thread.start_new_thread open os.exec os.fork os.forkpty os.listdir os.posix_spawn os.scandir os.spawn os.system "
    "socket.__new__ socket.connect socket.getaddrinfo socket.gethostbyname subprocess.Popen".split()
)

_seen: dict[int, list[str]] = {}  # what the threads do that are watched
_hooks: list[object] = []


@contextmanager
def watch() -> Iterator[list[str]]:
    """Fill a list with what this thread does meanwhile. Not reentrant."""
    if not _hooks:  # a hook cannot be taken away again: one is enough
        sys.addaudithook(_notice)
        _hooks.append(_notice)
    thread = threading.get_ident()
    found = _seen[thread] = list[str]()
    try:
        yield found
    finally:
        del _seen[thread]


def _notice(event: str, arguments: tuple[object, ...]) -> None:
    if _seen and event in _EVENTS and (found := _seen.get(threading.get_ident())) is not None:
        found.append(f"{event} {arguments[0] if event == 'open' else ''}".strip())
