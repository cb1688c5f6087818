"""Settings that are right now, and change in one step."""

import warnings
import weakref
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

from confsvc._suggest import did_you_mean
from confsvc.errors import Problem, UsageError
from confsvc.live.change import Change
from confsvc.live.hub import Member, Tell, hub
from confsvc.live.listeners import Listeners, check_callback, log, only_for
from confsvc.live.refreshing import Refreshing
from confsvc.watching import Changed, Event, Outage, Recovered, Rejected, Watcher

if TYPE_CHECKING:
    from confsvc.live.stream import Changes
    from confsvc.models import ModelSchema

__all__ = ["Live"]

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class Live(Generic[T]):
    """A model's settings, kept right by one thread for all watchers of the process. Made by ``confsvc.watch``.

    ``current`` is always a whole and valid set. It is swapped for another in one step, so keep ``settings =
    live.current`` where several of its values belong together. All methods may be called from any thread.
    """

    if TYPE_CHECKING:

        @property
        def current(self) -> T:
            """The settings as they are now. At run time it is a plain attribute, which is quicker to read."""
    else:
        current: T

    def __init__(self, schema: "ModelSchema[T]", watcher: Watcher, *, patience: float) -> None:
        self._swap(schema.instance)
        self._schema = schema
        self._patience = patience
        self._changes: Listeners[Change[T]] = Listeners()
        self._rejections: Listeners[tuple[Problem, ...]] = Listeners()
        self._closings: Listeners[None] = Listeners()
        self._is_closed = False
        self._key = object()
        hub().add(self._key, Member(watcher, _weak(self)))

    def on_change(self, callback: Callable[[Change[T]], object], *names: str) -> Callable[[], None]:
        """Call ``callback`` after each change, or after each that touches one of the settings ``names``.

        It is called in the watcher's thread, so it should be short. What it raises is logged. Returns a function that
        ends it.

        Raises:
            UsageError: there is no such setting, or ``callback`` is a coroutine function, or cannot be called.

        """
        self._check_names(names)
        check_callback(callback)
        return self._changes.add(only_for(names, callback))

    def on_rejected(self, callback: Callable[[tuple[Problem, ...]], object]) -> Callable[[], None]:
        """Call ``callback`` with the problems of a set that is not valid, once for the same ones. See ``on_change``.

        Without any callback they are logged, as warnings of the logger ``confsvc``.
        """
        check_callback(callback)
        return self._rejections.add(callback)

    def changes(self, *names: str) -> "Changes[T]":
        """Return the changes from now on, or those that touch ``names``, for ``async for`` in the running event loop.

        Whoever is slow gets several as one. It ends when the watcher is closed.

        Raises:
            UsageError: there is no such setting.
            RuntimeError: no event loop is running.

        """
        from confsvc.live.stream import Changes  # brings asyncio

        self._check_names(names)
        made: Changes[T] = Changes()
        made.follow(lambda put: self._changes.add(only_for(names, put)), self._closings.add)
        return made

    def refresh(self) -> T:
        """Read everything anew, past what is known, and return the settings.

        Those who ask at the same time share one reading, and what was read less than a second ago is new enough. A set
        that is not valid, or a backend that cannot be asked, leaves things as they are. In a callback it does not wait:
        the reading follows when the callback is over.

        Raises:
            UsageError: it was closed.

        """
        if self._is_closed:
            raise UsageError("this watcher is closed")
        if not hub().refresh(self._key, self._patience) and not hub().is_here:
            log.warning(
                "the settings could not be read anew within %.0f s; they stay as they are for now", self._patience
            )
        return self.current

    async def arefresh(self) -> T:
        """Do what ``refresh`` does, in a thread, so that the event loop goes on."""
        from asyncio import to_thread

        return await to_thread(self.refresh)

    def refresh_on(self, *errors: type[BaseException]) -> Refreshing:
        """Return a context, for ``with`` or ``async with``, that refreshes on one of ``errors`` and lets it through."""
        return Refreshing(errors, self.refresh, self.arefresh)

    def retry(self, function: Callable[[], R], *, on: type[BaseException] | tuple[type[BaseException], ...]) -> R:
        """Return what ``function`` returns. On an error of ``on``, refresh and call it once more."""
        try:
            return function()
        except on:
            pass  # outside, so that the second error does not drag the first along
        self.refresh()
        return function()

    async def aretry(
        self, function: Callable[[], Awaitable[R]], *, on: type[BaseException] | tuple[type[BaseException], ...]
    ) -> R:
        """Do what ``retry`` does, for a function that is awaited."""
        try:
            return await function()
        except on:
            pass
        await self.arefresh()
        return await function()

    def close(self) -> None:
        """Stop watching, and give back leases and logins. ``current`` stays as it is."""
        if not self._is_closed:
            self._is_closed = True
            hub().close(self._key)
            self._closings.tell(None)

    def __enter__(self) -> "Live[T]":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    async def __aenter__(self) -> "Live[T]":
        return self

    async def __aexit__(self, *_error: object) -> None:
        from asyncio import to_thread

        await to_thread(self.close)

    def __del__(self) -> None:
        if not getattr(self, "_is_closed", True):
            self._is_closed = True
            warnings.warn(f"{self!r} was not closed", ResourceWarning, stacklevel=1, source=self)
            hub().forget(self._key)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "current":
            raise AttributeError("`current` cannot be set: it is what the sources hold")
        super().__setattr__(name, value)

    def _swap(self, settings: T) -> None:
        super().__setattr__("current", settings)

    def __repr__(self) -> str:
        return f"<confsvc.Live of {self._schema.model.__name__}>"

    def _tell(self, event: Event) -> None:
        if isinstance(event, Changed):
            previous = self.current
            self._swap(self._schema.instance)
            self._changes.tell(Change(event.names, self.current, previous))
        elif isinstance(event, Rejected):
            if not self._rejections.tell(event.problems):
                log.warning("the new settings are not valid, the old ones stay: %s", _line(event.problems))
        elif isinstance(event, Outage):
            log.warning("the settings cannot be read, they stay as they are: %s", _line(event.problems))
        elif isinstance(event, Recovered):
            log.info("the settings can be read again, after %.0f s", event.seconds)

    def _check_names(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._schema.settings:
                raise UsageError(f"no setting is called `{name}`{did_you_mean(name, self._schema.settings)}")


def _weak(live: "Live[T]") -> Callable[[], Tell | None]:
    """Return a function that finds the function to tell, as long as somebody holds on to ``live``."""
    reference = weakref.ref(live)

    def find() -> Tell | None:
        found = reference()
        return found._tell if found is not None else None  # noqa: SLF001 - its own part of this module

    return find


def _line(problems: Iterable[Problem]) -> str:
    return "; ".join(" ".join(part for part in (one.name or one.reference, one.message) if part) for one in problems)
