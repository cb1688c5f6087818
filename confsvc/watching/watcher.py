"""The engine: look, read what moved, validate, and tell of a change when its time has come."""

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import NamedTuple

from confsvc.adapter import Deadline, lasting_clock
from confsvc.errors import ConfsvcError, Problem
from confsvc.fetching import Fetched, Pool
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.resolution import Resolution, Value
from confsvc.resolver import Request, Resolved, assemble, net_for, plan_request, recorded
from confsvc.watching.events import Changed, Event, Outage, Recovered, Rejected
from confsvc.watching.files import FileAlarm
from confsvc.watching.leases import Leases
from confsvc.watching.pace import Gate, Pace
from confsvc.watching.reader import Reader
from confsvc.watching.through import ThroughAgent
from confsvc.watching.upstream import Direct, Offline, Upstream

__all__ = ["Judge", "Share", "Watcher"]

Share = Callable[[Request, Plan, Upstream], Upstream]
Judge = Callable[[Request, Plan, Fetched], Resolved]

_LOCAL = 1.0  # seconds between two looks at files that no alarm is set on
_FRESH = 1.0  # seconds for which what was read for somebody else is as good as read now
_LONGEST = 8  # times the interval: how far apart the looks get while nobody answers


class _Waiting(NamedTuple):
    """A change that is not told yet."""

    resolution: Resolution
    names: tuple[str, ...]


