"""The agent's engine: a watcher that never ends, another one when the manifest changes, and what may be served."""

import os
import threading
import time
from collections.abc import Callable
from math import inf
from typing import NamedTuple

from confsvc.adapter import lasting_clock
from confsvc.agent.guard import Breaker, Guard
from confsvc.agent.log import Log, told
from confsvc.agent.ordering import Order, read_manifest
from confsvc.agent.snapshot import Lacking, Snapshot, take_snapshot
from confsvc.errors import ConfsvcError, DeadlineError, InternalError, Problem, Throttled, Unavailable
from confsvc.fetching import Fetched
from confsvc.plan import Plan
from confsvc.resolution import Resolution
from confsvc.resolver import Request, Resolved, assemble
from confsvc.watching import Changed, Event, Outage, Pace, Recovered, Rejected, Upstream, Watcher
from confsvc.watching.files import Signature, signature

__all__ = ["Engine", "State"]

_SILENCE = (Unavailable, Throttled, DeadlineError)
_AGAIN = frozenset({69, 75})  # exit statuses that say that trying again may help
_FIRST, _LONGEST = 1.0, 30.0  # seconds between two tries to begin
_LOOK = 1.0  # seconds between two looks at the manifest, and between two that others ask for
_READS = 4  # of them in a turn, at most, each within the timeout


class State(NamedTuple):
    """What can be served now. Swapped in one step; times are on the lasting clock.

    ``snapshot`` is None before the first set. ``refusal`` is why nothing can be served, empty where something can.
    ``read_at`` is when everything was seen last, ``looked_at`` when it was looked for, ``local_at`` when files were.
    ``outage``: stores do not answer, and what was seen stands in for them.
    """

    snapshot: Snapshot | None = None
    refusal: str = ""
    outage: bool = False
    read_at: float = -inf
    looked_at: float = -inf
    local_at: float = -inf
    files: tuple[str, ...] = ()
    signed: Signature | None = None

    def has_changed_files(self) -> bool:
        """Whether a file is another than it was when it was read, as far as one can tell."""
        return bool(self.files) and (self.signed is None or signature(self.files) != self.signed)


