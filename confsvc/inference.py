"""Guessing settings from an existing `.env`: types, likely secrets, and descriptions from its comments.

A guess is kept only when it accepts the very value it was made from, so what `init` writes always loads.
"""

import math
import re
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import NamedTuple

from confsvc._light import import_submodule
from confsvc.schema import Setting, TableSchema
from confsvc.types import SettingType

__all__ = ["Assignment", "infer", "is_likely_secret", "read_assignments"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_WORDS = re.compile(
    r"(?:^|_)(?:PASS|PASSWD|PASSPHRASE|PWD|SECRETS?|TOKENS?|CREDENTIALS?|DSN|SALT|PEPPER|KEYS?|JWT)(?:_|$)"
    r"|PASSWORD|SECRET|TOKEN|PRIVATE_KEY|API_?KEY"
)
# What makes a KEY or a TOKEN something that may be seen: it is public, or the name goes on to speak of something else.
_PUBLIC_WORDS = re.compile(
    r"PUBLIC|PUBLISHABLE|(?:KEY_ID|KEY_NAME|PATH|FILE|PREFIX|TTL|EXPIRY|EXPIRES|LIFETIME|TIMEOUT|LENGTH|URL|URI|HOST|PORT"
    r"|ENABLED|USER|USERNAME|ALGORITHM|METHOD|MODE|COUNT|LIMIT|ISSUER|AUDIENCE)$"
)
_USERINFO = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]+@", re.IGNORECASE)
_BOOLEANS = frozenset({"true", "false", "yes", "no", "on", "off"})
_DURATION = re.compile(r"\d+(?:ms|s|m|h|d)")
_LONG = 24  # characters of one unbroken word
_BITS = 3.5  # Shannon's entropy per character: above words and names, below random text


class Assignment(NamedTuple):
    """One key of a `.env`: its last value (None for a bare key), and the comment above or behind it."""

    name: str
    value: str | None
    comment: str


def read_assignments(text: str, environ: Mapping[str, str]) -> Iterator[Assignment]:
    """Yield the assignments of a `.env`, each key once, as python-dotenv reads it."""
    parser, variables = import_submodule("dotenv", "parser", "variables")
    found: dict[str, Assignment] = {}
    scope = dict(environ)
    comment: list[str] = []
    for binding in parser.parse_stream(StringIO(text.removeprefix("\ufeff"), newline=None)):
        statement = binding.original.string
        if binding.key is None:
            comment = _comment(statement, comment)
            continue
        if "\n" in statement[: len(statement) - len(statement.lstrip())]:
            comment = []  # a blank line ends what belongs together
        value = binding.value
        if value is not None:
            value = "".join(atom.resolve(scope) for atom in variables.parse_variables(value))
            scope[binding.key] = value
        trailing = _trailing(statement, binding.value)
        described = " ".join([*comment, *([trailing] if trailing else [])])
        earlier = found.get(binding.key)
        found[binding.key] = Assignment(binding.key, value, described or (earlier.comment if earlier else ""))
        comment = []
    yield from found.values()


def _comment(statement: str, before: list[str]) -> list[str]:
    """Return the comment so far: a blank line, or a commented-out assignment, starts afresh."""
    line = statement.strip()
    if not line.startswith("#") or statement.startswith("\n"):
        before = []
    text = line.lstrip("#").strip()
    if not text or not any(char.isalnum() for char in text) or re.match(r"(?:export )?[A-Za-z_][A-Za-z0-9_]*=", text):
        return []
    return [*before, text]


def _trailing(statement: str, value: str | None) -> str:
    """Return the comment behind an assignment: what stands after `` #``, unless the value itself holds it."""
    _, mark, text = statement.strip().rpartition(" #")
    text = text.strip()
    return text if mark and text and "\n" not in text and "#" + text not in (value or "").replace("# ", "#") else ""


def infer(assignment: Assignment) -> Setting | None:
    """Return the setting for an assignment; None where its name cannot be a setting's."""
    if not _NAME.fullmatch(assignment.name):
        return None
    value = assignment.value
    kind = next((guess for guess in _guesses(assignment.name, value or "") if _accepts(guess, value)), "str")
    return Setting(
        assignment.name,
        SettingType(kind),
        required=value is not None,
        secret=is_likely_secret(assignment.name, value or ""),
        description=assignment.comment,
    )


def _guesses(name: str, value: str) -> Iterator[str]:  # noqa: C901 - one branch for each type
    """Yield types that ``value`` may have, the most telling first; nothing at all for an empty one."""
    text = value.strip()
    upper = name.upper()
    if not text or text != value:
        return
    if text.lower() in _BOOLEANS:
        yield "bool"
    if text.isdecimal() and text.isascii() and (text == "0" or not text.startswith("0")):
        if upper == "PORT" or upper.endswith("_PORT"):
            yield "port"
        if not is_likely_secret(name, value):  # a number that happens to be a password stays text
            yield "int"
    if re.fullmatch(r"-?\d+\.\d+", text):
        yield "float"
    if "://" in text and "," not in text:
        yield "url"
    if _DURATION.fullmatch(text) and re.search(r"TTL|TIMEOUT|INTERVAL|DURATION|PERIOD|EXPIR|DELAY|AGE", upper):
        yield "duration"
    if text[0] in "[{":
        yield "json"
    if re.search(r"E?MAIL|_FROM$", upper) and "@" in text:
        yield "email"


def _accepts(kind: str, value: str | None) -> bool:
    schema = TableSchema([Setting("X", SettingType(kind))])
    return value is not None and not schema.validate({"X": value})[1]


def is_likely_secret(name: str, value: str) -> bool:
    """Tell whether a name, or a value, looks like that of a secret."""
    upper = name.upper()
    if _USERINFO.match(value) or "-----BEGIN" in value:
        return True
    if value.lower() in _BOOLEANS:
        return False
    if _SECRET_WORDS.search(upper):
        return not _PUBLIC_WORDS.search(upper)
    return _looks_random(value)


def _looks_random(value: str) -> bool:
    if len(value) < _LONG or not re.fullmatch(r"[A-Za-z0-9+/=_-]+", value) or not re.search(r"\d", value):
        return False
    counts = [value.count(char) for char in set(value)]
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
    return entropy > _BITS
