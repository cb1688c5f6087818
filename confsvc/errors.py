"""Every way confsvc can say no, in one tree.

    ConfsvcError
    ├── UsageError                64  the command line is wrong
    ├── ManifestError             78  what was written is wrong; carries every problem found
    │   ├── BadReferenceError     78
    │   ├── LockError             78
    │   └── UnknownEnvironmentError   78
    ├── AdapterError                  what a backend can say; the list is closed
    │   ├── NotFound              65
    │   ├── Malformed             65
    │   ├── Denied                77
    │   ├── Unauthenticated       77
    │   ├── Unavailable           69
    │   └── Throttled             75
    ├── DeadlineError             75  silence until the deadline
    ├── CacheError                75  the cache is to stand in for a backend, and cannot
    ├── InvalidError              65  a value is missing, or does not fit its type
    ├── ResolutionError           the highest-ranking of its problems; an ExceptionGroup of them
    ├── OutputError               73  the output cannot be written
    ├── CommandError              126 or 127
    └── InternalError             70  a bug in confsvc

Exit statuses follow BSD's sysexits(3), then the shell's 126 and 127. No error holds a value, a token, or text
that a backend sent: there is no field for one. Raise them outside of ``except`` blocks, so that no context hangs on.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple, Self

__all__ = [
    "AdapterError",
    "BadReferenceError",
    "CacheError",
    "CommandError",
    "ConfsvcError",
    "DeadlineError",
    "Denied",
    "InternalError",
    "InvalidError",
    "LockError",
    "Malformed",
    "ManifestError",
    "NotFound",
    "OutputError",
    "Problem",
    "ResolutionError",
    "Throttled",
    "Unauthenticated",
    "Unavailable",
    "UnknownEnvironmentError",
    "UsageError",
    "exit_status_of",
    "printable",
]

# With several problems the most fundamental decides: a wrong manifest, then credentials, data, outages.
_RANK = (78, 77, 65, 69, 75, 73, 64)


class Problem(NamedTuple):
    """One thing that is wrong. It can be printed anywhere: no field of it can hold a value."""

    code: str
    message: str
    name: str = ""
    reference: str = ""
    place: str = ""
    hint: str = ""
    exit_status: int = 70


def printable(text: str) -> str:
    """Return ``text`` with all that a name from a store could drive a terminal or a log with escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def exit_status_of(problems: Iterable[Problem]) -> int:
    """Return the exit status of the highest-ranking problem, 70 if none has a known one."""
    statuses = {problem.exit_status for problem in problems}
    return next((status for status in _RANK if status in statuses), 70)


class ConfsvcError(Exception):
    """The root. ``code`` is stable, ``hint`` says what to do next, ``exit_status`` is what a command ends with."""

    code: str = "internal"
    exit_status: int = 70
    message: str = ""
    _told: Problem | None = None  # where it is one of a group: what the group says of it

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def summary(self) -> str:
        """The message, without what ``problems`` say."""
        return self.message

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything wrong, at least one."""
        return (self._told or self.problem(),)

    def problem(self, *, name: str = "", reference: str = "", place: str = "") -> Problem:
        """Return this error as a problem of the setting ``name``, read from ``reference``, written at ``place``."""
        return Problem(self.code, self.message, name, reference, place, self.hint, self.exit_status)


class UsageError(ConfsvcError):
    """The command line, or the arguments of a library call, are wrong."""

    code = "usage"
    exit_status = 64


class _Collected(ConfsvcError):
    """An error made of problems."""

    def __init__(self, message: str, problems: Iterable[Problem] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self._problems = tuple(problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems or super().problems

    def __str__(self) -> str:
        parts = ((p.place, p.name or p.reference, p.message) for p in self._problems)
        told = "; ".join(" ".join(part for part in one if part) for one in parts)
        both = self.message not in {problem.message for problem in self._problems}
        return printable(": ".join(part for part in (self.message if both else "", told) if part))


class ManifestError(_Collected):
    """The manifest is wrong: unknown keys, bad types, cycles. All problems at once, with file and line."""

    code = "manifest"
    exit_status = 78


class BadReferenceError(ManifestError):
    """A reference does not follow the grammar, or names no backend."""

    code = "manifest.reference"


class LockError(ManifestError):
    """The lock cannot be used, or the manifest is not the one that was locked."""

    code = "lock"


class UnknownEnvironmentError(ManifestError):
    """No environment of this name is in the manifest."""

    code = "manifest.environment"


class AdapterError(ConfsvcError):
    """What a backend can say instead of a document. Only the six classes below are ever used."""

    title: ClassVar[str] = "error"


class NotFound(AdapterError):
    """The backend answered, with authority, that it is not there. The only error a lower layer may mend."""

    code = "not_found"
    title = "not found"
    exit_status = 65


class Malformed(AdapterError):
    """It is there, but it is not what it should be: not JSON, not text, deleted, not a regular file."""

    code = "malformed"
    title = "malformed"
    exit_status = 65


class Denied(AdapterError):
    """The backend knows who we are and says no."""

    code = "denied"
    title = "denied"
    exit_status = 77


class Unauthenticated(AdapterError):
    """The backend does not know who we are: no credentials, or it refused them."""

    code = "unauthenticated"
    title = "not authenticated"
    exit_status = 77


class Unavailable(AdapterError):
    """No usable answer: refused, reset, 5xx, sealed, TLS failed."""

    code = "unavailable"
    title = "unavailable"
    exit_status = 69


class Throttled(AdapterError):
    """The backend asks for patience, and the deadline leaves none."""

    code = "throttled"
    title = "throttled"
    exit_status = 75


class DeadlineError(ConfsvcError):
    """Silence until the deadline of the whole resolution."""

    code = "deadline"
    exit_status = 75


class CacheError(ConfsvcError):
    """The last known good settings are asked for, and cannot be had. ``code`` is ``cache.`` and the ``reason``.

    It ends with 78 where the key or the folder cannot be used.
    """

    code = "cache"
    exit_status = 75

    def __init__(self, message: str, *, reason: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        if reason:
            self.code = f"cache.{reason}"
        if reason in {"extra", "folder", "key"}:  # it is not the store that has to get better
            self.exit_status = 78


class InvalidError(ConfsvcError):
    """A value is missing, or does not fit its setting's type or constraints."""

    code = "invalid"
    exit_status = 65


