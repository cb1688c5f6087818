"""What Linux offers and Python's standard library does not: prctl(2)."""

import ctypes
import os
import sys

__all__ = ["arrange_death", "prepare"]

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

_library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def prepare() -> None:
    """Look the function up, so that a child just forked does not have to."""
    if _library is not None:
        _library.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


def arrange_death(signal: int, parent: int) -> bool:
    """Have the kernel send ``signal`` to this process when its ``parent`` ends. Returns whether it can.

    False also where the parent has ended already: then there is nobody left to wait for.
    """
    if _library is None:
        return True
    done = _library.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0) == 0
    return done and os.getppid() == parent
