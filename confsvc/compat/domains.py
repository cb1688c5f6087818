"""Which values a setting takes, and whether all that one takes another takes too."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from confsvc.types import SettingType, parse_duration

__all__ = ["Domain", "domain_of_json", "domain_of_table", "refused"]

# Text of these kinds is text for `str` too. What may be a list or an object in a store is not.
_SCALARS = frozenset("bool bytes date datetime duration email enum float host int path str url uuid".split())
_WIDER = {(kind, "str") for kind in _SCALARS} | {("int", "float")}
_LOWER, _UPPER = ("ge", "gt"), ("le", "lt")
_WORDS = {
    "ge": "what is below {}",
    "gt": "what is not above {}",
    "le": "what is above {}",
    "lt": "what is not below {}",
    "min_length": "what is shorter than {}",
    "max_length": "what is longer than {}",
}

# The words of JSON Schema, as pydantic writes it for a model's fields.
_FORMATS = {
    "binary": "bytes",
    "date": "date",
    "date-time": "datetime",
    "duration": "duration",
    "email": "email",
    "file-path": "path",
    "directory-path": "path",
    "path": "path",
    "password": "str",
    "uri": "url",
    "uuid": "uuid",
}
_TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "array": "list", "object": "dict"}
_LIMITS = {
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
    "minProperties": "min_length",
    "maxProperties": "max_length",
    "pattern": "pattern",
}
_SILENT = frozenset("$defs default deprecated description examples format title type writeOnly".split())


class Domain(NamedTuple):
    """The values of a setting. ``kind`` is one of ``confsvc.types``, or what only a model can say.

    ``item`` is that of a list's items or of a dict's values; ``limits`` are by their names in the manifest. ``rest`` is
    what is not understood: it is compared as a whole.
    """

    kind: str
    item: "Domain | None" = None
    limits: Mapping[str, Any] = {}
    choices: tuple[str, ...] = ()
    rest: str = ""

    def __str__(self) -> str:
        if self.item is None:
            return self.kind
        return f"list[{self.item}]" if self.kind == "list" else f"dict[str, {self.item}]"


def domain_of_table(kind: SettingType, constraints: Mapping[str, object]) -> Domain:
    """Return the domain of an entry of ``[settings]``."""
    limits = {name: limit for name, limit in constraints.items() if name != "choices"}
    listed = constraints.get("choices")
    choices = tuple(str(choice) for choice in listed) if isinstance(listed, list) else ()
    if kind.kind == "port":  # an integer, of which it says the limits
        limits = {"ge": 1, "le": 65535} | limits
        return Domain("int", limits=limits, choices=choices)
    if choices and kind.kind == "str" and not limits:
        return Domain("enum", choices=choices)
    item = domain_of_table(kind.item, {}) if kind.item is not None else None
    return Domain(kind.kind, item, limits, choices)


def domain_of_json(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Domain:
    """Return the domain of a model's field, from its JSON Schema."""
    target = str(schema.get("$ref", "")).rpartition("/")[2]
    if target in definitions:
        whole = {**definitions[target], **{key: value for key, value in schema.items() if key != "$ref"}}
        # Once is enough: a type may be made of itself.
        return domain_of_json(whole, {name: one for name, one in definitions.items() if name != target})
    options = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(options) == 1:  # it may be None, which is no text
        outer = {key: value for key, value in schema.items() if key != "anyOf"}
        return domain_of_json({**options[0], **outer}, definitions)
    values = [schema["const"]] if "const" in schema else schema.get("enum", [])
    kind = _TYPES.get(str(schema.get("type")), "json")
    form = str(schema.get("format", ""))
    if kind == "str":
        kind = _FORMATS.get(form, form or kind)
    inner = schema.get("items" if kind == "list" else "additionalProperties")
    item = domain_of_json(inner, definitions) if isinstance(inner, dict) else None
    limits = {name: schema[key] for key, name in _LIMITS.items() if key in schema}
    if kind == "url":
        limits.pop("min_length", None)  # no URL is empty
    used = {*_SILENT, *_LIMITS, "const", "enum", "items" if kind == "list" else "additionalProperties"}
    rest = {key: value for key, value in schema.items() if key not in used}
    text = repr(sorted(rest.items(), key=repr)) if rest else ""
    return Domain("enum" if values else kind, item, limits, tuple(str(value) for value in values), text)


def refused(inner: Domain, outer: Domain) -> list[str]:
    """Return what ``outer`` may refuse of that which ``inner`` takes: nothing where it takes all of it."""
    if outer.kind == "enum" and (inner.kind in _SCALARS or inner.choices):
        return _choices_refused(inner, outer)
    if inner.kind != outer.kind and (inner.kind, outer.kind) not in _WIDER:
        return [f"what is `{inner}` and not `{outer}`"]
    if inner.rest != outer.rest:
        return ["what its structure says, which cannot be compared"]
    found = [f"{reason} in its items" for reason in _items_refused(inner, outer)]
    if outer.choices:
        found += _choices_refused(inner, outer)
    return [*found, *_limits_refused(inner, outer)]


def _items_refused(inner: Domain, outer: Domain) -> list[str]:
    if inner.item is None or outer.item is None:
        return []
    return refused(inner.item, outer.item)


def _choices_refused(inner: Domain, outer: Domain) -> list[str]:
    if not inner.choices:
        return ["everything but " + _listed(outer.choices)]
    lost = [choice for choice in inner.choices if choice not in outer.choices]
    return [_listed(lost)] if lost else []


def _listed(choices: "tuple[str, ...] | list[str]") -> str:
    more = ", …" if len(choices) > 5 else ""  # noqa: PLR2004 - people want no more
    return ", ".join(f"`{choice}`" for choice in choices[:5]) + more


def _limits_refused(inner: Domain, outer: Domain) -> Iterator[str]:
    for name, limit in outer.limits.items():
        if inner.choices and all(_fits(choice, name, limit) for choice in inner.choices):
            continue
        if name == "pattern":
            if inner.limits.get(name) != limit:
                yield f"what does not match `{limit}`"
        elif not _implied(name, limit, inner):
            yield _WORDS[name].format(f"`{limit}`")


def _implied(name: str, limit: object, inner: Domain) -> bool:
    """Tell whether a limit of ``inner`` already keeps to the limit ``name``."""
    if name in {"min_length", "max_length"}:
        own = inner.limits.get(name)
        sign = 1 if name == "min_length" else -1
        return isinstance(own, int) and isinstance(limit, int) and own * sign >= limit * sign
    sides, sign = (_LOWER, 1) if name in _LOWER else (_UPPER, -1)
    for side in sides:
        own = inner.limits.get(side)
        if own is None:
            continue
        if own == limit and (side == name or side in {"gt", "lt"}):
            return True
        one, other = _number(own), _number(limit)
        if one is None or other is None:
            continue
        if one * sign > other * sign or (one == other and (side == name or side in {"gt", "lt"})):
            return True
    return False


def _number(limit: object) -> float | None:
    if isinstance(limit, int | float):
        return float(limit)
    duration = parse_duration(str(limit))
    return None if duration is None else float(duration.total_seconds())


def _fits(choice: str, name: str, limit: object) -> bool:
    if name == "pattern":
        return bool(re.search(str(limit), choice))
    if name in {"min_length", "max_length"}:
        return isinstance(limit, int) and (len(choice) >= limit if name == "min_length" else len(choice) <= limit)
    number = _number(choice)
    return number is not None and _implied(name, limit, Domain("int", limits={"ge": number, "le": number}))
