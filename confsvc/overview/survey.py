"""Surveying: several environments of a manifest in one pass, each with what came of it, or why nothing did.

``check``, ``diff``, ``report`` and ``doctor`` look at environments through this. Reading is what `Gathering` says: all
at the same time, what two environments share once, before one deadline.

    for found in survey(request, request.manifest.environments):
        found.environment, found.error      # the error is None where all is well
        for standing in found.settings.values():
            standing.name, standing.state, standing.layer, standing.reference, standing.version

The process environment is a layer (4) here as everywhere, unless ``request.override``. It is that of one environment at
most, so whoever looks at several switches it off: else a variable of a CI job hides what an environment lacks.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

from confsvc.adapter import Deadline
from confsvc.assembly import Resolved
from confsvc.errors import ConfsvcError, ManifestError, Problem, UnknownEnvironmentError
from confsvc.fetching import Fetched, fetch_documents
from confsvc.overview.gathering import Gathering
from confsvc.plan import Plan
from confsvc.resolution import Value
from confsvc.resolver import Request, assemble, net_for, plan_request, recorded, trail_for

__all__ = ["PROBLEMS", "Standing", "State", "Surveyed", "plan_all", "survey", "survey_all"]

_Error = TypeVar("_Error", bound=ConfsvcError)

State = Literal["present", "default", "overridden", "absent", "missing", "invalid", "unreadable"]

# The states of a setting with which a process does not start.
PROBLEMS: frozenset[State] = frozenset({"missing", "invalid", "unreadable"})

_MISSING = frozenset({"missing", "not_found"})
_UNREAD = frozenset({69, 70, 75, 77})  # unavailable, a bug, throttled or late, denied


class Standing(NamedTuple):
    """How one setting stands in one environment. No field of it can hold a value.

    ``state`` is ``present`` (a source or a value of the manifest has it), ``default``, ``overridden`` (the process
    environment or ``--set`` decides), ``absent`` (nothing has it, and it is not required), or one of `PROBLEMS`; then
    ``problem`` says what is wrong. ``layer``, ``reference``, ``version``, ``read_at`` and ``made_at`` are those of
    `confsvc.resolution.Origin`; ``kind`` is the type as written. What has a lease is another value at every read.
    """

    name: str
    state: State
    kind: str = "str"
    secret: bool = False
    layer: str = ""
    reference: str = ""
    version: str = ""
    read_at: float | None = None
    is_leased: bool = False
    made_at: float | None = None
    problem: Problem | None = None


class Surveyed(NamedTuple):
    """One environment. ``settings`` are in the manifest's order.

    ``error`` is None where all is well; else what ``resolved.unwrap()`` would raise or, with nothing ``resolved``, what
    is wrong with the environment itself.
    """

    environment: str
    settings: Mapping[str, Standing] = {}
    error: ConfsvcError | None = None
    plan: Plan | None = None
    resolved: Resolved | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything wrong, nothing where all is well."""
        return self.error.problems if self.error else ()


def survey(request: Request, environments: Sequence[str]) -> Iterator[Surveyed]:
    """Yield each of ``environments`` in this order, as soon as what it needs is there. See `survey_all`."""
    return survey_all([request._replace(environment=name) for name in environments])


