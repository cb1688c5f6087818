"""What was read and asked last, for a while: so that the same is not read twice."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from confsvc.adapter import Description, Document, lasting_clock
from confsvc.fetching import Described, Fetched
from confsvc.reference import Reference
from confsvc.watching.upstream import Upstream

__all__ = ["Cache"]


class Cache:
    """What an upstream said. Who asks while somebody reads waits, and gets the same.

    ``since`` is a moment on the lasting clock: what was read from then on is new enough. That clock is the same one for
    all processes of a machine, so that a question is not older for having waited.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._documents: dict[Reference, tuple[float, Any]] = {}
        self._descriptions: dict[Reference, tuple[float, Any]] = {}

    def is_leased(self, reference: Reference) -> bool:
        """Whether ``reference`` was read with a lease: whoever wants one has to read it."""
        outcome = self._documents.get(reference, (0.0, None))[1]
        return isinstance(outcome, Document) and outcome.lease is not None

    def fetch(self, references: Sequence[Reference], timeout: float, since: float) -> Fetched:
        """Return the outcome of every document. What has a lease is never taken from here."""
        with self._lock:
            stale = [r for r in references if self.is_leased(r) or not _is_fresh(self._documents, r, since)]
            if stale:
                began = lasting_clock()
                found = self._upstream.fetch(stale, timeout, 0.0)
                self._documents |= {reference: (began, outcome) for reference, outcome in found.items()}
            return {reference: self._documents[reference][1] for reference in references}

    def describe(self, references: Sequence[Reference], timeout: float, since: float) -> Described:
        """Return what is known about documents. One whose version is still the same is as good as read just now."""
        with self._lock:
            stale = [r for r in references if not _is_fresh(self._descriptions, r, since)]
            if stale:
                began = lasting_clock()
                found = self._upstream.describe(stale, timeout, 0.0)
                self._descriptions |= {reference: (began, outcome) for reference, outcome in found.items()}
                self._compare(found, began)
            kept = {r: self._descriptions[r][1] for r in references if r in self._descriptions}
            return {reference: outcome for reference, outcome in kept.items() if outcome is not None}

    def _compare(self, found: Mapping[Reference, object], began: float) -> None:
        """Forget what has another version by now, so that it is read anew: once, whoever else asks how much later."""
        for reference, outcome in found.items():
            held = self._documents.get(reference, (0.0, None))[1]
            is_same = (
                isinstance(outcome, Description)
                and isinstance(held, Document)
                and held.version == outcome.version
                and not outcome.state
            )
            if is_same:
                self._documents[reference] = (began, held)
            elif not self.is_leased(reference):
                self._documents.pop(reference, None)


def _is_fresh(held: Mapping[Reference, tuple[float, Any]], reference: Reference, since: float) -> bool:
    found = held.get(reference)
    return found is not None and found[0] >= since
