"""Where what is not on this machine comes from: the backends themselves, or somebody who reads for several."""

from collections.abc import Sequence
from typing import Protocol

from confsvc.adapter import Deadline
from confsvc.fetching import Described, Fetched, Pool, describe_documents, fetch_documents
from confsvc.plan import Plan
from confsvc.reference import Reference

__all__ = ["Direct", "Upstream"]


class Upstream(Protocol):
    """What a reader asks. ``timeout`` is in seconds; what was read less than ``max_age`` seconds ago is new enough."""

    def fetch(self, references: Sequence[Reference], timeout: float, max_age: float) -> Fetched:
        """Read documents. Returns the outcome of every one."""
        ...

    def describe(self, references: Sequence[Reference], timeout: float, max_age: float) -> Described:
        """Ask about documents without reading them; where nobody can tell there is no outcome."""
        ...

    def close(self) -> None:
        """Have nothing more to do with others."""
        ...


class Direct:
    """The backends of a plan, asked each time."""

    def __init__(self, plan: Plan, pool: Pool) -> None:
        self._plan = plan
        self._pool = pool

    def fetch(self, references: Sequence[Reference], timeout: float, max_age: float = 0.0) -> Fetched:
        """See `Upstream.fetch`."""
        del max_age  # nothing is kept
        return fetch_documents(references, self._plan.backends, Deadline(timeout), self._pool)

    def describe(self, references: Sequence[Reference], timeout: float, max_age: float = 0.0) -> Described:
        """See `Upstream.describe`."""
        del max_age
        return describe_documents(references, self._plan.backends, Deadline(timeout), self._pool)

    def close(self) -> None:
        """See `Upstream.close`. The pool is its owner's."""
