"""What a pydantic model, a BaseSettings or a dataclass declares, as settings: names, types, defaults."""

import dataclasses
import enum
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import PurePath
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import AliasChoices, AliasPath, AnyUrl, BaseModel, Json, SecretBytes, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, PydanticUndefined

from confsvc import _json
from confsvc.errors import ManifestError
from confsvc.setting import UNSET, Setting
from confsvc.types import SettingType

__all__ = ["Field", "fields_of", "is_model", "is_settings", "setting_of"]

_NAMED: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "int"),
    (float, "float"),
    (SecretStr, "str"),
    (SecretBytes, "bytes"),
    (bytes, "bytes"),
    (timedelta, "duration"),
    (datetime, "datetime"),
    (date, "date"),
    (UUID, "uuid"),
    (PurePath, "path"),
    (AnyUrl, "url"),
    (enum.Enum, "enum"),
    (str, "str"),
)


class Field(NamedTuple):
    """One field of a model. ``key`` is what the model's input calls it, ``attribute`` what the instance does.

    ``kind`` says how text becomes input, by the same rules as a manifest's types; ``scalar`` is everything that
    pydantic itself parses from stripped text. ``parts`` are a nested model's own fields.
    """

    attribute: str
    key: str
    setting: Setting
    kind: SettingType
    parts: tuple["Field", ...] = ()


def is_settings(model: type) -> bool:
    """Tell whether ``model`` is a pydantic-settings BaseSettings, without importing pydantic-settings."""
    return any(base.__module__.partition(".")[0] == "pydantic_settings" for base in model.__mro__)


def is_model(annotation: object) -> bool:
    """Tell whether ``annotation`` is a class with declared fields."""
    return isinstance(annotation, type) and (issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation))


def fields_of(model: type, prefix: str = "", delimiter: str = "__") -> tuple[Field, ...]:
    """Return the fields of ``model``; the names of their settings begin with ``prefix``."""
    return tuple(_field(name, info, prefix, delimiter) for name, info in _infos(model))


def _infos(model: type) -> Iterator[tuple[str, FieldInfo]]:
    if issubclass(model, BaseModel):
        yield from model.model_fields.items()
        return
    known = getattr(model, "__pydantic_fields__", None)
    if known is not None:
        yield from known.items()
        return
    hints = typing.get_type_hints(model, include_extras=True)
    for field in dataclasses.fields(typing.cast("Any", model)):
        if not field.init:
            continue
        default: Any = PydanticUndefined if field.default is dataclasses.MISSING else field.default
        info = FieldInfo.from_annotation(hints[field.name])
        info.default = default
        if field.default_factory is not dataclasses.MISSING:
            info.default_factory = field.default_factory
        yield field.name, info


def _field(name: str, info: FieldInfo, prefix: str, delimiter: str) -> Field:
    key, names = _names(name, info, prefix)
    annotation = _unwrap(info.annotation)
    kind, shown = _kind(annotation, info)
    parts = fields_of(annotation, f"{names[0]}{delimiter}", delimiter) if is_model(annotation) else ()
    default = _default(info)
    required = info.is_required() and not parts  # parts may make up the whole: pydantic says what is missing
    secret = isinstance(annotation, type) and issubclass(annotation, (SecretStr, SecretBytes))
    setting = Setting(
        names[0],
        shown,
        required=required,
        secret=secret,
        description=info.description or "",
        default=default,
        constraints=_constraints(info, annotation),
        aliases=names[1:],
    )
    return Field(name, key, setting, kind, parts)


def _names(name: str, info: FieldInfo, prefix: str) -> tuple[str, tuple[str, ...]]:
    """Return what the input calls a field, and the names of its setting: an alias is taken as it is written."""
    alias = info.validation_alias or info.alias
    if alias is None:
        return name, (f"{prefix}{name}".upper(),)
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    if any(isinstance(choice, AliasPath) for choice in choices):
        raise ManifestError(f"the field `{name}` has an AliasPath, which no setting can be called")
    texts = tuple(str(choice) for choice in choices)
    nested = prefix if prefix.endswith("__") else ""
    return texts[0], tuple(nested + text for text in texts)


