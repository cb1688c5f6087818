"""Who wants to know, and telling them so that none can hurt the others."""

import logging
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Generic, TypeVar

from confsvc.errors import UsageError
from confsvc.live.change import Change

__all__ = ["Listeners", "check_callback", "guarded", "log", "only_for"]

T = TypeVar("T")
E = TypeVar("E")

log = logging.getLogger("confsvc")


class Listeners(Generic[E]):
    """Functions to call with an event, in the order in which they came. May be changed by any thread.

    There is no lock, which a fork could leave behind locked: each change of the dictionary is one step.
    """

    def __init__(self) -> None:
        self._functions: dict[object, Callable[[E], object]] = {}

    def add(self, function: Callable[[E], object]) -> Callable[[], None]:
        """Add ``function``, and return what takes it away again."""
        key = object()
        self._functions[key] = function

        def remove() -> None:
            self._functions.pop(key, None)

        return remove

    def tell(self, event: E) -> bool:
        """Call all of them, and return whether there was one. One that raises is logged."""
        functions = list(self._functions.values())
        for function in functions:
            guarded(_name(function), lambda function=function: function(event))  # type: ignore[misc]
        return bool(functions)


def check_callback(callback: object) -> None:
    """Raise a UsageError where ``callback`` cannot be called, or would have to be awaited."""
    from inspect import iscoroutinefunction

    if not callable(callback):
        raise UsageError(f"a callback is called, and `{type(callback).__name__}` cannot be")
    if iscoroutinefunction(callback):
        raise UsageError("a callback is called, not awaited", hint="`async for change in live.changes()`")


def guarded(name: str, function: Callable[[], object]) -> bool:
    """Call ``function``, and return whether it raised; then that is logged, in the name of ``name``.

    The error's text may hold a value: what kind of error it is, and where, has to do.
    """
    try:
        function()
    except Exception as error:  # noqa: BLE001 - whatever it is, the watcher goes on
        failure = f"{type(error).__name__} ({_place(error.__traceback__)})"
    else:
        return False
    log.error("%s raised %s", name, failure)
    return True


def only_for(names: Iterable[str], function: Callable[[Change[T]], object]) -> Callable[[Change[T]], None]:
    """Return a function that calls ``function`` where one of ``names`` changed."""
    wanted = frozenset(names)

    def call(change: Change[T]) -> None:
        if change.touches(wanted):
            function(change)

    call.__qualname__ = _name(function)
    return call


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", type(function).__name__)


def _place(trail: TracebackType | None) -> str:
    """Return the file and line where an error was raised."""
    if trail is None:
        return "nowhere"
    while trail.tb_next:
        trail = trail.tb_next
    return f"{trail.tb_frame.f_code.co_filename}:{trail.tb_lineno}"
