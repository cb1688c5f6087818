"""Where what is not on this machine comes from: the backends themselves, or somebody who reads for several."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from confsvc.adapter import Deadline, Description, Document
from confsvc.fetching import Described, Fetched, Pool, describe_documents, fetch_documents
from confsvc.plan import Plan
from confsvc.reference import Reference

if TYPE_CHECKING:
    from confsvc.cache import Net

__all__ = ["Direct", "Offline", "Upstream"]


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
    """The backends of a plan, asked each time. While it is ``hurried``, what is refused is not tried again."""

    def __init__(self, plan: Plan, pool: Pool) -> None:
        self._plan = plan
        self._pool = pool
        self.hurried = False

    def fetch(self, references: Sequence[Reference], timeout: float, max_age: float = 0.0) -> Fetched:
        """See `Upstream.fetch`."""
        del max_age  # nothing is kept
        deadline = Deadline(timeout, hurried=self.hurried)
        return fetch_documents(references, self._plan.backends, deadline, self._pool)

    def describe(self, references: Sequence[Reference], timeout: float, max_age: float = 0.0) -> Described:
        """See `Upstream.describe`."""
        del max_age
        return describe_documents(references, self._plan.backends, Deadline(timeout), self._pool)

    def close(self) -> None:
        """See `Upstream.close`. The pool is its owner's."""


class Offline:
    """What the cache keeps, in the place of the backends. What is on this machine is read all the same."""

    def __init__(self, net: "Net", direct: Direct) -> None:
        self._outcomes = net.outcomes()
        self._direct = direct

    def fetch(self, references: Sequence[Reference], timeout: float, max_age: float = 0.0) -> Fetched:
        """See `Upstream.fetch`."""
        here = [reference for reference in references if reference not in self._outcomes]
        found = self._direct.fetch(here, timeout, max_age) if here else {}
        return {**found, **{r: self._outcomes[r] for r in references if r in self._outcomes}}

    def describe(self, references: Sequence[Reference], timeout: float, max_age: float = 0.0) -> Described:
        """See `Upstream.describe`."""
        del timeout, max_age  # nobody is asked
        kept = {reference: self._outcomes.get(reference) for reference in references}
        return {r: Description(document.version) for r, document in kept.items() if isinstance(document, Document)}

    def close(self) -> None:
        """See `Upstream.close`."""
