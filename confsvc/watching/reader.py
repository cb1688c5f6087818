"""What was read last of every document of a plan, and reading again only what moved."""

from collections.abc import Iterable, Sequence

from confsvc.adapter import Description, Document
from confsvc.errors import (
    ConfsvcError,
    DeadlineError,
    Denied,
    NotFound,
    Problem,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from confsvc.fetching import Fetched, Pool
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.watching.files import Signature, signature
from confsvc.watching.upstream import Direct, Upstream

__all__ = ["Reader"]

# Nobody could be asked, or nobody answers us: that says nothing about the document.
_SILENCE = (Unavailable, Throttled, DeadlineError, Unauthenticated, Denied)


class Reader:
    """Keeps what was ``seen`` of every document. What could not be read is in ``failing``; what was seen stands.

    It is not for several threads at once.
    """

    def __init__(self, plan: Plan, pool: Pool, direct: Direct, upstream: Upstream | None = None) -> None:
        self._plan = plan
        self._pool = pool
        self._direct = direct
        self._upstream = upstream or direct
        self._signatures: dict[Reference, Signature | None] = {}
        self._paths = {reference: self._paths_of(reference) for reference in plan.documents}
        self._undescribed: set[Reference] = set()
        self._doubted: set[Reference] = set()
        self.seen: dict[Reference, Document | ConfsvcError] = {}
        self.failing: dict[Reference, ConfsvcError] = {}

    @property
    def files(self) -> list[str]:
        """The files and folders that are read."""
        return [path for paths in self._paths.values() if paths for path in paths]

    def inherit(self, other: "Reader") -> None:
        """Take over what ``other`` has seen, but for what has a lease: that is for whoever read it."""
        self.seen = {reference: seen for reference, seen in other.seen.items() if not other.is_leased(reference)}
        self._signatures = {r: signed for r, signed in other._signatures.items() if r in self.seen}  # noqa: SLF001
        self._undescribed = set(other._undescribed)  # noqa: SLF001

    def stand_in(self, kept: Fetched) -> None:
        """Take what was ``kept`` for what was seen. What could not be reached is failing, until it can be."""
        for reference, outcome in kept.items():
            seen = self.seen[reference]
            if isinstance(seen, _SILENCE):
                self.failing[reference] = seen
            self.seen[reference] = outcome

    def is_local(self, reference: Reference) -> bool:
        """Whether ``reference`` is read from this machine's files."""
        return self._paths[reference] is not None

    def is_leased(self, reference: Reference) -> bool:
        """Whether ``reference`` was read with a lease."""
        seen = self.seen.get(reference)
        return isinstance(seen, Document) and seen.lease is not None

    def read(self, references: Iterable[Reference], timeout: float, max_age: float = 0.0) -> None:
        """Read ``references``. What cannot be reached is failing from then on, until it can."""
        wanted = list(references)
        local = {reference: paths for reference in wanted if (paths := self._paths[reference]) is not None}
        # Before reading, so that what changes meanwhile is seen the next time.
        signatures = {reference: signature(paths) for reference, paths in local.items()}
        found = self._fetch(wanted, timeout, max_age)
        self._signatures |= signatures
        for reference, outcome in found.items():
            if isinstance(outcome, _SILENCE) and reference in self.seen:
                self.failing[reference] = outcome
            elif not (isinstance(outcome, Document) and self._is_doubtful(reference, outcome.version)):
                self.seen[reference] = outcome
                self.failing.pop(reference, None)

    def _fetch(self, wanted: Sequence[Reference], timeout: float, max_age: float) -> Fetched:
        """Read what has a lease, and what is on this machine, for this process alone."""
        own = [r for r in wanted if self.is_local(r) or self.is_leased(r)]
        others = [r for r in wanted if r not in own]
        if self._upstream is self._direct or not others:
            return self._direct.fetch(wanted, timeout)
        return {**self._direct.fetch(own, timeout), **self._upstream.fetch(others, timeout, max_age)}

    def moved(self, timeout: float, max_age: float = 0.0, *, local_only: bool = False) -> list[Reference]:
        """Return what may be another than it was, without reading a value where there is a way to tell.

        What has a lease is not among them: reading it makes another one.
        """
        documents = [r for r in self._plan.documents if not (local_only and not self.is_local(r))]
        documents = [r for r in documents if not self.is_leased(r)]
        remote = [r for r in documents if not self.is_local(r) and self._can_tell(r)]
        described = self._upstream.describe(remote, timeout, max_age) if remote else {}
        return [r for r in documents if self._has_moved(r, described.get(r))]

    def problems(self) -> tuple[Problem, ...]:
        """Return what is wrong with those that are failing."""
        return tuple(error.problem(reference=str(reference)) for reference, error in self.failing.items())

    def _has_moved(self, reference: Reference, outcome: Description | ConfsvcError | None) -> bool:
        seen = self.seen.get(reference)
        if self.is_local(reference):
            known = self._signatures.get(reference)
            return known is None or reference in self.failing or signature(self._paths[reference] or ()) != known
        if isinstance(outcome, Description):
            if self._is_doubtful(reference, outcome.version):
                return False
            is_same = isinstance(seen, Document) and outcome.version == seen.version and not outcome.state
            return not is_same or self._is_back(reference)
        if isinstance(outcome, NotFound) and isinstance(seen, NotFound):
            return self._is_back(reference)
        if isinstance(outcome, _SILENCE) and not isinstance(outcome, Denied):
            self.failing[reference] = outcome
            return False
        if outcome is not None and not isinstance(outcome, NotFound):
            self._undescribed.add(reference)  # the store keeps no such record, or not for us: its value is read instead
        return True

    def _is_doubtful(self, reference: Reference, version: str) -> bool:
        """Whether ``version`` is older than the one seen, and that is news: a replica may lag behind for a moment.

        Where it is still so at the next look, the store has been set back, and it is believed.
        """
        seen = self.seen.get(reference)
        is_older = isinstance(seen, Document) and _is_older(version, seen.version)
        is_news = is_older and reference not in self._doubted
        (self._doubted.add if is_older else self._doubted.discard)(reference)
        return is_news

    def _is_back(self, reference: Reference) -> bool:
        """Whether ``reference`` was failing. Then it is read once more: asking may be allowed where reading is not."""
        return self.failing.pop(reference, None) is not None

    def _can_tell(self, reference: Reference) -> bool:
        seen = self.seen.get(reference)
        has_version = isinstance(seen, NotFound) or (isinstance(seen, Document) and bool(seen.version))
        return has_version and reference not in self._undescribed

    def _paths_of(self, reference: Reference) -> Sequence[str] | None:
        """Return where ``reference`` is read from, None where that is not on this machine."""
        adapter = self._pool.take(self._plan.backends[reference.scheme])
        locate = getattr(adapter, "paths", None)  # isinstance with a protocol imports inspect, ast and more
        return tuple(locate(reference)) if callable(locate) else None


def _is_older(one: str, other: str) -> bool:
    """Tell whether a version comes before another; most stores count them, the others have no order."""
    return one.isdecimal() and other.isdecimal() and int(one) < int(other)
