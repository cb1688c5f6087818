"""Templates: what ``${…}`` in the manifest's ``values`` means, and ``{project}`` and ``{environment}`` in references.

Both are filled from what was written and from what is fetched, in one pass: nothing that was filled in is looked at
again, so a value can hold ``${`` and a secret never becomes part of a reference.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import NamedTuple

from confsvc._suggest import did_you_mean
from confsvc.errors import BadReferenceError
from confsvc.reference import quote

__all__ = ["FILTERS", "Fill", "fill_placeholders", "parse_template"]

_WORD = r"\{([^{}]*)\}"
_SETTING = r"[A-Za-z_][A-Za-z0-9_]*"

# Filters see the exact bytes: what a filter gets may be binary.
FILTERS: Mapping[str, Callable[[bytes], bytes]] = {
    "urlencode": lambda data: quote(data.decode(errors="surrogateescape")).encode(),
    "base64": b64encode,
    "trim": bytes.strip,
}


class Fill(NamedTuple):
    """One ``${target|filter}``. ``target`` is a reference where ``is_reference``, else another setting's name."""

    target: str
    filters: tuple[str, ...]

    @property
    def is_reference(self) -> bool:
        """Anything with a colon is a reference; no setting's name has one."""
        return ":" in self.target


def parse_template(text: str) -> list[str | Fill]:
    """Split ``text`` into literals and fills.

    Raises:
        BadReferenceError: a ``${`` is not closed, is empty, or names an unknown filter.

    """
    parts: list[str | Fill] = []
    literal, position = "", 0
    while (start := text.find("$", position)) >= 0:
        literal += text[position:start]
        if text.startswith("$${", start):
            literal, position = literal + "${", start + 3
        elif text.startswith("${", start):
            end = _closing(text, start + 2)
            if literal:
                parts.append(literal)
            parts.append(_fill(text[start + 2 : end]))
            literal, position = "", end + 1
        else:
            literal, position = literal + "$", start + 1
    literal += text[position:]
    return [*parts, literal] if literal or not parts else parts


def _closing(text: str, position: int) -> int:
    depth = 1
    for index in range(position, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if not depth:
            return index
    raise BadReferenceError("a `${` is not closed", hint="a literal `${` is written `$${`")


def _fill(inner: str) -> Fill:
    target, *filters = (part.strip() for part in inner.split("|"))
    if not target:
        raise BadReferenceError("`${}` names nothing")
    fill = Fill(target, tuple(filters))
    if not fill.is_reference and not re.fullmatch(_SETTING, target):
        raise BadReferenceError(f"`{target}` is neither a reference (`scheme://path`) nor a setting's name")
    for name in filters:
        if name not in FILTERS:
            raise BadReferenceError(
                f"unknown filter `{name}`{did_you_mean(name, FILTERS)}",
                hint="filters: " + ", ".join(FILTERS) + "; a literal `|` in a reference is `%7C`",
            )
    return fill


def fill_placeholders(text: str, *, project: str, environment: str) -> str:
    """Fill ``{project}`` and ``{environment}`` into a reference as written.

    Raises:
        BadReferenceError: another ``{word}``, or one that has no value here.

    """
    known = {"project": project, "environment": environment}

    def fill(match: re.Match[str]) -> str:
        word = match[1]
        if word not in known:
            raise BadReferenceError(
                f"`{{{word}}}` is not filled in{did_you_mean(word, known)}",
                hint="references know {project} and {environment}; a literal brace is %7B or %7D",
            )
        if not known[word]:
            raise BadReferenceError(
                f"`{{{word}}}` has no value here",
                hint="set `project` in the manifest" if word == "project" else "name an environment with -e",
            )
        return known[word]

    return re.sub(_WORD, fill, text) if "{" in text else text
