"""Keeping what a process holds to itself: no core dump, and for who stays, no look into it by others of its user."""

import sys
from resource import RLIMIT_CORE, getrlimit, setrlimit

__all__ = ["allow", "forbid", "hide"]

_PR_SET_DUMPABLE = 4  # <linux/prctl.h>

_limits: list[tuple[int, int]] = []  # what we were started with


def forbid() -> None:
    """Leave no core dump from now on."""
    if not _limits:
        _limits.append(getrlimit(RLIMIT_CORE))
        setrlimit(RLIMIT_CORE, (0, _limits[0][1]))


def allow() -> None:
    """Give back the limit that we were started with, which is the command's."""
    while _limits:
        setrlimit(RLIMIT_CORE, _limits.pop())


def hide() -> None:
    """Leave no core dump, and let only root look into this process's memory, environment and files. For Linux.

    Its children are hidden, too, until they become something else.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, *[ctypes.c_ulong(0)] * 4)
