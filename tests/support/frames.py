"""What a crash reporter like Sentry's sends: the variables of every frame, into containers and objects."""

from collections.abc import Collection, Iterator, Mapping
from traceback import walk_tb
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

import pydantic

from confsvc import Secret

__all__ = ["captured"]

_DEPTH = 4  # levels below a variable: an object, its attribute, a mapping in that, its value
_OPAQUE = (Secret, pydantic.SecretStr, pydantic.SecretBytes, type, ModuleType, FunctionType, BuiltinFunctionType)
_OPAQUE_TOO = (MethodType, FrameType, CodeType)


def captured(error: BaseException, *, but: str) -> str:
    """Return all that is to be seen from the frames of ``error`` and of those behind it, but for the file ``but``."""
    return "\n".join(_of_error(error, but, set()))


def _of_error(error: BaseException | None, but: str, seen: set[int]) -> Iterator[str]:
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield from (str(error), repr(error), repr(error.args), repr(vars(error)))
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code.co_filename != but:
            for name, value in frame.f_locals.items():
                yield f"{frame.f_code.co_name}.{name}"
                yield from _of_value(value, _DEPTH)
    yield from _of_error(error.__cause__, but, seen)
    yield from _of_error(error.__context__, but, seen)
    for one in getattr(error, "exceptions", ()):
        yield from _of_error(one, but, seen)


def _of_value(value: Any, depth: int) -> Iterator[str]:
    try:
        yield repr(value)
    except Exception:  # noqa: BLE001 - a constructor has left it half done, so it shows nothing
        return
    if depth == 0 or isinstance(value, (*_OPAQUE, *_OPAQUE_TOO, str, bytes)):
        return
    inner: list[Any] = []
    if isinstance(value, Mapping):
        inner += [*value.keys(), *value.values()]
    elif isinstance(value, Collection):
        inner += value
    inner += getattr(value, "__dict__", {}).values()
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        inner += [getattr(value, slot, None) for slot in ([slots] if isinstance(slots, str) else slots)]
    for one in inner:
        yield from _of_value(one, depth - 1)
