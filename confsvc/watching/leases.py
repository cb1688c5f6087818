"""Keeping what was read with a lease alive, and knowing when another one is needed."""

import random
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from confsvc.adapter import Deadline, Document, Lease, lasting_clock
from confsvc.errors import AdapterError, ConfsvcError, DeadlineError, Throttled, Unauthenticated, Unavailable
from confsvc.fetching import Pool
from confsvc.plan import Plan
from confsvc.reference import Reference

__all__ = ["Leases"]

_RENEW_AFTER = 2 / 3  # of its life, as the rest is for trying again
_JITTER = 0.1  # of that, earlier: so that what was made together is not renewed together
_SHRUNK = 0.9  # of what was granted first: less means that its longest life is near
_SILENCE = (Unavailable, Throttled, DeadlineError, Unauthenticated)
_AGAIN = 1.0  # seconds between two tries, at least


class _Held(NamedTuple):
    """A lease. Times are on the lasting clock; ``full`` is what was granted first, in seconds."""

    lease: Lease
    since: float
    full: float
    ends: float
    due: float


class Leases:
    """The lease of every document that has one."""

    def __init__(self, plan: Plan, pool: Pool) -> None:
        self._plan = plan
        self._pool = pool
        self._held: dict[Reference, _Held] = {}

    def take(self, seen: Mapping[Reference, object], since: float) -> None:
        """Note the leases of documents that were read; the clock said ``since`` when that began."""
        for reference, document in seen.items():
            lease = document.lease if isinstance(document, Document) else None
            held = self._held.get(reference)
            if lease is not None and (held is None or held.lease.id != lease.id):
                self._held[reference] = _hold(lease, since)

    def due(self) -> float:
        """Return when `renew` wants to be called."""
        return min((held.due for held in self._held.values()), default=float("inf"))

    def ends(self, references: Iterable[Reference]) -> float:
        """Return when the first of the leases of ``references`` ends."""
        return min((self._held[r].ends for r in references if r in self._held), default=float("inf"))

    def renew(
        self, timeout: float, again: float
    ) -> tuple[list[Reference], dict[Reference, ConfsvcError], list[Reference]]:
        """Renew what is due.

        Returns what must be read anew, what the store did not answer to, and what was renewed. The first two are tried
        again: before the lease ends, and ``again`` seconds apart after that.
        """
        ended: list[Reference] = []
        silent: dict[Reference, ConfsvcError] = {}
        fresh: list[Reference] = []
        now = lasting_clock()
        for reference, held in self._held.items():
            if held.due > now:
                continue
            renewed = self._ask(reference, held, timeout) if held.lease.renewable and held.ends > now else None
            if isinstance(renewed, Lease) and renewed.duration >= held.full * _SHRUNK:
                self._held[reference] = _hold(renewed, now)._replace(since=held.since, full=held.full)
                fresh.append(reference)
                continue
            ends = now + renewed.duration if isinstance(renewed, Lease) else held.ends
            wait = max(_AGAIN, (ends - now) / 4) if ends > now else max(_AGAIN, again)
            self._held[reference] = held._replace(ends=ends, due=now + wait)
            if isinstance(renewed, _SILENCE):
                silent[reference] = renewed
            else:
                ended.append(reference)
        return ended, silent, fresh

    def suspect(self, timeout: float, age: float) -> list[Reference]:
        """Return what must be read anew where somebody says that it does not work.

        It is what the store no longer knows, and what is older than ``age`` seconds: an app that fails again and again
        does not have new credentials made each time.
        """
        now = lasting_clock()
        return [r for r, held in self._held.items() if now - held.since >= age or self._is_gone(r, held, timeout)]

    def _is_gone(self, reference: Reference, held: _Held, timeout: float) -> bool:
        answer = self._ask(reference, held, timeout) if held.lease.renewable else None
        return isinstance(answer, ConfsvcError) and not isinstance(answer, _SILENCE)

    def _ask(self, reference: Reference, held: _Held, timeout: float) -> Lease | ConfsvcError:
        keeper = self._pool.take(self._plan.backends[reference.scheme])
        try:
            renewed: Lease = keeper.renew(held.lease, deadline=Deadline(timeout))  # type: ignore[attr-defined]
        except (AdapterError, DeadlineError) as error:
            error.__cause__ = error.__context__ = error.__traceback__ = None
            return error
        return renewed


def _hold(lease: Lease, since: float) -> _Held:
    after = lease.duration * _RENEW_AFTER * (1 - random.uniform(0, _JITTER))  # noqa: S311 - no secret
    return _Held(lease, since, lease.duration, since + lease.duration, since + after)
