"""Beginning to watch."""

from collections.abc import Callable
from typing import TypeVar, Unpack

from confsvc.calling import Options, bare, hide, request_for, warn_of
from confsvc.errors import Problem, UsageError
from confsvc.live.listeners import check_callback
from confsvc.live.live import Live
from confsvc.live.sharing import share
from confsvc.models import ModelSchema
from confsvc.resolver import TIMEOUT
from confsvc.watching import Pace, Watcher

__all__ = ["awatch", "watch"]

T = TypeVar("T")

INTERVAL = 30.0
DEBOUNCE = 0.2
_LEAST = 0.05  # seconds between two looks: less is no interval, but a load
# A refresh waits for a step that is under way, and may take several reads, each within the timeout.
_READS = 3

Rejection = Callable[[tuple[Problem, ...]], object]


class _WatchOptions(Options, total=False):
    """The options of ``watch``."""

    interval: float
    debounce: float
    on_rejected: Rejection | None


def watch(
    model: type[T],
    *,
    interval: float = INTERVAL,
    debounce: float = DEBOUNCE,
    on_rejected: Rejection | None = None,
    **options: Unpack[Options],
) -> Live[T]:
    """Resolve as ``load`` does, with the same ``options``, and keep the settings right from then on.

    Backends are looked at every ``interval`` seconds, files every second or as often as that; a change waits until
    nothing has moved for ``debounce`` seconds. ``on_rejected`` is as in ``Live.on_rejected``. One thread watches for
    the whole process. In a forked child another one goes on.

    Raises:
        ResolutionError, ManifestError, UsageError: as ``load`` does.

    """
    if interval < _LEAST or debounce < 0:
        raise UsageError(f"an interval is at least {_LEAST:g} s, and a debounce not negative")
    if on_rejected is not None:
        check_callback(on_rejected)  # before there is anything to close
    patience = options.get("timeout", TIMEOUT) * _READS
    hidden = hide(options)
    schema, watcher = bare(lambda: _begin(model, Pace(interval, debounce), hidden.reveal()))
    live = Live(schema, watcher, patience=patience)
    if on_rejected is not None:
        live.on_rejected(on_rejected)
    return live


async def awatch(model: type[T], **options: Unpack[_WatchOptions]) -> Live[T]:
    """Do what ``watch`` does, in a thread, so that the event loop goes on."""
    from asyncio import to_thread

    hidden = hide(options)
    return await to_thread(lambda: watch(model, **hidden.reveal()))


def _begin(model: type[T], pace: Pace, options: Options) -> tuple[ModelSchema[T], Watcher]:
    """Resolve for the first time."""
    schema = ModelSchema(model)
    watcher = Watcher(request_for(schema, options), pace, alarm=False, share=share)
    resolved = watcher.attempt()
    warn_of(resolved.resolution, 5)
    resolved.unwrap()
    return schema, watcher
