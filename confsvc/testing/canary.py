"""Looking for a value where it must not be: in text and in exceptions, whatever it was encoded as."""

import sys
from collections.abc import Iterator, Mapping
from secrets import token_hex
from traceback import walk_tb
from types import BuiltinFunctionType, FrameType, FunctionType, MethodType, ModuleType

from confsvc._encodings import encodings_of, to_bytes
from confsvc.secret import Secret

__all__ = ["encodings_of", "find_leaks", "make_canary"]

# How deep what an exception carries is looked into: a client, its session, its response, the headers, one of them.
_DEPTH = 6

# What holds no data of its own; a Secret shows its value only to who asks.
_OPAQUE = (Secret, type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, FrameType)


def make_canary() -> str:
    """Return a value that stands nowhere else, with characters that every encoding changes."""
    return f"cnry {token_hex(8)}/+%\"'é"


def find_leaks(value: str, *places: object) -> list[str]:
    """Return the encodings in which ``value`` stands in any of ``places``: text, bytes, exceptions, lists of them.

    An exception is searched with its arguments, attributes, notes, causes, contexts, and the locals of its frames; but
    not of those that still run, as the test that looks for a value holds it. A value of a few characters stands in
    many places by chance: look for one that ``make_canary`` made.

    Raises:
        ValueError: ``value`` is empty, which is everywhere.

    """
    needles = encodings_of(value)
    running = _running()
    haystack = b"\n".join(piece for place in places for piece in _pieces(place, running))
    return [name for name, needle in needles.items() if needle in haystack]


def _running() -> set[FrameType]:
    found: set[FrameType] = set()
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect does the same
    while frame is not None:
        found.add(frame)
        frame = frame.f_back
    return found


def _pieces(place: object, running: set[FrameType]) -> Iterator[bytes]:
    todo: list[tuple[object, int]] = [(place, 0)]
    known: list[object] = []  # kept alive, so that no id is used twice
    ids: set[int] = set()
    while todo:
        current, depth = todo.pop()
        if id(current) in ids:
            continue
        ids.add(id(current))
        known.append(current)
        yield from _shown(current)
        if isinstance(current, BaseException):
            todo += [(part, 0) for part in _around(current)]
            yield from _locals_of(current, running)
            todo += [(part, 1) for part in _held(current)]
        elif isinstance(current, Mapping | list | tuple | set | frozenset):
            items = [*current.keys(), *current.values()] if isinstance(current, Mapping) else current
            todo += [(part, depth) for part in items]
        elif 0 < depth < _DEPTH:
            todo += [(part, depth + 1) for part in _held(current)]


def _shown(place: object) -> Iterator[bytes]:
    if isinstance(place, bytes | bytearray):
        yield bytes(place)
    else:
        yield to_bytes(str(place))
    yield to_bytes(repr(place))


def _around(error: BaseException) -> Iterator[object]:
    yield error.__cause__
    yield error.__context__  # also where `from None` says not to show it
    yield error.args
    if isinstance(error, BaseExceptionGroup):
        yield error.exceptions


def _held(place: object) -> Iterator[object]:
    """Yield the attributes of an object, those in slots too."""
    if isinstance(place, _OPAQUE):
        return
    yield getattr(place, "__dict__", {})
    for kind in type(place).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            yield getattr(place, name, None)


def _locals_of(error: BaseException, running: set[FrameType]) -> Iterator[bytes]:
    """Yield what a crash reporter that captures variables would send."""
    for frame, _ in walk_tb(error.__traceback__):
        if frame not in running:
            yield from (to_bytes(_repr(local)) for local in frame.f_locals.values())


def _repr(local: object) -> str:
    try:
        return repr(local)
    except Exception:  # noqa: BLE001 - what a constructor left half done cannot be shown, so it shows nothing
        return ""
