"""Signals as events: all are blocked in every thread, and one thread waits for them.

So none is lost or interrupts anything, and who sent one can be seen: what the terminal sends goes to the whole
foreground group, so the command has it already.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["ENDING", "Arrived", "block_all", "listen", "unblock_all"]

# What asks a process to end.
ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})

_SI_KERNEL = 0x80  # si_code of what the kernel sends, such as the terminal's signals: sigaction(2)
_TERMINALS = frozenset(
    {
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGWINCH,
    }
)


class Arrived(NamedTuple):
    """A signal. ``is_shared``: the terminal sent it, to the command as well."""

    number: int
    is_shared: bool


def block_all() -> None:
    """Block every signal in this thread, and in those it starts from now on."""
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())


def unblock_all() -> None:
    """Block none: what a program expects to start with."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def listen(tell: Callable[[Arrived], None]) -> None:
    """Start the thread that waits for signals and hands each to ``tell``. They must be blocked."""
    threading.Thread(target=_listen, args=(tell,), name="confsvc-signals", daemon=True).start()


def _listen(tell: Callable[[Arrived], None]) -> None:
    while True:
        found = signal.sigwaitinfo(signal.valid_signals())
        is_shared = found.si_code == _SI_KERNEL and found.si_signo in _TERMINALS
        tell(Arrived(found.si_signo, is_shared))


def die_of(number: int) -> None:
    """End this process with the status that a shell gives to who died of signal ``number``."""
    os._exit(128 + number)
