"""What an annotation means: how text becomes what pydantic takes for it, by the same rules as a manifest's types."""

import dataclasses
import enum
import types
import typing
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any, NamedTuple
from uuid import UUID

import pydantic
from pydantic import BaseModel

from confsvc import _json
from confsvc.fields import Like
from confsvc.types import Prepare, Raw, SettingType, prepare, prepare_many

__all__ = ["Shape", "has_fields", "holds_secret", "is_settings", "shape_of"]

SCALAR = SettingType("scalar")  # whatever pydantic itself reads from stripped text

# The first that fits decides: a bool is an int, a datetime is a date.
_KINDS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((bool,), "bool"),
    ((int,), "int"),
    ((float, Decimal), "float"),
    ((str,), "str"),
    ((bytes,), "bytes"),
    ((datetime,), "datetime"),
    ((date,), "date"),
    ((timedelta,), "duration"),
    ((UUID,), "uuid"),
    ((PurePath,), "path"),
)
_SECRETS: dict[object, type] = {pydantic.SecretStr: str, pydantic.SecretBytes: bytes, pydantic.Secret: object}


class Shape(NamedTuple):
    """How one annotation is read.

    ``kind`` is the manifest's name for it. ``model`` is the class with fields that it is, where it is one, and then
    ``prepare`` takes JSON. ``choices`` are the texts that an enum takes.
    """

    kind: SettingType
    prepare: Prepare
    model: type | None = None
    choices: tuple[str, ...] = ()


def is_settings(model: type) -> bool:
    """Tell whether ``model`` is a BaseSettings, without importing pydantic-settings."""
    return any(base.__module__.partition(".")[0] == "pydantic_settings" for base in model.__mro__)


def has_fields(annotation: object) -> bool:
    """Tell whether ``annotation`` is a pydantic model or a dataclass, whose fields can be settings."""
    if not isinstance(annotation, type) or typing.get_origin(annotation) is not None:
        return False
    if issubclass(annotation, pydantic.RootModel):
        return False
    return issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)


def shape_of(annotation: Any, metadata: Iterable[object] = ()) -> Shape:
    """Return how text, or JSON, becomes what pydantic takes for ``annotation`` with its ``metadata``."""
    annotation, inner = _unwrapped(annotation)
    like = next((mark for mark in (*metadata, *inner) if isinstance(mark, Like)), None)
    if like is not None:
        listed = typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else ()
        return Shape(like.type, lambda raw: prepare(like.type, raw), choices=_written(map(_choice_text, listed)))
    marks = {mark.__name__ if isinstance(mark, type) else type(mark).__name__ for mark in (*metadata, *inner)}
    if "Json" in marks or annotation is pydantic.Json:
        return Shape(SettingType("json"), _prepare_json_text)
    if marks & {"EncodedBytes", "EncodedStr", "NoDecode"}:
        return _scalar("str")  # pydantic, or a validator of the model, decodes the text itself
    origin = typing.get_origin(annotation)
    if origin in {typing.Union, types.UnionType}:
        return _union(typing.get_args(annotation))
    if origin is typing.Literal:
        return _choices(typing.get_args(annotation))
    base = origin or annotation
    if base in _SECRETS:
        content = typing.get_args(annotation) or (_SECRETS[base],)
        return shape_of(content[0])
    if base in {Any, object} or not isinstance(base, type):
        return _anything()
    return _of_class(base, typing.get_args(annotation))


def holds_secret(annotation: Any, seen: frozenset[type] = frozenset()) -> bool:
    """Tell whether ``annotation`` is a secret, or anything in it."""
    annotation, _ = _unwrapped(annotation)
    if isinstance(annotation, list):  # what a Callable takes
        return any(holds_secret(inner, seen) for inner in annotation)
    origin = typing.get_origin(annotation)
    base = origin or annotation
    if base in _SECRETS:
        return True
    if origin is not typing.Literal and any(holds_secret(inner, seen) for inner in typing.get_args(annotation)):
        return True
    if not isinstance(base, type) or base in seen or not (has_fields(base) or issubclass(base, pydantic.RootModel)):
        return False
    from confsvc.models.fields import infos_of  # whose fields have shapes in turn

    return any(holds_secret(info.annotation, seen | {base}) for _, info in infos_of(base))


def _holds(annotation: Any, wanted: type, seen: frozenset[type] = frozenset()) -> bool:
    """Tell whether ``annotation`` is the RootModel ``wanted``, or has it in it, through others of its kind."""
    annotation, _ = _unwrapped(annotation)
    base = typing.get_origin(annotation) or annotation
    if base is wanted or any(_holds(inner, wanted, seen) for inner in typing.get_args(annotation)):
        return True
    if not isinstance(base, type) or base in seen or not issubclass(base, pydantic.RootModel):
        return False
    return _holds(base.model_fields["root"].annotation, wanted, seen | {base})


def _unwrapped(annotation: Any) -> tuple[Any, list[object]]:
    """Look through Annotated, type aliases, NewType and type variables."""
    metadata: list[object] = []
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation, *more = typing.get_args(annotation)
            metadata += more
        elif hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif isinstance(annotation, typing.TypeVar):
            annotation = annotation.__bound__ or object
        else:
            return annotation, metadata


