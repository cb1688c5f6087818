"""Resolving: manifest and environment in, an immutable resolution out, or every problem found."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from confsvc._suggest import did_you_mean
from confsvc.adapter import Deadline
from confsvc.asking import Served, fetch_by_agent
from confsvc.assembly import Assembly, Resolved
from confsvc.errors import OutputError, UsageError
from confsvc.fetching import Fetched, Pool, fetch_documents
from confsvc.manifest import Manifest
from confsvc.plan import Plan, make_plan
from confsvc.resolution import Resolution
from confsvc.schema import Schema

if TYPE_CHECKING:
    from confsvc.audit import Trail
    from confsvc.cache import Net
    from confsvc.locking import Lock

__all__ = [
    "TIMEOUT",
    "Request",
    "Resolved",
    "assemble",
    "net_for",
    "plan_request",
    "recorded",
    "refuse_offline",
    "resolve_request",
    "trail_for",
]

TIMEOUT = 30.0


class Request(NamedTuple):
    """What is asked for. ``environ`` is the process environment; ``given`` is ``--set``; ``timeout`` is in seconds.

    With ``static`` a value that has a lease is a problem: nobody is going to renew it. ``by`` is the command that asks,
    for the audit trail. With ``lock`` exactly what was locked is read. With ``offline`` no store is asked, and what the
    cache keeps is all there is; without ``cache`` it is neither used nor written. With ``alone`` the
    stores are asked by this process, whether there is an agent or not.
    """

    manifest: Manifest
    environment: str = ""
    schema: Schema | None = None
    given: Mapping[str, str] = {}
    only: frozenset[str] = frozenset()
    override: bool = False
    timeout: float = TIMEOUT
    environ: Mapping[str, str] = {}
    read_all: bool = False
    static: bool = False
    by: str = ""
    lock: "Lock | None" = None
    offline: bool = False
    cache: bool = True
    alone: bool = False


def resolve_request(request: Request, *, deadline: Deadline | None = None) -> Resolved:
    """Resolve, as far as possible. What a failed resolution leased is given back.

    Raises:
        ManifestError: the environment is unknown, or what is written makes no sense with this schema.
        UsageError: no environment was chosen, or ``given`` or ``only`` name what is not declared.

    """
    plan = plan_request(request)
    trail = trail_for(request)
    if trail and (failure := trail.check()):  # before anything is read
        return _refused(failure)
    pool = Pool()
    net = net_for(request, plan)
    deadline = deadline or Deadline(request.timeout)
    served = _served(request, plan, deadline)
    others = [reference for reference in plan.documents if reference not in served.outcomes]
    if net is None or served.outcomes:  # what the agent serves, it keeps
        own = fetch_documents(others, plan.backends, deadline, pool)
        resolved = assemble(request, plan, {**served.outcomes, **own})
    else:
        fetched = fetch_documents(net.wanted, plan.backends, net.deadline(deadline), pool)
        resolved = net.catch(fetched, lambda found: assemble(request, plan, found)).resolved
    resolved = recorded(request, resolved.warned(served.warnings))
    if resolved.problems:
        pool.release()
    else:
        pool.close()
    return resolved


def _served(request: Request, plan: Plan, deadline: Deadline) -> Served:
    """Return what an agent serves of ``plan``, where it may be asked and what it says is what was asked for."""
    if request.alone or request.read_all or request.offline or request.lock:
        return Served()
    served = fetch_by_agent(request.manifest, plan, deadline.remaining())
    return served if request.cache or not served.is_old else Served()


def recorded(request: Request, resolved: Resolved) -> Resolved:
    """Return ``resolved`` once it is in the audit trail, if there is one; one that refuses where it cannot be."""
    trail = trail_for(request)
    failure = trail.resolution(resolved) if trail else None
    return _refused(failure) if failure else resolved


def trail_for(request: Request) -> "Trail | None":
    """Return the audit trail that the environment of ``request`` asks for; None where it asks for none."""
    if not request.environ.get("CONFSVC_AUDIT"):
        return None
    from confsvc.audit import trail_of

    return trail_of(request.environ, request.by)


def _refused(failure: OutputError) -> Resolved:
    return Resolved(Resolution({}), (failure.problem(),), 0, refusal=failure)


def plan_request(request: Request) -> Plan:
    """Return what has to be read. Does no I/O, and raises what `resolve_request` does.

    Raises:
        LockError: the manifest is not the one that was locked.

    """
    manifest = request.manifest
    environment = manifest.environment(manifest.choose(request.environment))
    schema = request.schema or manifest.schema
    process = _process_layer(request, schema)
    _check_names(request, schema)
    plan = make_plan(
        manifest,
        environment,
        schema,
        given=request.given,
        process=process,
        environ=request.environ,
        only=request.only,
        read_all=request.read_all,
    )
    if request.lock is None:
        return plan
    from confsvc.locking.pinning import pin_plan

    return pin_plan(plan, request.lock)


def refuse_offline(request: Request) -> None:
    """Refuse to ask the stores where nothing may be asked: for what only they can tell.

    Raises:
        UsageError: ``request`` is offline.

    """
    if request.offline:
        raise UsageError("offline: only the stores themselves can tell this", hint="is CONFSVC_OFFLINE set?")


def net_for(request: Request, plan: Plan) -> "Net | None":
    """Return what stands in for stores that do not answer; None where that is off. Then nothing of it is imported."""
    written = request.manifest.cache
    environ = request.environ
    is_said = written or environ.get("CONFSVC_CACHE_DIR") or environ.get("CONFSVC_CACHE_KEY_FILE")
    is_on = bool(is_said) and request.cache and written is not False
    if not (is_on or request.offline) or not plan.documents:
        return None
    from confsvc.cache import open_net

    return open_net(request.manifest, plan, environ, is_on=is_on, offline=request.offline)


def assemble(request: Request, plan: Plan, fetched: Fetched) -> Resolved:
    """Return what becomes of ``fetched``, the outcome of every document of ``plan``."""
    if plan.pins:
        from confsvc.locking.pinning import unpinned

        fetched = unpinned(plan, fetched)
    return Assembly(plan, fetched, request.manifest, static=request.static, override=request.override).assemble()


def _process_layer(request: Request, schema: Schema | None) -> dict[str, str]:
    if request.override or schema is None:
        return {}
    names = (name for setting in schema.settings.values() for name in setting.names)
    return {name: request.environ[name] for name in names if name in request.environ}


def _check_names(request: Request, schema: Schema | None) -> None:
    if schema is None:
        return
    known = {name for setting in schema.settings.values() for name in setting.names}
    # An alias is a name that a value may have, as with --set; what is wanted is a setting.
    unknown = [name for name in request.given if name not in known]
    for name in (*unknown, *request.only):
        if name not in schema.settings:
            raise UsageError(f"no setting is called `{name}`{did_you_mean(name, schema.settings)}")
