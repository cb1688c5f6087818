"""What an adapter finds out about its backend for whoever asks why it does not work: findings, each with its fix.

An adapter examines in steps and yields each finding as soon as it has it: where it then hangs, what it found is told.
"""

import os
import subprocess
from collections.abc import Collection, Iterator, Sequence
from importlib.util import find_spec
from typing import Literal, NamedTuple, Protocol

from confsvc.adapter import Deadline, Outcome
from confsvc.errors import ConfsvcError, NotFound
from confsvc.reference import Reference

__all__ = ["Examiner", "Finding", "Level", "extra_findings", "finding_of", "git_state", "reading_finding", "span"]

Level = Literal["ok", "note", "warning", "problem"]

_GIT_SECONDS = 5
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


class Finding(NamedTuple):
    """One thing found out. No field of it can hold a value, a token or a backend's own words.

    ``topic`` is a word or two: ``reachable``, ``TLS``, ``clock``. ``fix`` says what to do, and is there for everything
    that is no ``ok`` and could be better. ``exit_status`` is what a problem ends a command with.
    """

    topic: str
    level: Level
    message: str
    fix: str = ""
    exit_status: int = 0


class Examiner(Protocol):
    """An adapter that can examine its backend."""

    def examine(
        self, references: Sequence[Reference], *, deadline: Deadline, optional: Collection[Reference] = ()
    ) -> Iterator[Finding]:
        """Look at the backend, and at whether ``references`` may be read, within ``deadline``.

        Those that are ``optional`` need not be there. Changes nothing, and reads no value where there is another way
        to ask for the permission.

        Raises:
            ConfsvcError: it cannot go on; that is told as a finding too.

        """
        ...


def finding_of(topic: str, error: ConfsvcError) -> Finding:
    """Return ``error`` as what was found about ``topic``."""
    return Finding(topic, "problem", error.message, error.hint, error.exit_status)


def reading_finding(reference: Reference, outcome: Outcome | ConfsvcError, *, optional: bool) -> Finding:
    """Return what reading ``reference`` once, for want of another way to ask, says about the permission."""
    if isinstance(outcome, NotFound):
        level: Level = "note" if optional else "warning"
        message = f"nothing could be tried: {outcome.message}"
        return Finding("permission", level, message, "write it, or mend its name")
    if isinstance(outcome, ConfsvcError):
        return finding_of("permission", outcome)
    return Finding("permission", "ok", f"`{reference}` may be read")


def extra_findings(module: str, extra: str) -> Iterator[Finding]:
    """Yield a problem where ``module``, which the backend as it is written needs, is not installed."""
    try:
        is_there = find_spec(module) is not None
    except ImportError:  # not even the package that it is in
        is_there = False
    if not is_there:
        message = f"{module} is needed, and is not installed"
        yield Finding("extra", "problem", message, f"pip install 'confsvc[{extra}]'", 78)


def git_state(path: str) -> Literal["tracked", "open", ""]:
    """Tell whether Git has the file, or would take it. Empty where it ignores it, and where there is no Git."""
    folder, name = os.path.split(os.path.abspath(path))
    if _git(folder, "ls-files", "--error-unmatch", "--", name) == 0:
        return "tracked"
    return "open" if _git(folder, "check-ignore", "-q", "--", name) == 1 else ""


def _git(folder: str, *arguments: str) -> int:
    """Return git's exit status; -1 where there is no git, or no answer."""
    command = ["git", "-C", folder, *arguments]
    try:
        return subprocess.run(command, capture_output=True, timeout=_GIT_SECONDS, check=False).returncode
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return -1


def span(seconds: float) -> str:
    """Say how long something takes, in the largest unit that fits: ``3 days``, ``1 hour``, ``40 seconds``."""
    unit, size = next((one for one in _UNITS if seconds >= one[1]), ("second", 1))
    number = int(seconds // size)
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
