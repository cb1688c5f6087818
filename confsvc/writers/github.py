"""A check as annotations of GitHub Actions, which shows them at the lines of the manifest.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from collections.abc import Sequence

from confsvc.errors import printable
from confsvc.overview.checking import Checked, Finding

__all__ = ["github"]

_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def github(checked: Sequence[Checked], findings: Sequence[Finding], project: str) -> str:
    """Return one line for each problem, a warning for what could not be looked at, a notice for what never is."""
    del project
    lines = [_error(found) for found in findings]
    lines += [
        _command("warning", {"title": one.environment}, f"{case.name}: not checked: {case.skipped}")
        for one in checked
        for case in one.cases
        if case.skipped
    ]
    unchecked = dict.fromkeys(what for one in checked for what in one.unchecked)
    if unchecked:
        lines.append(_command("notice", {"title": "confsvc check --metadata"}, f"not checked: {', '.join(unchecked)}"))
    return "".join(f"{line}\n" for line in lines)


def _error(found: Finding) -> str:
    problem = found.problem
    place = {"file": found.file, "line": str(found.line or "")}
    title = " ".join(text for text in (problem.name or problem.reference, found.environment) if text)
    subject = problem.reference if problem.name else ""
    message = ": ".join(text for text in (subject, problem.message) if text)
    hint = f"\n{problem.hint}" if problem.hint else ""
    return _command("error", {**place, "title": title}, message, hint)


def _command(kind: str, properties: dict[str, str], message: str, more: str = "") -> str:
    said = ",".join(f"{name}={_escaped(printable(text), _PROPERTY)}" for name, text in properties.items() if text)
    text = printable(message) + ("\n" + printable(more[1:]) if more else "")
    return f"::{kind} {said}::{_escaped(text, _DATA)}"


def _escaped(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(char, char) for char in text)
