"""Reading the settings anew where a piece of code fails."""

from collections.abc import Awaitable, Callable

__all__ = ["Refreshing"]


class Refreshing:
    """A context that calls ``refresh`` when one of ``errors`` comes out of it. The error goes on."""

    def __init__(
        self,
        errors: tuple[type[BaseException], ...],
        refresh: Callable[[], object],
        arefresh: Callable[[], Awaitable[object]],
    ) -> None:
        self._errors = errors
        self._refresh = refresh
        self._arefresh = arefresh

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is not None and issubclass(kind, self._errors):
            self._refresh()

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is not None and issubclass(kind, self._errors):
            await self._arefresh()
