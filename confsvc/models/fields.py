"""The fields of a pydantic model, a BaseSettings or a dataclass, and how JSON for them is read."""

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from confsvc import _json
from confsvc.errors import ManifestError
from confsvc.models.types import Shape, is_settings, shape_of
from confsvc.types import Raw, prepare_many

__all__ = ["Field", "default_of", "fields_of", "infos_of", "prepare_fields", "prepare_model"]


class Field(NamedTuple):
    """One field of a model.

    ``attribute`` is its name in Python. ``keys`` are those its input may have it under, the preferred one first; there
    is none where only an AliasPath leads to it. ``aliases`` are as written; ``by_name`` says its own name counts too.
    """

    attribute: str
    keys: tuple[str, ...]
    aliases: tuple[str, ...]
    by_name: bool
    info: FieldInfo
    shape: Shape

    @property
    def key(self) -> str:
        """What the model's input calls it."""
        return self.keys[0]


def fields_of(model: type) -> list[Field]:
    """Return the fields of ``model``, in order.

    Raises:
        ManifestError: one is an InitVar.

    """
    config: Mapping[str, Any] = getattr(model, "model_config", None) or getattr(model, "__pydantic_config__", {})
    return [_field(name, info, config) for name, info in infos_of(model)]


def infos_of(model: type) -> Iterator[tuple[str, FieldInfo]]:
    """Yield each field's name and what pydantic knows of it."""
    if issubclass(model, BaseModel):
        yield from model.model_fields.items()
        return
    known: Mapping[str, FieldInfo] | None = model.__dict__.get("__pydantic_fields__")
    if known is not None:
        yield from ((name, info) for name, info in known.items() if info.init is not False)
        return
    _check_init_only(model)
    hints = typing.get_type_hints(model, include_extras=True)
    for field in dataclasses.fields(typing.cast("Any", model)):
        if field.init:
            yield field.name, _info(hints[field.name], field)


def _check_init_only(model: type) -> None:
    ordinary = {field.name for field in dataclasses.fields(typing.cast("Any", model))}
    for name, field in getattr(model, "__dataclass_fields__", {}).items():
        if name not in ordinary and isinstance(field.type, dataclasses.InitVar):
            raise ManifestError(f"`{model.__name__}.{name}` is an InitVar, which no setting can be")


def _info(hint: Any, field: "dataclasses.Field[Any]") -> FieldInfo:
    default: Any = field.default
    if isinstance(default, FieldInfo):
        return FieldInfo.from_annotated_attribute(hint, default)
    info = FieldInfo.from_annotation(hint)
    if default is not dataclasses.MISSING:
        info.default = default
    elif callable(field.default_factory):
        info.default_factory = field.default_factory
    return info


def _field(name: str, info: FieldInfo, config: Mapping[str, Any]) -> Field:
    alias = info.validation_alias or info.alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias] if alias is not None else []
    texts = tuple(choice for choice in choices if isinstance(choice, str))
    by_alias = config.get("validate_by_alias", True) is not False
    by_name = bool(config.get("populate_by_name") or config.get("validate_by_name") or not by_alias)
    aliases = texts if by_alias else ()
    by_name = by_name or not (choices and by_alias)
    keys = (*aliases, name) if by_name else aliases
    return Field(name, keys, aliases, by_name, info, _shape(info, config))


def _shape(info: FieldInfo, config: Mapping[str, Any]) -> Shape:
    shape = shape_of(info.annotation, info.metadata)
    if config.get("enable_decoding") is not False or shape.model is not None:
        return shape
    forced = any(getattr(mark, "__name__", "") == "ForceDecode" for mark in info.metadata)
    return shape if forced else shape_of(str)  # a BaseSettings whose validators decode the text themselves


def prepare_fields(model: type, raw: Raw) -> tuple[dict[str, object], str]:
    """Turn JSON into what the validator of ``model`` takes: each field by the rule of its type, others as they are."""
    found, reason = prepare_many("dict", raw, lambda item: (item, ""))
    prepared: dict[str, object] = {}
    if reason or not isinstance(found, dict):
        return prepared, reason
    by_key = {key: field for field in fields_of(model) for key in field.keys}
    for key, item in found.items():
        field = by_key.get(key)
        value, reason = field.shape.prepare(item) if field else (_json.plain(item), "")
        if reason and field:
            return {}, f"{reason} in its field `{field.key}`"
        prepared[key] = value
    return prepared, ""


def prepare_model(model: type, raw: Raw) -> tuple[object, str]:
    """Do what ``prepare_fields`` does, for a model somewhere in the value of a setting."""
    prepared, reason = prepare_fields(model, raw)
    if reason or not is_settings(model):
        return prepared, reason
    from confsvc.models.running import make  # needed by few

    # Left to the model around it, a BaseSettings would read the environment for what is not given here.
    made, faults = make(model, prepared)
    return made, faults[0].message if faults else ""


def default_of(info: FieldInfo) -> Any:
    """Return the default of a field; PydanticUndefined where it has none, or it is made of other fields."""
    factory: Any = info.default_factory
    if factory is None:
        return info.default
    if info.default_factory_takes_validated_data or (isinstance(factory, type) and is_settings(factory)):
        return PydanticUndefined
    try:
        return factory()
    except Exception:  # noqa: BLE001 - it runs again when the model is made, and what it raises is told then
        return PydanticUndefined
