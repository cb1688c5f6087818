"""What a manifest may hold, said once: as JSON Schema.

``confsvc schema --manifest`` publishes it for editors, and every start checks the manifest against it with the small
interpreter below, which knows the keywords used here and names everything wrong at once.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from confsvc._suggest import did_you_mean
from confsvc.types import KINDS

__all__ = ["DIALECT", "MANIFEST", "NAME", "SETTING_NAME", "check"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# Both become parts of references and paths, so neither may hold a separator.
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
SETTING_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
BACKEND_NAME = r"^[a-z][a-z0-9+.-]*$"

_STRING = {"type": "string"}
_BOOLEAN = {"type": "boolean"}
_LIMIT = {"type": ["number", "string"]}
_LENGTH = {"type": "integer", "minimum": 0}

_CACHE: dict[str, Any] = {
    "type": ["boolean", "object"],
    "description": "Keep the last good settings, encrypted, for when a store does not answer.",
    "additionalProperties": False,
    "properties": {"max_age": {"type": "string", "description": "How old they may be, such as 12h; 24h by default."}},
}

_SETTING: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "description": "One of: " + ", ".join(KINDS) + "; list[T] and dict[str, T] nest."},
        "description": {"type": "string", "description": "What it is for."},
        "secret": {"type": "boolean", "description": "Its value is masked everywhere."},
        "required": {"type": "boolean", "description": "Without a value nothing starts. The default is true."},
        "default": {"description": "Used when no layer has the setting."},
        "max_stale": {"type": "string", "description": "How old it may be where it comes from the cache; 0s is never."},
        "choices": {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1},
        "ge": _LIMIT,
        "gt": _LIMIT,
        "le": _LIMIT,
        "lt": _LIMIT,
        "min_length": _LENGTH,
        "max_length": _LENGTH,
        "pattern": _STRING,
    },
}

_BACKEND: dict[str, Any] = {
    "type": "object",
    "description": "A configured instance of an adapter; further keys are the adapter's own.",
    "properties": {"adapter": {"type": "string", "description": "The adapter; the backend's name by default."}},
}

_BACKENDS: dict[str, Any] = {
    "type": "object",
    "patternProperties": {BACKEND_NAME: _BACKEND},
    "additionalProperties": False,
}

_EXTRA: dict[str, Any] = {"enum": ["ignore", "inject"], "description": "What to do with fields no setting declares."}

_SOURCE: dict[str, Any] = {
    "type": ["string", "object"],
    "description": "A reference to a document or tree whose fields become settings by name.",
    "additionalProperties": False,
    "required": ["from"],
    "properties": {
        "from": {"type": "string", "description": "The reference."},
        "optional": {"type": "boolean", "description": "It need not exist."},
        "extra": _EXTRA,
    },
}

_ENVIRONMENT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "extends": {"type": "string", "description": "The environment whose layers lie below this one's."},
        "sources": {"type": "array", "items": _SOURCE},
        "values": {
            "type": "object",
            "description": "Settings written here; `${scheme://path#field}` and `${NAME}` are filled in.",
            "patternProperties": {SETTING_NAME: {}},
            "additionalProperties": False,
        },
        "backends": _BACKENDS,
    },
}

MANIFEST: dict[str, Any] = {
    "$schema": DIALECT,
    "title": "confsvc manifest",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "project": {"type": "string", "pattern": NAME, "description": "Fills {project} in references."},
        "default_environment": {"type": "string", "description": "Used when neither -e nor CONFSVC_ENV names one."},
        "schema": {
            "type": "string",
            "pattern": r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$",
            "description": "A pydantic model, BaseSettings or dataclass, as `package.module:Name`.",
        },
        "extra": _EXTRA,
        "cache": _CACHE,
        "settings": {
            "type": "object",
            "patternProperties": {SETTING_NAME: _SETTING},
            "additionalProperties": False,
        },
        "backends": _BACKENDS,
        "environments": {
            "type": "object",
            "patternProperties": {NAME: _ENVIRONMENT},
            "additionalProperties": False,
        },
    },
}

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}
_ARTICLES = {"array": "an array", "object": "a table", "integer": "an integer"}

Path = tuple[str, ...]


def check(value: object, schema: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield (where, what) for everything in ``value`` that ``schema`` does not allow."""
    types = schema.get("type")
    names = [types] if isinstance(types, str) else types
    if names and not any(_is(value, name) for name in names):
        yield path, f"{_label(path)} must be {' or '.join(_ARTICLES.get(n, f'a {n}') for n in names)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        near = did_you_mean(str(value), map(str, schema["enum"]))
        yield path, f"{_label(path)} must be one of {', '.join(f'`{c}`' for c in schema['enum'])}{near}"
    if "pattern" in schema and isinstance(value, str) and not _fits(schema["pattern"], value):
        yield path, f"{_label(path)} must match `{schema['pattern']}`"
    if isinstance(value, int) and value < schema.get("minimum", value):
        yield path, f"{_label(path)} must be at least {schema['minimum']}"
    if isinstance(value, dict):
        yield from _check_table(value, schema, path)
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield path, f"{_label(path)} must not be empty"
        for number, item in enumerate(value):
            yield from check(item, schema.get("items", {}), (*path, str(number)))


def _check_table(table: dict[str, object], schema: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    properties = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    for key, value in table.items():
        matching = [properties[key]] if key in properties else []
        matching += [inner for pattern, inner in patterns.items() if _fits(pattern, key)]
        if not matching and not schema.get("additionalProperties", True):
            yield (*path, key), _unknown(key, properties, patterns)
        for inner in matching:
            yield from check(value, inner, (*path, key))
    for key in schema.get("required", ()):
        if key not in table:
            yield path, f"{_label(path)} needs the key `{key}`"


def _fits(pattern: str, text: str) -> bool:
    # In JSON Schema `$` is the very end; Python's would let a line feed follow.
    return bool(re.search(pattern, text)) and not text.endswith("\n")


def _unknown(key: str, properties: Mapping[str, object], patterns: Mapping[str, object]) -> str:
    if patterns:
        return f"`{key}` is not a name: it must match `{next(iter(patterns))}`"
    return f"unknown key `{key}`{did_you_mean(key, properties)}"


def _is(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def _label(path: Path) -> str:
    return f"`{'.'.join(path)}`" if path else "the manifest"
