"""Keeping what the agent holds out of core dumps, and from other processes of its user."""

import sys

__all__ = ["harden"]

_PR_SET_DUMPABLE = 4  # <linux/prctl.h>


def harden() -> None:
    """Leave no core, and let nobody but root look into this process's memory and environment. For Linux."""
    from resource import RLIMIT_CORE, getrlimit, setrlimit

    setrlimit(RLIMIT_CORE, (0, getrlimit(RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
