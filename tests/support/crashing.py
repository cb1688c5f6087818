"""A process that dies before one of its system calls, so that what it leaves can be looked at."""

import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["dies_before"]


def dies_before(number: int, calls: Sequence[str], work: Callable[[], object]) -> bool:
    """Do ``work`` in a child that is killed before its call ``number``, counted over the functions ``calls`` of `os`.

    Returns whether it came that far.
    """
    pid = os.fork()
    if pid == 0:
        left = [number]

        def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
            def dying(*args: Any, **kwargs: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)

            return dying

        for name in calls:
            setattr(os, name, wrap(getattr(os, name)))
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])