def _unwrap(annotation: Any) -> Any:
    """Return the type that text becomes: without Annotated, and without an optional None."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _unwrap(typing.get_args(annotation)[0])
    if origin in {typing.Union, types.UnionType}:
        arms = [arm for arm in typing.get_args(annotation) if arm is not types.NoneType]
        return _unwrap(arms[0]) if len(arms) == 1 else annotation
    return annotation


def _kind(annotation: Any, info: FieldInfo | None = None) -> tuple[SettingType, SettingType]:
    """Return how text becomes input for ``annotation``, and the type to show."""
    metadata = info.metadata if info else []
    if annotation is Json or any(item is Json or type(item).__name__ == "Json" for item in metadata):
        return SettingType("str"), SettingType("json")
    origin = typing.get_origin(annotation) or annotation
    if origin in {list, set, frozenset, tuple} or getattr(origin, "__name__", "") in {"Sequence", "Set", "Iterable"}:
        item, shown = _item(annotation, 0)
        return SettingType("list", item), SettingType("list", shown)
    if origin is dict or getattr(origin, "__name__", "") in {"Mapping", "MutableMapping"}:
        item, shown = _item(annotation, 1)
        return SettingType("dict", item), SettingType("dict", shown)
    if is_model(annotation) or typing.is_typeddict(annotation):
        return SettingType("json"), SettingType("json")
    if origin is typing.Literal:
        return SettingType("scalar"), SettingType("enum")
    if isinstance(annotation, type):
        for known, kind in _NAMED:
            if issubclass(annotation, known):
                shown = SettingType(kind)
                return (shown if kind in {"str", "bytes", "duration"} else SettingType("scalar")), shown
        return SettingType("scalar"), SettingType("str")
    if origin in {typing.Union, types.UnionType} and str not in typing.get_args(annotation):
        return SettingType("scalar"), SettingType("str")
    return SettingType("str"), SettingType("str")


def _item(annotation: Any, position: int) -> tuple[SettingType, SettingType]:
    arguments = typing.get_args(annotation)
    if len(arguments) <= position:
        return SettingType("any"), SettingType("str")
    inner = _unwrap(arguments[position])
    return _kind(inner)


def _default(info: FieldInfo) -> object:
    """Return the default as text or JSON has it; UNSET where there is none, or only the model can make it."""
    if info.is_required() or info.default_factory_takes_validated_data:
        return UNSET
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None or is_model(type(value)):
        return UNSET
    if isinstance(value, SecretStr | SecretBytes):
        value = value.get_secret_value()
    if isinstance(value, bytes):
        return value
    try:
        return TypeAdapter(type(value)).dump_python(value, mode="json")
    except (PydanticSerializationError, TypeError):
        return UNSET


_LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern")


def _constraints(info: FieldInfo, annotation: Any) -> Mapping[str, object]:
    """Return the constraints for people and JSON Schema to see; pydantic checks them itself."""
    found = {
        name: limit for item in info.metadata for name in _LIMITS if (limit := getattr(item, name, None)) is not None
    }
    if typing.get_origin(annotation) is typing.Literal:
        found["choices"] = list(typing.get_args(annotation))
    elif isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        found["choices"] = [member.value for member in annotation]
    return {name: _json.to_text(v) if isinstance(v, timedelta) else v for name, v in found.items()}


def setting_of(fields: tuple[Field, ...]) -> Iterator[Setting]:
    """Yield the settings of ``fields``, and of their parts, which are never required by themselves."""
    for field in fields:
        yield field.setting
        for setting in setting_of(field.parts):
            yield setting._replace(required=False, default=UNSET)
