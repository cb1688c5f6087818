"""The types a setting can have: how they are written, and how text becomes what a validator takes."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from confsvc import _json
from confsvc._suggest import did_you_mean

__all__ = [
    "KINDS",
    "Prepare",
    "Raw",
    "SettingType",
    "core_schema",
    "parse_duration",
    "parse_type",
    "prepare",
    "prepare_many",
]

# What a document, or a layer, has for a setting: text, bytes, or something parsed from JSON.
Raw = object

# Turns a raw value into what a validator takes, or says what is wrong with it.
Prepare = Callable[[Raw], tuple[object, str]]

# A name; or what looks like an IPv6 address, which `prepare` has looked at.
_HOST = (
    r"^(?:(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?"
    r"|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$"
)
# What the HTML standard takes for <input type=email>: https://html.spec.whatwg.org/#valid-e-mail-address
_EMAIL = (
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)

# Patterns of our own, which nobody wants to read in a message.
NAMED_PATTERNS = {_HOST: "is not a host name or an IP address", _EMAIL: "is not an email address"}

_NUMBERS = frozenset({"ge", "gt", "le", "lt"})
_LENGTHS = frozenset({"min_length", "max_length"})
_TEXT = _LENGTHS | {"pattern"}

# kind -> (the core schema, the constraints it takes, its JSON Schema type, what a wrong value is told)
KINDS: dict[str, tuple[dict[str, Any], frozenset[str]]] = {
    "str": ({"type": "str"}, _TEXT | {"choices"}),
    "int": ({"type": "int"}, _NUMBERS | {"choices"}),
    "float": ({"type": "float"}, _NUMBERS),
    "bool": ({"type": "bool"}, frozenset()),
    "url": ({"type": "multi-host-url"}, frozenset({"max_length"})),
    "enum": ({"type": "literal"}, frozenset({"choices"})),
    "json": ({"type": "any"}, frozenset()),
    "list": ({"type": "list"}, _LENGTHS),
    "dict": ({"type": "dict", "keys_schema": {"type": "str"}}, _LENGTHS),
    "duration": ({"type": "timedelta"}, _NUMBERS),
    "datetime": ({"type": "datetime"}, _NUMBERS),
    "date": ({"type": "date"}, _NUMBERS),
    "uuid": ({"type": "uuid"}, frozenset()),
    "path": ({"type": "str", "min_length": 1}, frozenset({"pattern"})),
    "port": ({"type": "int", "ge": 1, "le": 65535}, _NUMBERS),
    "host": ({"type": "str", "max_length": 253, "pattern": _HOST}, frozenset({"pattern"})),
    "email": ({"type": "str", "max_length": 254, "pattern": _EMAIL}, frozenset({"pattern"})),
    "bytes": ({"type": "bytes"}, _LENGTHS),
}

_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
# Compiled when the first duration is read.
_DURATION = r"([+-]?)((?:\d+(?:\.\d+)?(?:ms|[smhdw]))+)"
_DURATION_PART = r"(\d+(?:\.\d+)?)(ms|[smhdw])"
_SECONDS = r"[+-]?\d+(?:\.\d+)?"


class SettingType(NamedTuple):
    """A parsed type: ``kind`` is a key of ``KINDS``; ``item`` is the type of a list's items or a dict's values."""

    kind: str
    item: "SettingType | None" = None

    def __str__(self) -> str:
        if self.item is None:
            return self.kind
        return f"list[{self.item}]" if self.kind == "list" else f"dict[str, {self.item}]"


STR = SettingType("str")


def parse_type(text: str) -> tuple[SettingType, str]:
    """Parse a type as the manifest spells it. Returns it and an empty string, or ``str`` and what is wrong."""
    word, bracket, rest = text.strip().partition("[")
    word = word.strip()
    if word not in KINDS:
        return STR, f"`{text}` is not a type{did_you_mean(word, KINDS)}"
    if word not in {"list", "dict"}:
        return (SettingType(word), "") if not bracket else (STR, f"`{word}` takes no item type")
    if not bracket:
        return SettingType(word, STR), ""
    inner = rest.strip()
    if not inner.endswith("]"):
        return STR, f"`{text}` has no closing bracket"
    inner = inner[:-1]
    if word == "dict":
        key, comma, inner = inner.partition(",")
        if key.strip() != "str" or not comma:
            return STR, "a dict is written `dict[str, T]`"
    item, reason = parse_type(inner)
    return SettingType(word, item), reason


def core_schema(kind: SettingType, constraints: dict[str, object]) -> dict[str, Any]:
    """Return pydantic-core's schema for a setting of this type, ``choices`` and durations translated."""
    choices = constraints.get("choices")
    if isinstance(choices, list):
        others = {name: limit for name, limit in constraints.items() if name != "choices"}
        # Text is compared with text.
        literal = {"type": "literal", "expected": choices if kind.kind == "int" else [str(c) for c in choices]}
        return literal if kind.kind == "enum" else {"type": "chain", "steps": [core_schema(kind, others), literal]}
    schema = _limited(kind, constraints)
    if kind.kind == "url":
        return {"type": "function-wrap", "function": {"type": "no-info", "function": _keep_text}, "schema": schema}
    if kind.kind == "path":
        return {"type": "function-after", "function": {"type": "no-info", "function": _make_path}, "schema": schema}
    return schema


