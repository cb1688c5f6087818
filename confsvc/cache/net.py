"""The net below a resolution: what was kept stands in for stores that say nothing, and for nothing else."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from confsvc.adapter import Deadline, Document
from confsvc.assembly import Resolved
from confsvc.cache.identity import identity_of
from confsvc.cache.moments import age_text, now
from confsvc.cache.refusal import Refusal
from confsvc.cache.store import Kept, Store
from confsvc.cache.wanted import is_local
from confsvc.deciding import describe
from confsvc.errors import ConfsvcError, DeadlineError, NotFound, Problem, Throttled, Unavailable
from confsvc.fetching import Fetched
from confsvc.manifest import Manifest
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.types import parse_duration

__all__ = ["HURRY", "MAX_AGE", "Caught", "Net", "counts", "open_net"]

MAX_AGE = 24 * 3600.0  # seconds
_AGAIN = 600.0  # seconds, at most
HURRY = 2.5  # seconds for the network in all, where there is something to fall back on
_SILENCE = (Unavailable, Throttled, DeadlineError)
_SILENT = frozenset(one.code for one in _SILENCE)

Assemble = Callable[[Fetched], Resolved]

# How often this process has used what was kept, has kept something, and has failed to. For those who count.
counts: Counter[str] = Counter(used=0, written=0, failed=0)


class Caught(NamedTuple):
    """What came of a resolution, and the documents it is made of. ``used`` says that some of them were kept."""

    resolved: Resolved
    fetched: Fetched
    used: bool = False


class Net:
    """What is kept for one plan."""

    def __init__(self, plan: Plan, store: Store | None, limit: float, *, offline: bool) -> None:
        self._plan = plan
        self._store = store
        self._limit = limit
        self._began = now()
        self.offline = offline
        self.remote = tuple(reference for reference in plan.documents if not is_local(plan, reference))
        self._kept: Kept | Refusal | None = None

    @property
    def kept(self) -> Kept | Refusal:
        """What was kept, or why it is of no use. It is read once, when somebody first wants to know."""
        if self._kept is None:
            self._kept = self._read()
        return self._kept

    def _read(self) -> Kept | Refusal:
        if self._store is None:
            return Refusal("off", "the cache is off", "`cache = true` in the manifest switches it on")
        return self._store.read(self._plan, self._limit) if self.remote else Refusal("missing", "no store is asked")

    @property
    def wanted(self) -> tuple[Reference, ...]:
        """The documents to read: all, or those on this machine where nothing else may be asked."""
        return tuple(r for r in self._plan.documents if not (self.offline and r in self.remote))

    @property
    def keep_again(self) -> float:
        """After how many seconds what has not changed is worth keeping anew: it is that much younger then."""
        return min(_AGAIN, self._limit / 4)

    def deadline(self, whole: Deadline) -> Deadline:
        """Return the deadline for the stores: a short one, where there is something to fall back on."""
        if isinstance(self.kept, Refusal) or not self.remote:
            return whole
        return Deadline(min(HURRY, whole.remaining()), hurried=True)

    def catch(self, fetched: Fetched, assemble: Assemble) -> Caught:
        """Return what ``assemble`` makes of ``fetched``, or of what was kept where that is silence and nothing else.

        What is good is kept. Whatever is odd about the cache is among the warnings.
        """
        if self.offline:
            return self._offline(fetched, assemble)
        resolved = assemble(fetched)
        if not resolved.problems:
            return Caught(self._warned(resolved, self.keep(fetched)), fetched)
        silent = {r: fetched[r] for r in self.remote if isinstance(fetched[r], _SILENCE)}
        if not silent or any(problem.code not in _SILENT for problem in resolved.problems):
            return Caught(self._warned(resolved), fetched)
        caught = self._fall_back(fetched, silent, assemble)
        return caught if isinstance(caught, Caught) else Caught(_hinted(resolved, caught), fetched)

    def keep(self, fetched: Fetched) -> str:
        """Keep what was ``fetched``, which made a good resolution just now. Returns why that failed."""
        whole = {reference: fetched[reference] for reference in self.remote}
        if self._store is None or self.offline or self._plan.read_all or not self._limit or not whole:
            return ""
        before = self._store.writes
        failure = self._store.write(self._plan, whole, self._began, yields=self._limit if self._plan.only else 0.0)
        counts["written"] += self._store.writes - before
        counts["failed"] += bool(failure)
        return failure

    def again(self) -> None:
        """Take note that the stores are read anew from now on: what is kept next is from this moment."""
        self._began = now()

    def outcomes(self) -> Fetched:
        """Return what was kept of each remote document, or why there is none: for where nothing may be asked."""
        if isinstance(self.kept, Refusal):
            return {r: self._not_asked(self.kept) for r in self.remote}
        leased = Refusal("leased", "it has a lease, and is not kept")
        return {r: self.kept.documents.get(r) or self._not_asked(leased) for r in self.remote}

    def _not_asked(self, refusal: Refusal) -> ConfsvcError:
        message = f"not asked, as this is offline, and not in the cache: {refusal.message}"
        return refusal._replace(message=message).error()

    def _offline(self, fetched: Fetched, assemble: Assemble) -> Caught:
        whole = {**fetched, **self.outcomes()}
        resolved = assemble(whole)
        if resolved.problems or isinstance(self.kept, Refusal) or resolved.resolution.cached_at is None:
            return Caught(resolved, whole)
        counts["used"] += 1
        return Caught(self._told(resolved, self.kept, "offline"), whole, used=True)

    def _fall_back(self, fetched: Fetched, silent: Mapping[Reference, object], assemble: Assemble) -> Caught | Refusal:
        kept = self.kept
        if isinstance(kept, Refusal):
            return kept
        answered = next((r for r in self.remote if r not in silent and not _agrees(fetched[r], kept, r)), None)
        if answered is not None:
            return Refusal("answered", f"`{answered}` was answered, and the cache never says otherwise")
        whole = {**fetched, **{r: kept.documents[r] for r in self.remote if r in kept.documents}}
        resolved = assemble(whole)
        if resolved.problems:
            names = ", ".join(dict.fromkeys(f"`{p.name or p.reference}`" for p in resolved.problems))
            return Refusal("invalid", f"with it there would be no good value for {names}")
        counts["used"] += 1
        why = next(describe(outcome) for outcome in silent.values() if isinstance(outcome, ConfsvcError))
        return Caught(self._told(resolved, kept, why), whole, used=True)

    def _told(self, resolved: Resolved, kept: Kept, why: str) -> Resolved:
        line = f"these settings are {age_text(kept.age)} old, from the cache: {why}"
        return resolved._replace(resolution=resolved.resolution.warning(line))

    def _warned(self, resolved: Resolved, failure: str = "") -> Resolved:
        """Say what is odd about the cache, although nothing is lacking now."""
        line = f"nothing is kept in the cache: {failure}" if failure else ""
        if isinstance(self.kept, Refusal) and self.kept.is_odd and self._store is not None:
            hint = f" ({self.kept.hint})" if self.kept.hint else ""
            line = f"the cache cannot be used: {self.kept.message}{hint}"  # most likely it failed for the same reason
        return resolved._replace(resolution=resolved.resolution.warning(line)) if line else resolved


def open_net(manifest: Manifest, plan: Plan, environ: Mapping[str, str], *, is_on: bool, offline: bool) -> Net:
    """Return the net for ``plan``. Where the cache is off, it is there to say that nothing is kept."""
    store = Store(identity_of(manifest, plan, environ), environ) if is_on else None
    return Net(plan, store, limit_of(manifest, plan), offline=offline)


def limit_of(manifest: Manifest, plan: Plan | None = None) -> float:
    """Return how old what is kept may be, in seconds: as old as the strictest of the settings of ``plan`` allows."""
    written = parse_duration(manifest.cache_max_age) if manifest.cache_max_age else None
    whole = written.total_seconds() if written is not None else MAX_AGE
    return min([whole, *(_stale_limits(plan) if plan else ())])


def _stale_limits(plan: Plan) -> Iterable[float]:
    for name, setting in plan.schema.settings.items() if plan.schema else ():
        is_decided = any(n in plan.given or n in plan.process for n in setting.names)
        if setting.max_stale is not None and plan.wanted(name) and not is_decided:
            yield setting.max_stale


def _agrees(outcome: object, kept: Kept, reference: Reference) -> bool:
    """Tell whether a store's answer leaves the cache its say: anything but a denial, an error, or an absence."""
    if isinstance(outcome, NotFound):
        return isinstance(kept.documents.get(reference), NotFound)
    return isinstance(outcome, Document)


def _hinted(resolved: Resolved, refusal: Refusal) -> Resolved:
    """Say to each problem why the cache does not help, unless it never had anything."""
    if refusal.reason in {"missing", "off"}:
        return resolved
    hint = f"the cache does not help: {refusal.message}"
    problems: tuple[Problem, ...] = tuple(problem._replace(hint=hint) for problem in resolved.problems)
    return resolved._replace(problems=problems)
