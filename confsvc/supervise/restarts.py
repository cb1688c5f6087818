"""When a command that died just after we restarted it is started again, and when we give up."""

__all__ = ["Restarts"]

SETTLED = 10.0  # seconds after which a restart is taken to have worked
_FIRST, _LONGEST = 1.0, 60.0  # seconds of waiting, doubled each time


class Restarts:
    """Counts restarts in a row that did not last. Times are in seconds on one clock."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._failed = 0
        self._restarted = float("-inf")

    def note(self, now: float) -> None:
        """Take note that the command was started again."""
        self._restarted = now

    def forgive(self) -> None:
        """Begin to count anew: the settings are others now."""
        self._failed = 0

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next start of what died at ``now``; None where there is to be none."""
        if now - self._restarted > SETTLED or self._failed >= self._most:
            return None
        self._failed += 1
        return float(min(_FIRST * 2 ** (self._failed - 1), _LONGEST))
