"""An upstream that spares stores: who does not answer is left alone for a while, and nobody is asked too often."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confsvc.adapter import lasting_clock
from confsvc.errors import AdapterError, ConfsvcError, DeadlineError, Throttled, Unavailable
from confsvc.fetching import Described, Fetched
from confsvc.reference import Reference
from confsvc.watching import Upstream

__all__ = ["Breaker", "Guard"]

_SILENCE = (Unavailable, Throttled, DeadlineError)
_PATIENCE = 3  # failures in a row, after which a store is left alone
_REST = 2.0  # seconds of that, at first; twice as long after each further failure
_LONGEST = 60.0  # seconds
_CALLS = 30.0  # questions that a store can be asked at once
_REFILL = 0.5  # questions a second that it can be asked in the long run

_Ask = Callable[[Sequence[Reference], float, float], Mapping[Reference, Any]]


class Breaker:
    """What is known of one store. Times are on the lasting clock. ``reads`` counts the questions it was asked."""

    def __init__(self) -> None:
        self.reads = 0
        self._failures = 0
        self._opens_at = float("-inf")
        self._calls = _CALLS
        self._filled_at = lasting_clock()

    @property
    def is_open(self) -> bool:
        """Whether the store is left alone."""
        return self._failures >= _PATIENCE and lasting_clock() < self._opens_at

    def refusal(self) -> AdapterError | None:
        """Return why the store is not to be asked now; else None, and note that it is."""
        now = lasting_clock()
        if self.is_open:
            return Unavailable(f"it has not answered {self._failures} times, and is left alone for a while")
        self._calls = min(_CALLS, self._calls + (now - self._filled_at) * _REFILL)
        self._filled_at = now
        if self._calls < 1:
            return Throttled("it was asked as often as the agent may")
        self._calls -= 1
        self.reads += 1
        return None

    def note(self, outcomes: Sequence[object]) -> None:
        """Note what the store said. One that says nothing to a single question is down."""
        if not outcomes or not all(isinstance(outcome, _SILENCE) for outcome in outcomes):
            self._failures = 0
            return
        self._failures += 1
        rest = min(_LONGEST, _REST * 2 ** max(0, self._failures - _PATIENCE))
        self._opens_at = lasting_clock() + rest * random.uniform(0.8, 1.2)  # noqa: S311 - no secret


class Guard:
    """Asks ``others``, each store through its breaker in ``breakers``, which are by the backend's name."""

    def __init__(self, others: Upstream, breakers: dict[str, Breaker]) -> None:
        self._others = others
        self._breakers = breakers

    def fetch(self, references: Sequence[Reference], timeout: float, max_age: float) -> Fetched:
        """See `Upstream.fetch`."""
        return self._ask(self._others.fetch, references, timeout, max_age)

    def describe(self, references: Sequence[Reference], timeout: float, max_age: float) -> Described:
        """See `Upstream.describe`."""
        return self._ask(self._others.describe, references, timeout, max_age)

    def close(self) -> None:
        """See `Upstream.close`."""
        self._others.close()

    def _ask(self, ask: _Ask, references: Sequence[Reference], timeout: float, max_age: float) -> dict[Reference, Any]:
        names = dict.fromkeys(reference.scheme for reference in references)
        refusals: dict[str, ConfsvcError | None] = {
            name: self._breakers.setdefault(name, Breaker()).refusal() for name in names
        }
        asked = [reference for reference in references if refusals[reference.scheme] is None]
        found = dict(ask(asked, timeout, max_age)) if asked else {}
        for name in names:
            if refusals[name] is None:
                self._breakers[name].note([found[r] for r in asked if r.scheme == name and r in found])
        return {**found, **{r: refusals[r.scheme] for r in references if refusals[r.scheme] is not None}}
