"""Changing assignments in the text of a `.env`, and nothing else of it: comments, order, line ends, odd lines."""

import re
from collections.abc import Mapping
from io import StringIO

from confsvc.adapter import import_submodule
from confsvc.dotenv_text import quoted
from confsvc.errors import Malformed

__all__ = ["assigned"]

_NAME = r"[A-Za-z_][A-Za-z0-9_.]*"
_PLAIN = r"[A-Za-z0-9_./:@%+,-]+"  # what every reader of such files takes without quotes
_HEAD = r"\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=#\s]+)"
_VALUE = (
    r"[^\S\r\n]*=(?:[^\S\r\n]*'(?:\\.|[^'\\])*'" + r'|[^\S\r\n]*"(?:\\.|[^"\\])*"' + r"|(?:(?![^\S\r\n]+\#)[^\r\n])*)"
)


def assigned(text: str, changes: Mapping[str, str], *, interpolates: bool) -> str:
    """Return ``text`` with ``changes`` in the place of the last assignment of each name, else at the end.

    Raises:
        Malformed: a name or a value cannot stand in such a file.

    """
    (parser,) = import_submodule("dotenv", "parser")
    statements = []
    last: dict[str, int] = {}
    for number, binding in enumerate(parser.parse_stream(StringIO(text, newline=""))):
        statements.append(binding.original.string)
        if binding.key is not None and not binding.error:
            last[binding.key] = number
    end = "\r\n" if "\r\n" in text else "\n"
    for name, value in changes.items():
        written = _written(name, value, interpolates=interpolates)
        if name in last:
            statements[last[name]] = _replaced(statements[last[name]], written)
        else:
            if statements and not statements[-1].endswith(("\n", "\r")):
                statements.append(end)
            statements.append(f"{name}={written}{end}")
            last[name] = len(statements) - 1
    return "".join(statements)


def _written(name: str, value: str, *, interpolates: bool) -> str:
    if not re.fullmatch(_NAME, name):
        raise Malformed(f"`{name}` cannot be a name in a `.env`: letters, digits and `_`")
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise Malformed("a `.env` is text: it holds no NUL, and nothing but UTF-8")
    return value if re.fullmatch(_PLAIN, value) else quoted(value, interpolates=interpolates)


def _replaced(statement: str, written: str) -> str:
    """Return an assignment with another value, and the comment behind it as it was."""
    head = re.match(_HEAD, statement)
    rest = statement[head.end() if head else 0 :]
    value = re.match(_VALUE, rest, re.DOTALL)
    tail = rest[value.end() :] if value else rest
    gap = " " if tail.startswith("#") else ""  # right behind a quote it is a comment, behind anything else it is not
    return f"{statement[: len(statement) - len(rest)]}={written}{gap}{tail}"
