"""An upstream that lets an agent answer, where there is one that serves the same."""

from collections.abc import Sequence

from confsvc.asking import describe_by_agent, fetch_by_agent
from confsvc.fetching import Described, Fetched
from confsvc.manifest import Manifest
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.watching.upstream import Upstream

__all__ = ["ThroughAgent"]


class ThroughAgent:
    """Asks the agent first; what it does not serve, and everything where there is none, is for ``others`` to read.

    ``warnings`` are what was said of it at the last read, and ``is_serving`` whether it served anything then.
    """

    def __init__(self, manifest: Manifest, plan: Plan, others: Upstream) -> None:
        self._manifest = manifest
        self._plan = plan
        self._others = others
        self._known: set[Reference] = set()
        self.warnings: tuple[str, ...] = ()
        self.is_serving = False

    def fetch(self, references: Sequence[Reference], timeout: float, max_age: float) -> Fetched:
        """See `Upstream.fetch`. What is read for the first time may be as old as the agent has it."""
        is_new = self._known.isdisjoint(references)
        served = fetch_by_agent(self._manifest, self._plan, timeout, None if is_new else max_age)
        self.warnings, self.is_serving = served.warnings, bool(served.outcomes)
        self._known.update(references)
        found = {reference: served.outcomes[reference] for reference in references if reference in served.outcomes}
        own = [reference for reference in references if reference not in found]
        return {**found, **self._others.fetch(own, timeout, max_age)} if own else found

    def describe(self, references: Sequence[Reference], timeout: float, max_age: float) -> Described:
        """See `Upstream.describe`."""
        served = describe_by_agent(self._manifest, self._plan, timeout, max_age)
        found = {reference: served.outcomes[reference] for reference in references if reference in served.outcomes}
        own = [reference for reference in references if reference not in found]
        return {**found, **self._others.describe(own, timeout, max_age)} if own else found

    def close(self) -> None:
        """See `Upstream.close`."""
        self._others.close()
