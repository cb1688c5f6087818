"""The settings as JSON Schema, in either spelling: the typed values, by the names of the settings."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from confsvc import _json
from confsvc.manifest_schema import DIALECT
from confsvc.schema import UNSET, Schema, Setting
from confsvc.types import SettingType

if TYPE_CHECKING:
    from confsvc.models.nodes import Node

__all__ = ["settings_schema"]

_KINDS: Mapping[str, Mapping[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "url": {"type": "string", "format": "uri", "minLength": 1},
    "enum": {},
    "json": {},
    "list": {"type": "array"},
    "dict": {"type": "object"},
    "duration": {"type": "string", "description": "A duration: `90s`, `5m`, `1h30m`, or ISO 8601."},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "uuid": {"type": "string", "format": "uuid"},
    "path": {"type": "string", "minLength": 1},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "host": {"type": "string", "minLength": 1, "maxLength": 253},
    "email": {"type": "string", "format": "email"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
}
_NUMBERS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_SIZES = {"list": "Items", "dict": "Properties"}


def settings_schema(schema: Schema, *, title: str = "") -> dict[str, Any]:
    """Return the JSON Schema of an object with every setting; secrets are ``writeOnly`` and show no default."""
    nodes: Iterable[Node] | None = getattr(schema, "nodes", None)
    types, definitions = _types_of_model(nodes) if nodes is not None else ({}, {})
    properties = {}
    for name, setting in schema.settings.items():
        properties[name] = _property(setting, types[name] if name in types else _of_table(setting))
    made: dict[str, Any] = {"$schema": DIALECT}
    if title:
        made["title"] = title
    made |= {"type": "object", "properties": properties}
    required = [name for name, setting in schema.settings.items() if setting.required and setting.default is UNSET]
    if required:
        made["required"] = required
    if definitions:
        made["$defs"] = definitions
    return made


def _property(setting: Setting, type_schema: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in type_schema.items() if key not in {"title", "default"}}
    if setting.description:
        found["description"] = setting.description
    if setting.secret:
        return {**found, "writeOnly": True}
    if setting.default is not UNSET:
        default = getattr(setting.default, "value", setting.default)
        moment = not isinstance(default, str | int | float | list | dict)  # a date as TOML has it
        found["default"] = _json.to_text(default) if moment else default
    return found


def _of_table(setting: Setting) -> dict[str, Any]:
    kind = setting.type.kind
    found = _of_kind(setting.type)
    for name, limit in setting.constraints.items():
        if name == "choices":
            found["enum"] = limit
        elif name == "pattern":
            found["pattern"] = limit
        elif name in _NUMBERS and kind in {"int", "float", "port"}:
            found[_NUMBERS[name]] = limit
        elif name in {"min_length", "max_length"} and kind != "bytes":
            found[name[:3] + _SIZES.get(kind, "Length")] = limit
    return found


def _of_kind(kind: SettingType) -> dict[str, Any]:
    found = dict(_KINDS[kind.kind])
    if kind.item is not None:
        found["items" if kind.kind == "list" else "additionalProperties"] = _of_kind(kind.item)
    return found


def _types_of_model(nodes: Iterable["Node"]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return pydantic's JSON Schema for each setting's type, and what they refer to."""
    from pydantic import PydanticUserError, TypeAdapter

    from confsvc.models.nodes import walk
    from confsvc.models.running import annotation_of

    found: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for node in walk(nodes):
        try:
            made = TypeAdapter(annotation_of(node.field.info)).json_schema(mode="validation")
        except PydanticUserError:  # a type that JSON Schema has no words for
            made = {}
        definitions |= made.pop("$defs", {})
        found[node.name] = made
    return found, definitions