def _limited(kind: SettingType, constraints: dict[str, object]) -> dict[str, Any]:
    schema = dict(KINDS[kind.kind][0])
    if kind.item is not None:
        schema["items_schema" if kind.kind == "list" else "values_schema"] = core_schema(kind.item, {})
    limits = {n: parse_duration(str(limit)) if kind.kind == "duration" else limit for n, limit in constraints.items()}
    if limits.keys() & schema.keys():  # the type's own limits hold too
        return {"type": "chain", "steps": [schema, {"type": schema["type"], **limits}]}
    return schema | limits


def _keep_text(text: str, check: Callable[[str], object]) -> str:
    """A URL stays the text that it was: pydantic's own would end it with a slash, and more."""
    check(text)
    return text


def _make_path(text: str) -> object:
    from pathlib import Path

    return Path(text)


def parse_duration(text: str) -> Any:
    """Return ``1h30m``, ``250ms``, ``90`` (seconds) as a timedelta; None if it is written another way (ISO 8601)."""
    from datetime import timedelta

    match = re.fullmatch(_DURATION, text)
    if match:
        micros = sum(float(n) * _UNITS[u] for n, u in re.findall(_DURATION_PART, match[2]))
    elif re.fullmatch(_SECONDS, text):
        match, micros = None, float(text) * 1_000_000
    else:
        return None
    try:
        delta = timedelta(microseconds=micros)
    except OverflowError:
        return None
    return -delta if match and match[1] == "-" else delta


def prepare(kind: SettingType, raw: Raw) -> tuple[object, str]:
    """Turn what a layer has into what the validator of ``kind`` takes.

    A kind that is not in ``KINDS`` takes stripped text, for pydantic to read. Returns the input and an empty string, or
    None and what is wrong, which never holds any of ``raw``.
    """
    if kind.kind == "bytes":
        return _prepare_bytes(raw)
    if isinstance(raw, bytes):
        text = _utf8(raw)
        if text is None:
            return None, "is not UTF-8 text"
        raw = text
    if kind.kind == "json":
        return _prepare_json(raw)
    if raw is None:
        return None, "is null"
    if kind.item is not None:
        item = kind.item
        return prepare_many(kind.kind, raw, lambda each: prepare(item, each))
    if isinstance(raw, list | dict):
        what = "a list" if isinstance(raw, list) else "an object"
        return None, f"is {what}, not text; name one of its fields, or make the setting a `json`"
    text = _json.to_text(raw)
    if kind.kind in {"str", "enum"} and not isinstance(raw, str):
        return text, ""
    return _prepare_text(kind.kind, text)


def _prepare_text(kind: str, text: str) -> tuple[object, str]:
    if any("\ud800" <= char <= "\udfff" for char in text):
        return None, "is not UTF-8 text"
    if kind == "str":
        return text, ""
    text = text.strip()
    if not text:
        return None, "is empty"
    if kind == "duration":
        delta = parse_duration(text)
        return (text if delta is None else delta), ""
    if kind == "host" and ":" in text:
        return _prepare_ipv6(text)
    return text, ""


def _prepare_ipv6(text: str) -> tuple[object, str]:
    from socket import AF_INET6, inet_pton

    try:
        inet_pton(AF_INET6, text)
    except (OSError, ValueError):  # the second where it holds a NUL
        return None, "is not a host name or an IP address"
    return text, ""


def prepare_many(kind: str, raw: Raw, prepare_item: Prepare) -> tuple[object, str]:
    """Do what ``prepare`` does for a ``list`` or a ``dict``, with each item, or value, by ``prepare_item``."""
    raw, reason = _structure(kind, raw)
    if reason:
        return None, reason
    if kind == "dict" and isinstance(raw, dict):
        items, reason = _prepare_items(kind, list(raw.values()), prepare_item)
        return (None, reason) if reason else (dict(zip(raw, items, strict=True)), "")
    if kind == "list" and isinstance(raw, list):
        return _prepare_items(kind, raw, prepare_item)
    return None, "is not a list" if kind == "list" else "is not a JSON object"


def _structure(kind: str, raw: Raw) -> tuple[Raw, str]:
    """Return what text is a list or an object of; what is none already stays as it is."""
    if isinstance(raw, bytes):
        raw = _utf8(raw)
        if raw is None:
            return None, "is not UTF-8 text"
    if raw is None:
        return None, "is null"
    if not isinstance(raw, str) or isinstance(raw, _json.Number):
        return raw, ""
    text = raw.strip()
    if not text:
        return None, "is empty"
    if text.startswith("[" if kind == "list" else "{"):
        return _json.parse(text)
    return (None, "is not a JSON object") if kind == "dict" else ([part.strip() for part in text.split(",")], "")


def _prepare_items(kind: str, items: list[object], prepare_item: Prepare) -> tuple[list[object], str]:
    prepared = []
    for number, item in enumerate(items):
        found, reason = prepare_item(item)
        if reason:
            return [], f"{reason} at item {number + 1}" if kind == "list" else f"{reason} in one of its values"
        prepared.append(found)
    return prepared, ""


def _prepare_json(raw: Raw) -> tuple[object, str]:
    if isinstance(raw, str) and not isinstance(raw, _json.Number):
        if not raw.strip():
            return None, "is empty"
        raw, reason = _json.parse(raw)
        if reason:
            return None, reason
    return _json.plain(raw), ""


def _prepare_bytes(raw: Raw) -> tuple[object, str]:
    if isinstance(raw, bytes):
        return (raw, "") if raw else (None, "is empty")
    if not isinstance(raw, str):
        return None, "is not text"
    from base64 import b64decode

    try:
        data = b64decode("".join(raw.split()), validate=True)
    except ValueError:
        return None, "is not base64"
    return (data, "") if data else (None, "is empty")


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
