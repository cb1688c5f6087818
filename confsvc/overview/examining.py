"""Examining every backend that environments read from, all at the same time: one that hangs holds up no other."""

import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from confsvc.adapter import Backend, Deadline
from confsvc.diagnosis import Finding, finding_of
from confsvc.errors import ConfsvcError, DeadlineError, Unauthenticated
from confsvc.fetching import make_adapter
from confsvc.overview.gathering import backend_key
from confsvc.plan import Plan
from confsvc.reference import Reference

__all__ = ["Examined", "examine"]

_POLITE = 0.5  # seconds that one which is done waits for those before it, so that the order mostly is the manifest's


class Examined(NamedTuple):
    """What was found out about one backend, which ``environments`` read from."""

    backend: Backend
    environments: tuple[str, ...]
    findings: tuple[Finding, ...]


class _Case:
    """One backend under examination."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.environments: dict[str, None] = {}
        self.references: dict[Reference, None] = {}
        self.needed: set[Reference] = set()
        self.findings: list[Finding] = []
        self.is_done = False

    def examined(self, deadline: Deadline) -> Examined:
        """Return what is known now; where it is not done, also that it did not answer."""
        findings = tuple(self.findings)
        if not self.is_done:
            late = DeadlineError(
                f"no answer within {deadline.seconds:g} s", hint="is it overloaded, or a firewall mute?"
            )
            findings += (finding_of("answer", late),)
        return Examined(self.backend, tuple(self.environments), findings)


def examine(plans: Sequence[Plan], deadline: Deadline) -> Iterator[Examined]:
    """Yield what is found out about each backend of ``plans``, as soon as it is known."""
    cases: dict[object, _Case] = {}
    for plan in plans:
        for backend in plan.backends.values():
            case = cases.setdefault(backend_key(backend), _Case(backend))
            case.environments[plan.environment] = None
            case.references.update(dict.fromkeys(r for r in plan.documents if r.scheme == backend.name))
            case.needed |= _needed(plan)
    news = threading.Condition()
    for case in cases.values():
        threading.Thread(target=_work, args=(case, deadline, news), name="confsvc-examine", daemon=True).start()
    waiting = list(cases.values())
    while waiting:
        case = _next(waiting, deadline, news)
        waiting.remove(case)
        yield case.examined(deadline)


def _needed(plan: Plan) -> set[Reference]:
    """Return the documents that must be there: all but those that are nothing else than optional sources."""
    optional = {source.reference.document for source in plan.sources if source.entry.optional}
    needed = {source.reference.document for source in plan.sources if not source.entry.optional}
    for templates in plan.values.values():
        for template in templates:
            needed |= {reference.document for reference in template.references.values()}
    return needed | (set(plan.documents) - optional)


def _next(waiting: Sequence[_Case], deadline: Deadline, news: threading.Condition) -> _Case:
    """Return the first of ``waiting``, or the first that is done where that one takes its time."""
    with news:
        news.wait_for(lambda: waiting[0].is_done, min(_POLITE, deadline.remaining()))
        news.wait_for(lambda: any(case.is_done for case in waiting), deadline.remaining())
        return next((case for case in waiting if case.is_done), waiting[0])


def _work(case: _Case, deadline: Deadline, news: threading.Condition) -> None:
    for finding in _findings(case, deadline):
        case.findings.append(finding)
    with news:
        case.is_done = True
        news.notify_all()


def _findings(case: _Case, deadline: Deadline) -> Iterator[Finding]:
    failure: Finding
    try:
        adapter = make_adapter(case.backend)
        ask = getattr(adapter, "examine", None)
        if not callable(ask):
            yield Finding("backend", "note", f"the adapter `{case.backend.adapter}` does not examine anything")
            return
        optional = frozenset(case.references.keys() - case.needed)
        yield from ask(list(case.references), deadline=deadline, optional=optional)
        return
    except ConfsvcError as error:
        failure = finding_of("who" if isinstance(error, Unauthenticated) else "backend", error)
    except Exception as error:  # noqa: BLE001 - an adapter's bug: its text may hold a value
        message = f"the adapter `{case.backend.adapter}` failed with {type(error).__name__}"
        failure = Finding("backend", "problem", message, "please report it", 70)
    yield failure
