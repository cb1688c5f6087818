"""What is done when settings change, as ``--on-change`` says it."""

import shlex
import signal
from typing import NamedTuple

from confsvc.errors import UsageError

__all__ = ["Action", "parse_action", "parse_signal"]

_HINT = "--on-change restart, --on-change signal:HUP, or --on-change 'command:PROGRAM ARGUMENTS'"


class Action(NamedTuple):
    """``kind`` is ``restart``, ``signal`` or ``command``; ``signal`` a number, ``command`` the words to run."""

    kind: str = "restart"
    signal: int = 0
    command: tuple[str, ...] = ()


def parse_action(text: str) -> Action:
    """Return what ``text`` says.

    Raises:
        UsageError: it says nothing we know.

    """
    kind, _, rest = text.partition(":")
    if text == "restart":
        return Action()
    if kind == "signal":
        return Action("signal", signal=parse_signal(rest))
    words: tuple[str, ...] = ()
    if kind == "command":
        try:
            words = tuple(shlex.split(rest))
        except ValueError:  # a quote that is not closed
            words = ()
        if words:
            return Action("command", command=words)
    raise UsageError("--on-change does not take that", hint=_HINT)


def parse_signal(text: str) -> int:
    """Return the number of the signal called ``text``: ``HUP``, ``SIGHUP`` or ``1``.

    Raises:
        UsageError: there is no such signal, or nobody can be sent it in vain.

    """
    name = text.upper()
    if name.isascii() and name.isdigit() and int(name) in signal.valid_signals():
        return int(name)
    name = name if name.startswith("SIG") else f"SIG{name}"
    found = getattr(signal, name, None) if not name.startswith("SIG_") else None
    if not isinstance(found, signal.Signals):
        raise UsageError(f"no signal is called `{text}`", hint="HUP, USR1, USR2, TERM and so on: `kill -l` lists them")
    return int(found)
