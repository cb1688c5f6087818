"""Beginning to watch."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from confsvc.errors import Problem, UsageError
from confsvc.finding import make_request
from confsvc.library import ConfsvcWarning
from confsvc.live.live import Live
from confsvc.live.sharing import share
from confsvc.models import ModelSchema
from confsvc.resolver import TIMEOUT, Resolved
from confsvc.watching import Pace, Watcher

__all__ = ["awatch", "watch"]

T = TypeVar("T")

INTERVAL = 30.0
DEBOUNCE = 0.2
_LEAST = 0.05  # seconds between two looks: less is no interval, but a load
# A refresh waits for a step that is under way, and may take several reads, each within the timeout.
_READS = 3

Rejection = Callable[[tuple[Problem, ...]], object]


def watch(  # noqa: PLR0913 - those of ``load``, and its own
    model: type[T],
    *,
    environment: str = "",
    file: str = "",
    sources: Iterable[str] = (),
    set: Mapping[str, str] | None = None,  # noqa: A002 - `--set`
    override: bool = False,
    timeout: float = TIMEOUT,
    interval: float = INTERVAL,
    debounce: float = DEBOUNCE,
    on_rejected: Rejection | None = None,
) -> Live[T]:
    """Resolve as ``load`` does, and keep the settings right from then on.

    Backends are looked at every ``interval`` seconds, files every second or as often as that; a change waits until
    nothing has moved for ``debounce`` seconds. ``on_rejected`` is as in ``Live.on_rejected``. One thread watches for
    the whole process. In a forked child another one goes on.

    Raises:
        ResolutionError, ManifestError, UsageError: as ``load`` does.

    """
    if interval < _LEAST or debounce < 0:
        raise UsageError(f"an interval is at least {_LEAST:g} s, and a debounce not negative")
    schema = ModelSchema(model)
    watcher = _watcher(
        Pace(interval, debounce),
        environment=environment,
        file=file,
        sources=sources,
        schema=schema,
        given=set,
        override=override,
        timeout=timeout,
    )
    _begin(watcher).unwrap()
    live = Live(schema, watcher, patience=timeout * _READS)
    if on_rejected is not None:
        live.on_rejected(on_rejected)
    return live


async def awatch(  # noqa: PLR0913 - those of ``watch``
    model: type[T],
    *,
    environment: str = "",
    file: str = "",
    sources: Iterable[str] = (),
    set: Mapping[str, str] | None = None,  # noqa: A002 - `--set`
    override: bool = False,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - it bounds the whole resolution, threads included
    interval: float = INTERVAL,
    debounce: float = DEBOUNCE,
    on_rejected: Rejection | None = None,
) -> Live[T]:
    """Do what ``watch`` does, in a thread, so that the event loop goes on."""
    from asyncio import to_thread

    return await to_thread(
        watch,
        model,
        environment=environment,
        file=file,
        sources=sources,
        set=set,
        override=override,
        timeout=timeout,
        interval=interval,
        debounce=debounce,
        on_rejected=on_rejected,
    )


def _watcher(pace: Pace, **options: Any) -> Watcher:
    """Return a watcher. What raises has no variable that holds the environment."""
    return Watcher(make_request(**options), pace, alarm=False, share=share)


def _begin(watcher: Watcher) -> Resolved:
    """Resolve for the first time, and warn. Errors are raised by the caller."""
    resolved = watcher.attempt()
    for warning in resolved.resolution.warnings:
        warnings.warn(warning, ConfsvcWarning, stacklevel=3)
    return resolved
