"""What people and programs see: the one place that renders errors, warnings and tables.

Data goes to stdout, everything else to stderr. Nothing here ever gets a value to print, but for ``write``.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from confsvc.errors import ConfsvcError, OutputError, Problem, ResolutionError, printable

__all__ = [
    "Bar",
    "ask",
    "can_ask",
    "configure",
    "count",
    "end_progress",
    "inform",
    "json_text",
    "note",
    "plain_report",
    "printable",
    "report",
    "show_progress",
    "table",
    "trouble",
    "verdict",
    "warn",
    "write",
    "write_json",
]

_RED, _YELLOW, _BOLD, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"

_DATA, _DISORDER = 65, 1  # what is a problem of the settings, rather than of the way to them
_BAR = 30  # characters

_state = {"json": False, "quiet": False, "verbose": False, "color": False, "progress": False}


def configure(argv: Sequence[str]) -> None:
    """Read the options that say how to speak, before the others are parsed: their errors are rendered too."""
    ours = list(argv[: argv.index("--")] if "--" in argv else argv)
    _state["json"] = "--json" in ours
    _state["quiet"] = "-q" in ours or "--quiet" in ours
    _state["verbose"] = "-v" in ours or "--verbose" in ours
    plain = "--no-color" in ours or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    _state["color"] = not plain and sys.stderr is not None and sys.stderr.isatty()


def is_json() -> bool:
    """Whether ``--json`` was given."""
    return _state["json"]


def is_verbose() -> bool:
    """Whether ``-v`` was given."""
    return _state["verbose"]


def count(number: int, thing: str) -> str:
    """Return ``1 setting``, ``2 settings``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def write(data: str | bytes) -> None:
    """Write data to stdout.

    Raises:
        OutputError: stdout is closed, or its disk is full.

    """
    failure = ""
    data = data if isinstance(data, bytes) else data.encode(errors="surrogateescape")
    if sys.stdout is None:
        failure = "stdout is closed"
    else:
        try:
            sys.stdout.flush()
            view = memoryview(data)
            while view:  # past Python's buffer, which would try once more at exit what has failed here
                view = view[os.write(sys.stdout.fileno(), view) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            failure = f"stdout cannot be written: {os.strerror(error.errno or 0).lower()}"
    if failure:
        raise OutputError(failure)


def write_json(value: object) -> None:
    """Write ``value`` to stdout as JSON, indented."""
    write(json_text(value))


def json_text(value: object) -> str:
    """Return ``value`` as JSON, indented, with a line's end."""
    from json import dumps

    return dumps(value, indent=2, ensure_ascii=False) + "\n"


def verdict(statuses: Iterable[int]) -> int:
    """Return the exit status of a command that judges: 0 is well, 1 is settings in disorder, else as the table says."""
    found = {_DISORDER if status == _DATA else status for status in statuses}
    return next((status for status in (78, 77, _DISORDER, 69, 75, 70) if status in found), 0)


def warn(message: str) -> None:
    """Say on stderr that something is odd. ``-q`` silences it."""
    if _state["quiet"]:
        return
    if _state["json"]:
        from json import dumps

        _say(dumps({"warning": message}, ensure_ascii=False))
    else:
        _say(f"{_paint('warning:', _YELLOW)} {printable(message)}")


def note(message: str) -> None:
    """Say on stderr what is going on, with ``-v``."""
    if not _state["verbose"]:
        return
    if _state["json"]:
        from json import dumps

        _say(dumps({"note": message}, ensure_ascii=False))
    else:
        _say(printable(message))


def inform(message: str, **data: object) -> None:
    """Say on stderr what a command that stays has done. ``-q`` silences it; ``--json`` has ``data`` besides."""
    if _state["quiet"]:
        return
    if _state["json"]:
        from json import dumps

        _say(dumps({"info": message, **data}, ensure_ascii=False))
    else:
        _say(f"confsvc: {printable(message)}")


def show_progress(what: str, done: int) -> None:
    """Show how far a long read has come, on a terminal, in a line that the next thing said replaces."""
    if not _shows_progress():
        return
    _state["progress"] = True
    sys.stderr.write(f"\r\x1b[Kreading {printable(what)}: {done} so far")
    sys.stderr.flush()


def _shows_progress() -> bool:
    return not (_state["quiet"] or _state["json"] or sys.stderr is None or not sys.stderr.isatty())


class Bar:
    """How far something has come whose end is known, on a terminal; for fewer than ``least`` parts there is none."""

    def __init__(self, what: str, *, least: int) -> None:
        self._what = what
        self._least = least

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` parts of ``total`` are done."""
        if total < self._least or not _shows_progress():
            return
        _state["progress"] = True
        filled = "#" * (done * _BAR // total)
        sys.stderr.write(f"\r\x1b[K{printable(self._what)}: [{filled:-<{_BAR}}] {done} of {total}")
        sys.stderr.flush()


def can_ask() -> bool:
    """Whether there is somebody at a terminal who can be asked, and answers."""
    streams = (sys.stdin, sys.stderr)
    return not _state["json"] and all(stream is not None and stream.isatty() for stream in streams)


def ask(question: str) -> bool:
    """Ask on a terminal. Only yes means yes."""
    sys.stderr.write(f"{printable(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def end_progress() -> None:
    """Take the line away that ``show_progress`` has written."""
    if _state["progress"] and sys.stderr is not None:
        _state["progress"] = False
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def trouble(message: str, problems: Sequence[Problem]) -> None:
    """Warn with one aligned line for each problem. ``-q`` silences it."""
    if _state["quiet"]:
        return
    if _state["json"]:
        from json import dumps

        data = {"warning": message, "problems": [problem._asdict() for problem in problems]}
        _say(dumps(data, ensure_ascii=False))
        return
    warn(message)
    _say(table([_row(problem) for problem in problems]))


def report(error: ConfsvcError) -> None:
    """Tell an error: what, one aligned line for each problem, and what to do next."""
    if _state["json"]:
        from json import dumps

        _say(dumps({"error": error_data(error)}, ensure_ascii=False))
        return
    _say("\n".join(_lines(error, _paint)))


def plain_report(error: ConfsvcError) -> str:
    """Return what ``report`` tells, without colour."""
    return "\n".join(_lines(error, lambda text, _: text)) + "\n"


def _lines(error: ConfsvcError, paint: Callable[[str, str], str]) -> Iterator[str]:
    problems = error.problems
    only = problems[0]
    # What is about a setting or a reference needs its name, and what all of it is about.
    if len(problems) == 1 and not (isinstance(error, ResolutionError) or only.name or only.reference):
        place = f"{only.place}: " if only.place else ""
        yield f"{paint('error:', _RED)} {printable(place + only.message)}"
    else:
        yield f"{paint('error:', _RED)} {printable(error.summary)}"
        yield table([_row(problem) for problem in problems])
    hints = dict.fromkeys(hint for hint in (*(p.hint for p in problems), error.hint) if hint)
    for number, hint in enumerate(list(hints)[:3]):
        yield ("" if number else "\n") + f"{paint('hint:', _BOLD)} {printable(hint)}"


def error_data(error: ConfsvcError) -> dict[str, object]:
    """Return an error as data, the same that ``report`` prints."""
    return {
        "code": error.code,
        "message": error.summary,
        "exit_status": error.exit_status,
        "hint": error.hint,
        "problems": [problem._asdict() for problem in error.problems],
    }


def _row(problem: Problem) -> tuple[str, ...]:
    if not problem.name and problem.place:
        return (
            (problem.place, problem.reference, problem.message)
            if problem.reference
            else (
                problem.place,
                problem.message,
            )
        )
    return (problem.name or problem.reference, problem.reference if problem.name else "", problem.message)


def table(rows: Iterable[Sequence[str]]) -> str:
    """Align ``rows`` in columns, indented by two spaces; columns that are empty everywhere are left out."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widest = max((len(row) for row in cells), default=0)
    cells = [row + [""] * (widest - len(row)) for row in cells]
    widths = [max((len(row[n]) for row in cells), default=0) for n in range(widest)]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True) if width) for row in cells)
    return "\n".join(f"  {line}".rstrip() for line in lines)


def _paint(text: str, color: str) -> str:
    return f"{color}{text}{_RESET}" if _state["color"] else text


def _say(text: str) -> None:
    if sys.stderr is None:
        return
    try:
        end_progress()
        sys.stderr.write(text + "\n")
    except (OSError, ValueError):
        # Nobody can be told; the exit status still speaks, unless Python tries again at its end.
        sys.stderr = None