class Watcher:
    """Watches the settings of one request. `start` resolves them, `run` then tells what happens, until `stop`.

    Who watches several calls `step` instead of `run`, when it is `due`. All this is for one thread; `poke` and `stop`
    may be called from any, and from signal handlers. Without ``alarm`` files are looked at every second, and no other
    thread listens. ``share`` returns what is to be asked in the place of the backends, or of an agent that speaks for
    them. ``judge`` says what becomes of what was read.
    """

    def __init__(
        self,
        request: Request,
        pace: Pace,
        *,
        alarm: bool = True,
        share: Share | None = None,
        judge: Judge = assemble,
    ) -> None:
        self._request = request
        self._pace = pace
        self._plan = plan_request(request)
        self._pool = Pool(keeps=True)
        self._share = share
        self._net = net_for(request, self._plan)
        self._kept_at = float("-inf")
        self._judge_set = judge
        self._direct = Direct(self._plan, self._pool)
        self._agent = ThroughAgent(request.manifest, self._plan, self._direct)
        self._upstream = self._upstream_of(share)
        self._reader = Reader(self._plan, self._pool, self._direct, self._upstream)
        self._leases = Leases(self._plan, self._pool)
        self._gate = Gate(pace)
        self._has_alarm = alarm
        self._alarm: FileAlarm | None = None
        self._wake = threading.Event()
        self._is_stopping = False
        self._is_poked = False
        self._current: Resolution | None = None
        self._waiting: _Waiting | None = None
        self._rejected: tuple[Problem, ...] = ()
        self._unjudged: list[Reference] = []
        self._failing_since = 0.0
        self._failures = 0
        self._next_look = 0.0
        self._next_local = 0.0
        self._expected = inf
        self.looked_at = -inf  # when the last look at everything began, on the lasting clock

    def start(self) -> Resolution:
        """Resolve for the first time.

        Raises:
            ResolutionError: something is wrong; what was leased is given back.

        """
        return self.attempt().unwrap()

    def attempt(self) -> Resolved:
        """Resolve for the first time, as far as possible. Where something is wrong, what was leased is given back."""
        now = self.looked_at = lasting_clock()
        deadline = Deadline(self._request.timeout)
        deadline = self._net.deadline(deadline) if self._net else deadline
        self._direct.hurried = deadline.hurried
        self._reader.read(self._plan.documents, deadline.seconds, _FRESH)
        self._direct.hurried = False
        resolved = recorded(self._request, self._first(now).warned(self._agent.warnings))
        if resolved.problems:
            self.close()
            return resolved
        self._current = resolved.resolution
        self._leases.take(self._reader.seen, now)
        if self._reader.files and self._has_alarm:
            self._alarm = FileAlarm(self._reader.files, self._wake_up)
        self._plan_looks(lasting_clock())
        return resolved

    def _first(self, now: float) -> Resolved:
        """Return what comes of the first reading, or of what was kept where that was silence."""
        if self._net is None or self._agent.is_serving:
            return self._judge_set(self._request, self._plan, self._reader.seen)
        caught = self._net.catch(self._reader.seen, lambda found: self._judge_set(self._request, self._plan, found))
        if caught.used:
            self._reader.stand_in({reference: caught.fetched[reference] for reference in self._net.remote})
        else:
            self._kept_at = now
        return caught.resolved

    def successor(self) -> "Watcher":
        """Return a watcher that goes on in a forked process, where no thread of ours runs and no connection is ours.

        It knows what was read; what has a lease it reads for itself.
        """
        made = Watcher(self._request, self._pace, alarm=False, share=self._share, judge=self._judge_set)
        made._current = self._current
        made._reader.inherit(self._reader)
        if all(reference in made._reader.seen for reference in made._plan.documents):
            made._plan_looks(lasting_clock())  # else at once
        return made

    def run(self, tell: Callable[[Event], None]) -> None:
        """Watch until `stop`. ``tell`` is called in this thread, and may take its time."""
        while not self._is_stopping:
            self._expected = self.due()
            self._wake.wait(min(max(0.0, self._expected - lasting_clock()), threading.TIMEOUT_MAX))
            is_woken = self._wake.is_set()
            self._wake.clear()
            if not self._is_stopping:
                self.step(tell, is_woken=is_woken)

    def due(self) -> float:
        """Return when the next `step` is to be taken, on the lasting clock."""
        return min(self._next_look, self._next_local, self._leases.due(), self._gate.opens())

    def poke(self) -> None:
        """Look now, at everything."""
        self._is_poked = True
        self._wake.set()

    def stop(self) -> None:
        """Make `run` return soon."""
        self._is_stopping = True
        self._wake.set()

    @property
    def upstream(self) -> Upstream | None:
        """What is asked in the place of the backends; None where these are."""
        return self._upstream

    @property
    def plan(self) -> Plan:
        """What is read."""
        return self._plan

    @property
    def current(self) -> Resolution | None:
        """The last good set; None before there was one."""
        return self._current

    @property
    def seen(self) -> Fetched:
        """What was read last of every document."""
        return self._reader.seen

    @property
    def failing(self) -> Mapping[Reference, ConfsvcError]:
        """Why what cannot be read cannot."""
        return self._reader.failing

    @property
    def files(self) -> list[str]:
        """The files and folders that are read."""
        return self._reader.files

    @property
    def is_rejected(self) -> bool:
        """Whether what was read last is not a valid set."""
        return bool(self._rejected)

    @property
    def is_outage(self) -> bool:
        """Whether something cannot be asked or read."""
        return bool(self._failing_since)

    def overdue(self) -> float:
        """Return for how many seconds the next step should have been taken, or has been going on. For any thread."""
        return max(0.0, lasting_clock() - self._expected)

    def close(self) -> None:
        """Give back leases and logins, within a second or two. `run` must have returned, or is not waited for."""
        if self._alarm:
            self._alarm.close()
        if self._upstream:
            self._upstream.close()
        self._pool.release()

    def _upstream_of(self, share: Share | None) -> Upstream | None:
        """Return what is asked in the place of the backends; None where these are."""
        if self._net and self._net.offline:
            return Offline(self._net, self._direct)
        asked: Upstream = self._direct if self._request.alone else self._agent
        if share:
            return share(self._request, self._plan, asked)
        return None if self._request.alone else asked

    def _wake_up(self) -> None:
        self._wake.set()

    def step(self, tell: Callable[[Event], None], *, is_woken: bool = False) -> None:
        """Do what is due: look, read, renew, tell. ``is_woken``: something happened to a file."""
        now = lasting_clock()
        is_whole = self._is_poked or now >= self._next_look
        moved = self._look(now, is_woken=is_woken)
        ended = self._renew()
        expires = self._leases.ends(ended)
        # As old as what was looked at may have been: else what was just found to be another would be read twice.
        self._read(dict.fromkeys([*moved, *ended]), now, self._pace.interval / 2 + lasting_clock() - now)
        self._weigh(tell, expires)
        if is_whole:
            self._keep(moved, now)
        if self._waiting and self._gate.opens() <= lasting_clock():
            self._hand_over(tell)
        self._plan_looks(now)

    def refresh(self, tell: Callable[[Event], None]) -> None:
        """Read everything anew; of what has a lease, what is suspect. A change waits for nothing."""
        now = lasting_clock()
        suspects = self._leases.suspect(self._request.timeout, self._pace.interval)
        plain = [reference for reference in self._plan.documents if not self._reader.is_leased(reference)]
        if self._net:
            self._net.again()
        self._read([*plain, *suspects], now, _FRESH)
        self._weigh(tell, inf)
        self._keep(plain, now)
        self._hand_over(tell)
        self._plan_looks(now)

    def _read(self, references: Iterable[Reference], now: float, max_age: float) -> None:
        wanted = list(references)
        if wanted:
            self._reader.read(wanted, self._request.timeout, max_age)
            self._leases.take(self._reader.seen, now)
            self._unjudged += wanted

    def _keep(self, moved: Iterable[Reference], now: float) -> None:
        """Keep what is good, for a start while nobody answers; ``now`` all of it was looked at.

        What nobody could look at, or what is no valid set, leaves what is kept as it is.
        """
        net = self._net
        is_bad = bool(self._reader.failing or self._rejected or self._unjudged)
        if net is None or is_bad or self._agent.is_serving:  # what the agent serves, it keeps
            return
        if now - self._kept_at >= net.keep_again or any(reference in net.remote for reference in moved):
            net.keep(self._reader.seen)
            self._kept_at = now

    def _weigh(self, tell: Callable[[Event], None], expires: float) -> None:
        """Tell what cannot be read, and judge what was: while something is missing, a set is half new and half old."""
        self._tell_of_outages(tell)
        if self._unjudged and not self._reader.failing:
            self._judge(tell, expires)

    def _look(self, now: float, *, is_woken: bool) -> list[Reference]:
        """Return what moved, as far as it is time to look."""
        if self._is_poked or now >= self._next_look:
            if self._net:
                self._net.again()
            self._is_poked = False
            self._next_look = self._next_local = 0.0
            self.looked_at = now
            return self._reader.moved(self._request.timeout, self._pace.interval / 2)
        if is_woken or now >= self._next_local:
            self._next_local = 0.0
            return self._reader.moved(self._request.timeout, local_only=True)
        return []

    def _renew(self) -> list[Reference]:
        """Keep leases alive. Returns what must be read anew."""
        ended, silent, renewed = self._leases.renew(self._request.timeout, again=self._pace.interval)
        self._reader.failing.update(silent)
        for reference in renewed:
            self._reader.failing.pop(reference, None)
        return ended

    def _judge(self, tell: Callable[[Event], None], expires: float) -> None:
        """Validate what was read, and let it wait for its time if it is valid and another."""
        is_local = all(self._reader.is_local(reference) for reference in self._unjudged)
        judged, self._unjudged = self._unjudged, []
        resolved = self._judge_set(self._request, self._plan, self._reader.seen)
        names = () if resolved.problems else _changed(self._current, resolved.resolution)
        if names or resolved.problems not in {(), self._rejected}:
            resolved = recorded(self._request, resolved)
        if resolved.refusal:
            self._unjudged = judged  # what cannot be recorded does not happen, until it can be
        if resolved.problems:
            self._drop()
            if resolved.problems != self._rejected:
                self._rejected = resolved.problems
                tell(Rejected(resolved.problems))
            return
        self._rejected = ()
        if not names:
            self._drop()
            self._current = resolved.resolution  # its versions may be newer
            return
        self._waiting = _Waiting(resolved.resolution, names)
        self._gate.offer(lasting_clock(), is_local=is_local, expires=expires)

    def _drop(self) -> None:
        self._waiting = None
        self._gate.withdraw()

    def _hand_over(self, tell: Callable[[Event], None]) -> None:
        if self._waiting:
            self._current, names = self._waiting
            self._waiting = None
            self._gate.tell(lasting_clock())
            tell(Changed(self._current, names))

    def _tell_of_outages(self, tell: Callable[[Event], None]) -> None:
        now = lasting_clock()
        if self._reader.failing and not self._failing_since:
            self._failing_since = now
            tell(Outage(self._reader.problems()))
        elif self._failing_since and not self._reader.failing:
            began, self._failing_since = self._failing_since, 0.0
            tell(Recovered(now - began))

    def _plan_looks(self, now: float) -> None:
        """Say when to look next: not all replicas at the same moment, and less often while nobody answers."""
        interval = self._pace.interval
        if self._next_look <= now:
            self._failures = self._failures + 1 if self._reader.failing else 0
            stretch = min(2**self._failures, _LONGEST)
            self._next_look = now + interval * stretch * random.uniform(0.9, 1.0)  # noqa: S311 - no secret
        if self._next_local <= now:
            needs_looking = self._reader.files and not (self._alarm and self._alarm.is_set)
            self._next_local = now + min(interval, _LOCAL) if needs_looking else inf


def _changed(old: Resolution | None, new: Resolution) -> tuple[str, ...]:
    """Return the names whose value is another, in the order of the new set, those that are gone last."""
    before: Mapping[str, Value] = old or {}
    names = [name for name, value in new.items() if name not in before or _differs(before[name], value)]
    return (*names, *(name for name in before if name not in new))


def _differs(one: Value, other: Value) -> bool:
    return one.data != other.data or one.text != other.text
