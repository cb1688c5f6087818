"""Defaults that their own type refuses. pydantic trusts them, unless a model says ``validate_default``: we do not."""

import enum
import typing
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from confsvc.fields import Like
from confsvc.models.nodes import DefaultText, Node
from confsvc.models.running import Fault, annotation_of, check

__all__ = ["faulty_defaults"]

# Types that take their own values as they are. Of any other the default is the model's affair.
_PLAIN = frozenset({"builtins", "datetime", "decimal", "pathlib", "uuid"})
_THEIR_OWN = frozenset({"custom", "raised", "value_error", "assertion_error"})

_known: "WeakKeyDictionary[type, tuple[tuple[str, Fault], ...]]" = WeakKeyDictionary()


def faulty_defaults(model: type, nodes: tuple[Node, ...]) -> tuple[tuple[str, Fault], ...]:
    """Return what is wrong with the defaults of ``model``, each with the setting's name; found out once.

    What a model says about ``validate_default`` holds, and where its own validators come first they decide.
    """
    if model not in _known:
        _known[model] = tuple(_faults(model, nodes))
    return _known[model]


def _faults(model: type, nodes: tuple[Node, ...]) -> Iterator[tuple[str, Fault]]:
    config = getattr(model, "model_config", None) or getattr(model, "__pydantic_config__", {})
    if "validate_default" in config:
        return
    for node in nodes:
        info = node.field.info
        if not isinstance(node.setting.default, DefaultText) or info.validate_default is not None:
            continue
        if _is_plain(info.annotation, info.metadata) and not _is_validated(model, node.field.attribute):
            _, faults = check(annotation_of(info), node.default)
            yield from ((node.name, f._replace(location=node.path)) for f in faults[:1] if f.code not in _THEIR_OWN)


def _is_plain(annotation: Any, metadata: list[Any]) -> bool:
    if any(isinstance(mark, Like) for mark in metadata):
        return True
    if any(type(mark).__name__.endswith("Validator") for mark in metadata):
        return False
    if typing.get_origin(annotation) is typing.Literal:
        return True
    if not isinstance(annotation, type) or typing.get_origin(annotation) is not None:
        return False
    return issubclass(annotation, enum.Enum) or (
        annotation.__module__ in _PLAIN and not issubclass(annotation, bytes | list | dict | set | frozenset | tuple)
    )


def _is_validated(model: type, attribute: str) -> bool:
    """Whether a validator of the model's own is there for the field, or for all."""
    decorators = getattr(model, "__pydantic_decorators__", None)
    fields = [f for one in decorators.field_validators.values() for f in one.info.fields] if decorators else []
    return attribute in fields or "*" in fields
