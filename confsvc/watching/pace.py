"""How often to look, and how long a change waits before it is told."""

import random
from typing import NamedTuple

__all__ = ["Gate", "Pace"]

# A lease's successor waits for nobody longer than this part of the time that the lease has left.
_SHARE = 4


class Pace(NamedTuple):
    """All in seconds. ``interval`` lies between two looks; a change waits until nothing moved for ``debounce``.

    Two changes are told at least ``minimum`` apart. ``splay``: each waits for a random part of this besides, so that a
    thousand replicas do not restart together; it is asked for where a change came from a store that others watch too.
    ``local_splay`` is the same for changes of files.
    """

    interval: float = 30.0
    debounce: float = 0.5
    minimum: float = 0.0
    splay: float = 0.0
    local_splay: float = 0.0


class Gate:
    """Holds a change back for as long as the pace says. Times are on the lasting clock."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._told = float("-inf")
        self._moved = 0.0
        self._earliest = 0.0
        self._latest = float("inf")
        self._waiting = False

    def offer(self, now: float, *, is_local: bool, expires: float = float("inf")) -> None:
        """Take note that something changed, or changed again. ``expires`` is when what is in use ends."""
        if not self._waiting:
            pace = self._pace
            splay = pace.local_splay if is_local else pace.splay
            self._earliest = max(self._told + pace.minimum, now + random.uniform(0, splay))  # noqa: S311 - no secret
            self._waiting = True
        self._latest = now + max(0.0, expires - now) / _SHARE
        self._moved = now

    def withdraw(self) -> None:
        """Take note that it changed back."""
        self._waiting = False

    def opens(self) -> float:
        """Return when the change may be told; infinity where there is none."""
        if not self._waiting:
            return float("inf")
        return min(max(self._earliest, self._moved + self._pace.debounce), self._latest)

    def tell(self, now: float) -> None:
        """Take note that it is told now."""
        self._waiting = False
        self._told = now
