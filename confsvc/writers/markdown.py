"""The settings as a table for people."""

import re

from confsvc.schema import Schema, Setting
from confsvc.writers.words import default_text, described, distinct_names, is_needed, type_words

__all__ = ["markdown"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|&])")


def markdown(schema: Schema) -> str:
    """Write a table with a row for each setting. A secret's default is not shown."""
    rows = ["| setting | type | needed | about |", "|---|---|---|---|"]
    return "\n".join([*rows, *map(_row, schema.settings.values())]) + "\n"


def _row(setting: Setting) -> str:
    names = ", ".join(map(_code, distinct_names(setting)))
    kind = _plain(f"{type_words(setting)}, secret" if setting.secret else type_words(setting))
    default = default_text(setting)
    needed = "yes" if is_needed(setting) else f"no; {_code(default)}" if default else "no"
    return f"| {names} | {kind} | {needed} | {_plain(' '.join(described(setting).splitlines()))} |"


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _code(text: str) -> str:
    """Return ``text`` as code on one line: between more backticks than stand in it, its bars escaped for the table."""
    text = " ".join(text.splitlines()).replace("|", r"\|")
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"
