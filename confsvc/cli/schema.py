"""``confsvc schema``: JSON Schemas, of the settings, or of the manifest for editors."""

from collections.abc import Mapping
from typing import Any

from confsvc import _json
from confsvc.cli import output
from confsvc.cli.options import Parser, request_of
from confsvc.errors import UsageError
from confsvc.manifest_schema import DIALECT, MANIFEST
from confsvc.setting import UNSET, Setting
from confsvc.types import SettingType

__all__ = ["main", "parser", "settings_schema"]

_TYPES: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "url": {"type": "string", "format": "uri"},
    "enum": {},
    "json": {},
    "duration": {"type": "string", "description": "a duration such as 90s, 5m or 1h30m"},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "uuid": {"type": "string", "format": "uuid"},
    "path": {"type": "string", "minLength": 1},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "host": {"type": "string", "format": "hostname"},
    "email": {"type": "string", "format": "email"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
}
_LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "pattern": "pattern",
    "choices": "enum",
}
_LENGTHS = {"list": ("minItems", "maxItems"), "dict": ("minProperties", "maxProperties")}


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "schema",
        "Print the JSON Schema of the settings, whichever way they are declared; or, with --manifest, the one that\n"
        "editors complete and check a confsvc.toml with.",
        "[--manifest | -s MOD:NAME] [-f FILE]",
    )
    made.add_argument("--manifest", action="store_true", help="the schema of the manifest itself")
    made.resolve_options()
    return made


def main(argv: list[str]) -> int:
    """Print the schema."""
    args = parser().parse_args(argv)
    if args.manifest:
        output.write_json(MANIFEST)
        return 0
    request = request_of(args)
    schema = request.schema or request.manifest.schema
    if schema is None:
        raise UsageError("nothing is declared: the manifest has neither [settings] nor `schema`")
    output.write_json(settings_schema(schema.settings, request.manifest.project))
    return 0


def settings_schema(settings: Mapping[str, Setting], title: str) -> dict[str, object]:
    """Return the JSON Schema of an object that holds ``settings`` by name."""
    return {
        "$schema": DIALECT,
        "title": title or "settings",
        "type": "object",
        "properties": {name: _property(setting) for name, setting in settings.items()},
        "required": [name for name, s in settings.items() if s.required and s.default is UNSET],
    }


def _property(setting: Setting) -> dict[str, object]:
    found = _type(setting.type)
    kind = setting.type.kind
    shortest, longest = _LENGTHS.get(kind, ("minLength", "maxLength"))
    limits = {**_LIMITS, "min_length": shortest, "max_length": longest}
    if kind != "duration":  # its limits are durations, which JSON Schema cannot compare
        found |= {limits[key]: limit for key, limit in setting.constraints.items()}
    if setting.description:
        found["description"] = setting.description
    if setting.default is not UNSET and not setting.secret:
        plain = isinstance(setting.default, str | int | float | bool | list | dict)
        found["default"] = setting.default if plain else _json.to_text(setting.default)
    if setting.secret:
        found["writeOnly"] = True
    return found


def _type(kind: SettingType) -> dict[str, object]:
    if kind.kind == "list":
        return {"type": "array", "items": _type(kind.item) if kind.item else {}}
    if kind.kind == "dict":
        return {"type": "object", "additionalProperties": _type(kind.item) if kind.item else {}}
    return dict(_TYPES.get(kind.kind, {}))