def survey_all(requests: Sequence[Request]) -> Iterator[Surveyed]:
    """Yield what each of ``requests``, which are of one manifest, comes to, as soon as what it needs is there.

    The first one's ``timeout`` is that of everything together. Whoever keeps ``resolved`` of all of them keeps all
    their values in memory; ``settings`` has none. What was leased is given back when the last one has been taken, or
    the iterator is closed.

    Raises:
        UnknownEnvironmentError: one is not in the manifest; nothing has been read then.
        UsageError: no environment was chosen, or ``given`` or ``only`` name what is not declared.
        OutputError: the audit trail cannot be written.

    """
    for request in requests[:1]:
        trail = trail_for(request)
        if trail and (failure := trail.check()):  # before anything is read
            raise failure
    plans = _plans(requests)
    deadline = Deadline(max((request.timeout for request in requests[:1]), default=0.0))
    halves = [_halves(one, plan) for one, plan in zip(requests, plans, strict=True)]
    gathering = Gathering([half.asked for half in halves if half], fetch_documents, deadline)
    try:
        for request, plan, half in zip(requests, plans, halves, strict=True):
            if isinstance(plan, Plan) and half:
                yield _surveyed(request, plan, {**gathering.of(half.asked), **half.kept})
            elif isinstance(plan, ManifestError):
                yield Surveyed(request.environment, error=plan)
    finally:
        gathering.release()


def plan_all(request: Request, environments: Sequence[str]) -> dict[str, Plan | ManifestError]:
    """Return the plan of each of ``environments``, or why it has none. Does no I/O, and raises what `survey` does."""
    plans = _plans([request._replace(environment=name) for name in environments])
    return dict(zip(environments, plans, strict=True))


def _plans(requests: Sequence[Request]) -> list[Plan | ManifestError]:
    plans: list[Plan | ManifestError] = []
    for request in requests:
        try:
            plans.append(plan_request(request))
        except UnknownEnvironmentError:
            raise
        except ManifestError as error:
            plans.append(_settled(error))
    return plans


class _Halves(NamedTuple):
    """A plan with what is to be read of it alone, and what is known without."""

    asked: Plan
    kept: Fetched


def _halves(request: Request, plan: Plan | ManifestError) -> _Halves | None:
    """Part what is to be read from what is known: offline, that is what the cache keeps.

    A survey tells how the stores are, so else the cache has no part in it.
    """
    if not isinstance(plan, Plan):
        return None
    net = net_for(request, plan) if request.offline else None
    return _Halves(plan, {}) if net is None else _Halves(plan._replace(documents=net.wanted), net.outcomes())


def _surveyed(request: Request, plan: Plan, fetched: Fetched) -> Surveyed:
    resolved: Resolved | None = None
    error: ConfsvcError | None = None
    try:
        resolved = recorded(request, assemble(request, plan, fetched))
        resolved.unwrap()
    except ConfsvcError as found:
        error = _settled(found)
    if resolved and resolved.refusal:
        raise resolved.refusal
    if resolved is None:
        return Surveyed(plan.environment, error=error, plan=plan)
    problems = {problem.name: problem for problem in resolved.problems if problem.name}
    declared = [name for name in (plan.schema.settings if plan.schema else ()) if plan.wanted(name)]
    names = dict.fromkeys([*declared, *resolved.resolution, *problems])
    settings = {name: _standing(name, plan, resolved.resolution.get(name), problems.get(name)) for name in names}
    return Surveyed(plan.environment, settings, error, plan, resolved)


def _standing(name: str, plan: Plan, value: Value | None, problem: Problem | None) -> Standing:
    setting = plan.schema.settings.get(name) if plan.schema else None
    if value is not None and problem is None:
        origin = value.origin
        states: dict[str, State] = {"default": "default", "environment": "overridden", "set": "overridden"}
        state = states.get(origin.layer, "present")
        leased = origin.lease is not None
        where = (origin.layer, origin.reference, origin.version, origin.read_at, leased, origin.made_at)
        return Standing(name, state, value.kind, value.secret, *where)
    kind, secret = (str(setting.type), setting.secret) if setting else ("str", True)
    if problem is None:
        return Standing(name, "absent", kind, secret)
    return Standing(name, _state_of(problem), kind, secret, reference=problem.reference, problem=problem)


def _state_of(problem: Problem) -> State:
    if problem.code in _MISSING:
        return "missing"
    return "unreadable" if problem.exit_status in _UNREAD else "invalid"


def _settled(error: _Error) -> _Error:
    """Return ``error`` without the trail of calls it was raised through, whose variables hold values."""
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return error