class Engine:
    """Runs in a thread of its own. Everything public may be called from any thread, but not from signal handlers."""

    def __init__(self, order: Order, log: Log, ring: Callable[[], None]) -> None:
        self._order = order
        self._log = log
        self._ring = ring
        self._wake = threading.Event()
        self._is_stopping = False
        self._wants_reload = False
        self._wants_look = False
        self._wants_local = False
        self._generation = 0
        self._published: Resolution | None = None
        self._missing: tuple[Problem, ...] = ()
        self._notes: tuple[str, ...] = ()
        self._busy_since = inf
        self._again_at = inf  # when to try a manifest once more whose stores did not answer
        self.breakers: dict[str, Breaker] = {}
        self._ordered = read_manifest(self._order)
        self._watcher = self._make(self._ordered.request)
        self.reloads = {"ok": 0, "failed": 0}
        self.state = State()
        self.failure: ConfsvcError | None = None

    @property
    def environment(self) -> str:
        """The environment that is served."""
        return self._watcher.plan.environment

    def reload(self) -> None:
        """Read the manifest anew."""
        self._wants_reload = True
        self._wake.set()

    def look(self, *, local: bool = False) -> None:
        """Look soon whether something is new; ``local``: at files alone."""
        if local:
            self._wants_local = True
        else:
            self._wants_look = True
        self._wake.set()

    def stop(self) -> None:
        """Make `run` return."""
        self._is_stopping = True
        self._wake.set()

    def is_stuck(self) -> bool:
        """Whether the engine should have done something long ago."""
        return lasting_clock() - self._busy_since > _READS * self._order.timeout + _LONGEST

    def run(self) -> None:
        """Keep the settings right until `stop`. A first set that can never be had is left in ``failure``."""
        failure: ConfsvcError | None = None
        try:
            failure = self._begin()
            while failure is None and not self._is_stopping:
                self._rest()
                self._turn()
        except Exception as error:  # noqa: BLE001 - a traceback could show values
            trace = error.__traceback__
            while trace and trace.tb_next:
                trace = trace.tb_next
            where = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
            failure = InternalError(f"a bug in confsvc: {type(error).__name__} at {where}")
        self._watcher.close()
        self.failure = failure
        self._ring()

    def _begin(self) -> ConfsvcError | None:
        """Get the first set. Returns why there will be none."""
        wait = _FIRST
        while not self._is_stopping:
            failure = self._attempt(self._watcher)
            if failure is None or failure.exit_status not in _AGAIN:
                return failure
            self._log.error("unavailable", problems=told(failure.problems), again_in=wait)
            self.state = State(refusal="unavailable")
            self._ring()
            self._wake.wait(wait)
            self._wake.clear()
            wait = min(wait * 2, _LONGEST)
            if self._wants_reload or self._ordered.has_moved():
                self._order_anew()
            self._watcher = self._make(self._ordered.request)
        return None

    def _order_anew(self) -> ConfsvcError | None:
        """Read the manifest anew. Returns what is wrong with it; then the old one stands until it changes again."""
        self._wants_reload = False
        seen = self._ordered.look()
        failure: ConfsvcError | None = None
        try:
            self._ordered = read_manifest(self._order)
        except ConfsvcError as error:
            failure = error
        if failure is not None:
            failure.__traceback__ = None
            self._refuse(failure, seen)
        return failure

    def _refuse(self, failure: ConfsvcError, seen: Signature | None) -> None:
        """Say that the old manifest stands. Told once, until the files are others than ``seen``."""
        self._ordered = self._ordered._replace(seen=seen)
        self.reloads["failed"] += 1
        self._log.error("not reloaded", problems=told(failure.problems), message="the old manifest stands")

    def _attempt(self, watcher: Watcher) -> ConfsvcError | None:
        """Have ``watcher`` get its first set, and serve that. Returns why it cannot."""
        self._busy_since = lasting_clock()
        signed = signature(watcher.files)
        resolved = watcher.attempt()
        self._busy_since = inf
        failure: ConfsvcError | None = resolved.refusal
        if failure is None:
            try:
                resolved.unwrap()
            except ConfsvcError as error:
                failure = error
        if failure is not None:
            failure.__traceback__ = None
            return failure
        self._watcher = watcher
        self._publish(watcher.looked_at, signed)
        self._log.info("ready", environment=self.environment, settings=len(resolved.resolution), manifest=self._file)
        return None

    def _rest(self) -> None:
        """Wait until something is due, or somebody wants something."""
        now = lasting_clock()
        due = min(self._watcher.due(), now + _LOOK)
        if self._wants_look:
            due = min(due, self._watcher.looked_at + _LOOK)
        if not (self._wants_reload or self._wants_local):
            self._wake.wait(max(0.0, due - now))
        self._wake.clear()

    def _turn(self) -> None:
        """Do what is due."""
        now = self._busy_since = lasting_clock()
        if self._wants_reload or self._again_at <= now or self._ordered.has_moved():
            self._reload()
        is_asked = self._wants_look and now >= self._watcher.looked_at + _LOOK
        is_woken = self._wants_local
        if is_asked:
            self._wants_look = False
            self._watcher.poke()
        if is_asked or is_woken or self._watcher.due() <= now:
            self._wants_local = False
            signed = signature(self._watcher.files)
            began = lasting_clock()
            self._watcher.step(self._tell, is_woken=is_woken)
            is_local = is_woken or self._watcher.looked_at >= began
            self._publish(began if is_local else self.state.local_at, signed if is_local else self.state.signed)
        self._busy_since = inf

    def _publish(self, local_at: float, signed: Signature | None) -> None:
        """Let others see what there is now. ``signed`` is how the files were at ``local_at``, before they were read."""
        watcher, before = self._watcher, self.state
        current, failing = watcher.current, list(watcher.failing.values())
        if current is None:
            return
        snapshot = before.snapshot
        if current is not self._published:
            self._generation += 1
            subject = self._ordered.subject(watcher.plan)
            lacking = Lacking(self._missing, self._notes)
            snapshot = take_snapshot(subject, current, watcher.seen, self._generation, lacking)
            self._published = current
        is_silent = bool(failing) and all(isinstance(one, _SILENCE) for one in failing)
        self.state = State(
            snapshot,
            refusal="refused" if watcher.is_rejected or (failing and not is_silent) else "",
            outage=is_silent,
            read_at=self._seen_at(current) if failing else watcher.looked_at,
            looked_at=watcher.looked_at,
            local_at=local_at,
            files=tuple(watcher.files),
            signed=signed,
        )
        self._ring()

    def _seen_at(self, current: Resolution) -> float:
        """Return when what stands in for a store was seen: by this process, or by the one that kept it."""
        if current.cached_at is None or self.state.read_at > -inf:
            return self.state.read_at
        return lasting_clock() - max(0.0, time.time() - current.cached_at)

    def _tell(self, event: Event) -> None:
        if isinstance(event, Changed):
            versions = {n: event.resolution[n].origin.version for n in event.names if n in event.resolution}
            self._log.info("changed", settings=list(event.names), versions=versions)
        elif isinstance(event, Rejected):
            self._log.error("rejected", problems=told(event.problems))
        elif isinstance(event, Outage):
            self._log.error("outage", problems=told(event.problems))
        elif isinstance(event, Recovered):
            self._log.info("recovered", seconds=round(event.seconds, 1))

    @property
    def _file(self) -> str:
        return self._ordered.request.manifest.file

    def _make(self, request: Request) -> Watcher:
        pace = Pace(self._order.interval, debounce=0.0)
        return Watcher(request, pace, alarm=False, share=self._guarded, judge=self._judge)

    def _guarded(self, request: Request, plan: Plan, direct: Upstream) -> Upstream:
        del request, plan
        return Guard(direct, self.breakers)

    def _judge(self, request: Request, plan: Plan, fetched: Fetched) -> Resolved:
        """Say what became of what was read. What is missing here may be in the environment of who asks."""
        resolved = assemble(request, plan, fetched)
        self._notes = resolved.resolution.warnings
        self._missing = tuple(problem for problem in resolved.problems if problem.code == "missing" and problem.name)
        return resolved._replace(problems=tuple(one for one in resolved.problems if one not in self._missing))

    def _reload(self) -> None:
        """Take the manifest as it is now. One that is wrong, or whose settings cannot be had, changes nothing."""
        self._again_at = inf
        before = (self._ordered, self._missing, self._notes)
        previous = self._watcher
        if self._order_anew() is not None:
            return
        failure: ConfsvcError | None = None
        try:
            failure = self._attempt(self._make(self._ordered.request))
        except ConfsvcError as error:
            failure = error
        if failure is None:
            previous.close()
            self.reloads["ok"] += 1
            return
        seen = self._ordered.seen
        self._ordered, self._missing, self._notes = before
        if failure.exit_status in _AGAIN:
            self._again_at = lasting_clock() + _LONGEST
        self._refuse(failure, seen)