def _of_class(base: type, arguments: tuple[Any, ...]) -> Shape:
    if issubclass(base, enum.Enum):
        return _choices([member.value for member in base])
    if has_fields(base):
        return _model(base)
    if issubclass(base, pydantic.RootModel):
        root = base.model_fields["root"]
        if _holds(root.annotation, base):  # a tree of itself has no end but the one that JSON gives it
            return _json_shape()
        return shape_of(root.annotation, root.metadata)._replace(model=None)
    if typing.is_typeddict(base) or (issubclass(base, tuple) and hasattr(base, "_fields")):
        return _json_shape()
    name = next((name for classes, name in _KINDS if issubclass(base, classes)), "")
    if name:
        return _named(name)
    if hasattr(base, "unicode_string"):  # pydantic's URLs, of one host or of several
        return _scalar("url")
    return _collection(base, arguments) or _scalar("email" if base is pydantic.EmailStr else "str")


def _collection(base: type, arguments: tuple[Any, ...]) -> Shape | None:
    # A class of somebody else's that happens to be iterable says itself what text it takes.
    if base.__module__ not in {"builtins", "collections", "collections.abc"}:
        return None
    if issubclass(base, Mapping):
        return _many("dict", arguments[1:2])
    if issubclass(base, Collection) or base is Iterable:
        return _sequence(base, arguments)
    return None


def _named(name: str) -> Shape:
    kind = SettingType(name)
    return Shape(kind, lambda raw: prepare(kind, raw))


def _scalar(name: str) -> Shape:
    return Shape(SettingType(name), lambda raw: prepare(SCALAR, raw))


def _anything() -> Shape:
    """Any: text stays text, and JSON inside of JSON stays what it is."""
    return Shape(SettingType("str"), _prepare_anything)


def _prepare_anything(raw: Raw) -> tuple[object, str]:
    if isinstance(raw, bytes):
        return prepare(SettingType("str"), raw)
    return _json.plain(raw), ""


def _json_shape() -> Shape:
    return Shape(SettingType("json"), lambda raw: prepare(SettingType("json"), raw))


def _prepare_json_text(raw: Raw) -> tuple[object, str]:
    """What pydantic's Json takes is the text itself; that it is good JSON is checked by the one rule there is."""
    checked, reason = prepare(SettingType("json"), raw)
    if reason:
        return None, reason
    text = raw.decode() if isinstance(raw, bytes) else raw
    return (text if isinstance(text, str) else _json.compact(checked)), ""


def _many(name: str, arguments: tuple[Any, ...]) -> Shape:
    item = shape_of(arguments[0]) if arguments else _anything()
    kind = SettingType(name, item.kind)
    return Shape(kind, lambda raw: prepare_many(name, raw, item.prepare))


def _sequence(base: type, arguments: tuple[Any, ...]) -> Shape:
    if not issubclass(base, tuple) or Ellipsis in arguments or not arguments:
        return _many("list", arguments[:1])
    items = [shape_of(argument) for argument in arguments]

    def prepare_tuple(raw: Raw) -> tuple[object, str]:
        found, reason = prepare_many("list", raw, lambda item: (item, ""))
        if reason or not isinstance(found, list):
            return found, reason
        prepared = []
        for number, each in enumerate(found):  # too many or too few: pydantic says so
            shape = items[number] if number < len(items) else _anything()
            value, reason = shape.prepare(each)
            if reason:
                return None, f"{reason} at item {number + 1}"
            prepared.append(value)
        return prepared, ""

    return Shape(SettingType("list", SettingType("json")), prepare_tuple)


def _choices(values: Iterable[object]) -> Shape:
    choices = list(values)
    texts = [_choice_text(value) for value in choices]
    by_text = {text: value for text, value in zip(texts, choices, strict=True) if not isinstance(value, str)}

    def prepare_choice(raw: Raw) -> tuple[object, str]:
        if raw is None and None in choices:
            return None, ""
        text, reason = prepare(SettingType("enum"), raw)
        return (text if text in choices else by_text.get(str(text), text)), reason

    return Shape(SettingType("enum"), prepare_choice, choices=_written(texts))


def _written(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(text for text in texts if text is not None)


def _choice_text(value: object) -> str | None:
    """Return how a choice is written; None where no text is it."""
    value = value.value if isinstance(value, enum.Enum) else value
    try:
        return None if value is None else _json.to_text(value)
    except RecursionError:  # nothing that JSON has
        return None


def _union(arguments: tuple[Any, ...]) -> Shape:
    shapes = [shape_of(argument) for argument in arguments if argument is not types.NoneType]
    optional = types.NoneType in arguments
    one = shapes[0] if len(shapes) == 1 else _one_of(shapes)
    if not optional:
        return one

    def prepare_optional(raw: Raw) -> tuple[object, str]:
        return (None, "") if raw is None else one.prepare(raw)

    return one._replace(prepare=prepare_optional)


def _one_of(shapes: list[Shape]) -> Shape:
    """Several types: JSON where one of them takes it and the text looks like it, else text for pydantic to judge."""
    kinds = {shape.kind.kind for shape in shapes}
    composite = bool(kinds & {"list", "dict", "json"})
    text = SettingType("str") if "str" in kinds else SCALAR

    def prepare_one(raw: Raw) -> tuple[object, str]:
        if isinstance(raw, bytes):
            raw, reason = prepare(SettingType("str"), raw)
            if reason:
                return None, reason
        if composite and (isinstance(raw, list | dict) or (isinstance(raw, str) and raw.lstrip()[:1] in {"[", "{"})):
            found, reason = prepare(SettingType("json"), raw)
            if not reason or text.kind != "str":
                return found, reason
        return prepare(text, raw)

    shown = SettingType("json") if composite else SettingType("str")
    return Shape(shown, prepare_one)


def _model(model: type) -> Shape:
    from confsvc.models.fields import prepare_model  # whose fields have shapes in turn

    return Shape(SettingType("json"), lambda raw: prepare_model(model, raw), model)