class ResolutionError(_Collected, ExceptionGroup[ConfsvcError]):
    """Some settings could not be resolved; ``problems`` has every one, in the manifest's order.

    It is a group: ``exceptions`` are the problems as errors of their kinds, and ``except* confsvc.Denied`` takes those
    that were denied. What is missing is an ``InvalidError`` there.
    """

    code = "resolution"

    def __new__(cls, message: str, problems: Sequence[Problem], hint: str = "") -> Self:
        """Make the group. A group is not empty: without a problem there is a bug in it."""
        del hint
        return super().__new__(cls, message, [_as_error(p) for p in problems] or [InternalError(message)])

    def __init__(self, message: str, problems: Sequence[Problem], hint: str = "") -> None:
        named = ", ".join(f"{p.name or p.reference or 'all together'} ({p.code})" for p in problems)
        super().__init__(printable(f"{message}: {named}"), problems, hint=hint)
        self._summary = message
        self.exit_status = exit_status_of(problems)

    @property
    def summary(self) -> str:
        """How many could not be resolved, and for which environment."""
        return self._summary

    def derive(self, excs: Sequence[Any], /) -> "ResolutionError":  # type: ignore[override]
        """Return the group of some of its errors, as ``except*`` makes them."""
        made = ExceptionGroup.__new__(type(self), self._summary, excs)
        made.__init__(self._summary, [p for error in excs for p in error.problems], hint=self.hint)  # type: ignore[misc]
        return made

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._summary, self._problems, self.hint)


class OutputError(ConfsvcError):
    """The output cannot be written, or not safely."""

    code = "output"
    exit_status = 73


class CommandError(ConfsvcError):
    """The command cannot be run (126) or is not found (127)."""

    code = "command"

    def __init__(self, message: str, *, exit_status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_status = exit_status


class InternalError(ConfsvcError):
    """A bug in confsvc."""


_KINDS: dict[str, type[ConfsvcError]] = {
    kind.code: kind
    for kind in (
        *(ManifestError, BadReferenceError, UnknownEnvironmentError),
        *(NotFound, Malformed, Denied, Unauthenticated, Unavailable, Throttled),
        *(DeadlineError, InternalError),
    )
}


def _as_error(problem: Problem) -> ConfsvcError:
    """Return one of several problems as an error of its kind."""
    what = problem.name or problem.reference
    error = _KINDS.get(problem.code, InvalidError)(f"{what}: {problem.message}" if what else problem.message)
    error.hint = problem.hint
    error.exit_status = problem.exit_status
    error._told = problem  # noqa: SLF001 - its own
    return error
