"""Making an instance of a model, and what went wrong, without any of the input or of what a validator said."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import SchemaValidator

from confsvc.messages import describe_error
from confsvc.models.types import is_settings

__all__ = ["Fault", "annotation_of", "check", "make", "raised_at"]

_REFUSED = "was refused by the schema's own validator"


class Fault(NamedTuple):
    """What is wrong at one place of a model. ``code`` is pydantic's, ``custom`` or ``raised``."""

    location: tuple[int | str, ...]
    code: str
    message: str


def make(model: Any, inputs: Mapping[str, object]) -> tuple[Any, list[Fault]]:
    """Return an instance of ``model`` and no faults, or None and all that is wrong.

    A BaseSettings gets ``inputs`` and nothing else: none of its own sources is read.
    """
    if is_settings(model):
        core = model.__pydantic_validator__
        return _run(model, lambda: core.validate_python(inputs, strict=False, self_instance=model.__new__(model)))
    if issubclass(model, BaseModel):
        return _run(model, lambda: model.model_validate(inputs, strict=False))
    return check(model, inputs)


def annotation_of(info: FieldInfo) -> Any:
    """Return the annotation of a field with what stands beside it, as a type of its own."""
    annotation: Any = info.annotation
    for mark in info.metadata:
        annotation = Annotated[annotation, mark]
    return annotation


def check(annotation: Any, value: object) -> tuple[Any, list[Fault]]:
    """Return ``value`` as ``annotation`` has it and no faults, or None and all that is wrong."""
    return _run(annotation, lambda: TypeAdapter(annotation).validate_python(value, strict=False))


def _run(annotation: Any, validate: Callable[[], Any]) -> tuple[Any, list[Fault]]:
    try:
        return validate(), []
    except ValidationError as error:
        details = error.errors(include_input=False)
    except Exception as error:  # noqa: BLE001 - a validator can raise what it wants, and its text may hold a value
        return None, [Fault((), "raised", f"{_REFUSED}, which failed with {raised_at(error)}")]
    limits = set(_limits(_core_schema(annotation)))
    return None, [_fault(detail, limits) for detail in details]


def _fault(detail: Mapping[str, Any], limits: set[str]) -> Fault:
    if "url" not in detail:  # an error type that a validator made up: even its name is not ours to show
        return Fault(detail["loc"], "custom", _REFUSED)
    context = {name: limit for name, limit in detail.get("ctx", {}).items() if name in _SHOWN}
    if all(str(limit) in limits for limit in context.values()):
        return Fault(detail["loc"], detail["type"], describe_error(detail["type"], context))
    return Fault(detail["loc"], detail["type"], _without_limits(detail["type"]))


def _without_limits(code: str) -> str:
    """A validator can raise pydantic's own errors with limits of its making, which may be the value."""
    message = describe_error(code, {})
    return "does not keep to a limit" if "{" in message else message


# The keys of a core schema whose values may be told: they were written in the code of the model.
_LIMITS = frozenset({"ge", "gt", "le", "lt", "max_length", "min_length", "multiple_of", "pattern", "version"})
_LISTED = frozenset({"allowed_schemes", "expected", "members"})
_SHOWN = (_LIMITS - {"version"}) | {"expected", "expected_schemes", "expected_version"}
_MOMENTS: dict[type, str] = {timedelta: "timedelta", datetime: "datetime", date: "date", time: "time"}
_SKIPPED = frozenset({"cls", "function", "metadata", "serialization"})


def _limits(schema: object) -> Iterator[str]:
    """Yield the text of every limit that ``schema`` sets."""
    if isinstance(schema, list | tuple):
        for item in schema:
            yield from _limits(item)
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key in _LISTED and isinstance(value, list):
            yield from _listing(value)
        elif key in _LIMITS:
            yield from _limit(value)
        elif key not in _SKIPPED:
            yield from _limits(value)


def _limit(value: Any) -> Iterator[str]:
    """Yield the texts that pydantic has for a limit."""
    yield str(getattr(value, "pattern", value))
    if isinstance(value, int | float):
        yield str(float(value))
    kind = _MOMENTS.get(type(value))
    if kind:
        try:
            SchemaValidator({"type": kind, "gt": value}).validate_python(value)
        except ValidationError as error:  # nothing is greater than itself
            yield str(error.errors(include_input=False)[0].get("ctx", {}).get("gt"))


def _listing(values: list[Any]) -> Iterator[str]:
    """Yield the ways in which pydantic lists choices: ``'a', 'b' or 'c'``."""
    texts = [repr(getattr(value, "value", value)) for value in values]
    for last in (" or ", ", "):
        yield last.join([", ".join(texts[:-1]), texts[-1]] if texts[1:] else texts)


def _core_schema(model: Any) -> object:
    own = vars(model).get("__pydantic_core_schema__") if isinstance(model, type) else None
    return own if isinstance(own, dict) else TypeAdapter(model).core_schema


def raised_at(error: BaseException) -> str:
    """Return an exception's type and the file and line it was raised at: all of it that can be shown."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f" at {os.path.basename(error.filename)}:{error.lineno}"
    return f"{type(error).__name__}{where}"
