"""Values as documents hold them: comparing one with what is there, and putting it in its place."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from confsvc import _json
from confsvc.adapter import Content
from confsvc.types import Raw

__all__ = ["Stored", "edited", "fields_in", "is_same", "merged"]

Stored = str | bytes


def is_same(current: Raw, value: Stored) -> bool:
    """Tell whether ``current``, which is in the store, is what writing ``value`` there would leave."""
    if isinstance(value, bytes) and not isinstance(current, bytes):
        return bool(current == _encoded(value))
    if isinstance(value, bytes) or isinstance(current, bytes):
        return current == (value if isinstance(value, bytes) else value.encode())
    return bool(_like(current, value) == current)


def fields_in(content: Content) -> tuple[Mapping[str, object], str]:
    """Return the fields of a document, which may be the text of a JSON object, or why it has none."""
    found: object = content
    if isinstance(content, bytes):
        try:
            found = content.decode()
        except UnicodeDecodeError:
            return {}, "it is not text, so it has no fields"
    if isinstance(found, str):
        found, reason = _json.parse(found)
        if reason:
            return {}, f"it {reason}, so it has no fields"
    return (found, "") if isinstance(found, Mapping) else ({}, "it is no mapping, so it has no fields")


def edited(fields: Mapping[str, object], changes: Mapping[str, Stored]) -> tuple[Mapping[str, object], str]:
    """Return ``fields`` with ``changes`` by field or JSON Pointer, or why that cannot be."""
    result: Any = fields
    for field, value in changes.items():
        path = [token.replace("~1", "/").replace("~0", "~") for token in field.split("/")[1:]]
        result, reason = _put(result, path if field.startswith("/") else [field], value)
        if reason:
            return {}, reason
    return result, ""


def merged(
    mine: Mapping[str, object], known: Mapping[str, object], theirs: Mapping[str, object]
) -> Mapping[str, object]:
    """Return ``mine`` with what ``theirs`` made of ``known``, field by field."""
    if mine == known:
        return theirs
    changed = {field: value for field, value in theirs.items() if field not in known or known[field] != value}
    return {field: value for field, value in mine.items() if field in theirs or field not in known} | changed


def _put(holder: object, path: list[str], value: Stored) -> tuple[object, str]:
    """Return a copy of ``holder`` in which ``path`` leads to ``value``; a path may only add its last step."""
    step, rest = path[0], path[1:]
    if isinstance(holder, list) and step.isdecimal() and step.isascii() and int(step) < len(holder):
        inner, reason = _put(holder[int(step)], rest, value) if rest else (_stored(holder[int(step)], value), "")
        return [*holder[: int(step)], inner, *holder[int(step) + 1 :]], reason
    if not isinstance(holder, Mapping) or (rest and step not in holder):
        return holder, "the path of its reference leads to nothing that has fields"
    inner, reason = _put(holder[step], rest, value) if rest else (_stored(holder.get(step), value), "")
    return {**holder, step: inner}, reason


def _stored(current: object, value: Stored) -> object:
    return _encoded(value) if isinstance(value, bytes) else _like(current, value)


def _encoded(value: bytes) -> str:
    return b64encode(value).decode()


def _like(current: object, text: str) -> object:
    """Return ``text``, as a number, a boolean, a list or an object where ``current`` is one and it reads as one."""
    if isinstance(current, str) and not isinstance(current, _json.Number):
        return text
    if current is None or isinstance(current, bytes):
        return text
    found, reason = _json.parse(text)
    return found if not reason and type(found) is type(current) else text
