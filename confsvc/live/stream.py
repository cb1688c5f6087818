"""Changes as an asynchronous iterator."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from confsvc.live.change import Change

__all__ = ["Changes"]

T = TypeVar("T")


class Changes(Generic[T]):
    """The changes from when it was made, for one task of the event loop in which it was made."""

    def __init__(self) -> None:
        self._ends: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._next: Change[T] | None = None
        self._is_over = False

    def follow(
        self,
        changes: Callable[[Callable[[Change[T]], None]], Callable[[], None]],
        end: Callable[[Callable[[None], None]], Callable[[], None]],
    ) -> None:
        """Subscribe: ``changes`` and ``end`` take a function to call from any thread, and return what ends it."""
        reference = weakref.ref(self)  # nobody has to close what nobody iterates over any more

        def call(act: Callable[["Changes[T]"], None]) -> None:
            found = reference()
            if found is not None and not found._loop.is_closed():  # noqa: SLF001 - its own
                found._loop.call_soon_threadsafe(act, found)  # noqa: SLF001
            elif found is not None:
                found._leave()  # noqa: SLF001

        self._ends = [
            changes(lambda change: call(lambda one: one._put(change))),  # noqa: SLF001
            end(lambda _nothing: call(lambda one: one._end())),  # noqa: SLF001
        ]

    def __aiter__(self) -> "Changes[T]":
        return self

    async def __anext__(self) -> Change[T]:
        while self._next is None:
            if self._is_over:
                raise StopAsyncIteration
            self._woken.clear()
            await self._woken.wait()
        found, self._next = self._next, None
        return found

    async def aclose(self) -> None:
        """Want no more of them."""
        self._end()

    def __del__(self) -> None:
        self._leave()

    def _put(self, change: Change[T]) -> None:
        self._next = change if self._next is None else self._next.followed_by(change)
        self._woken.set()

    def _end(self) -> None:
        self._is_over = True
        self._woken.set()
        self._leave()

    def _leave(self) -> None:
        for end in self._ends:
            end()
