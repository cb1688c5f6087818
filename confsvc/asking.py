"""Having an agent's word for what the backends say: where it serves this manifest, and this environment."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from confsvc.adapter import Description, Document
from confsvc.errors import ConfsvcError
from confsvc.manifest import Manifest
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.registry import adapter_class
from confsvc.thin.asking import ask, gave_up, quote, stale_line
from confsvc.thin.manifest import identify
from confsvc.thin.place import place_of

__all__ = ["Served", "describe_by_agent", "fetch_by_agent", "is_shared"]

_OK = 200


class Served(NamedTuple):
    """What an agent served of the documents asked for; ``warnings`` are for people, and say why where it did not.

    ``is_old``: its stores do not answer it, and what it has stands in for them.
    """

    outcomes: Mapping[Reference, Any] = {}
    warnings: tuple[str, ...] = ()
    is_old: bool = False


def is_shared(plan: Plan, reference: Reference) -> bool:
    """Whether ``reference`` is the same for all processes of a machine: what is read from it may differ."""
    adapter = adapter_class(plan.backends[reference.scheme].adapter)
    return not adapter.local and not getattr(adapter, "private", False)


def fetch_by_agent(manifest: Manifest, plan: Plan, timeout: float, max_age: float | None = None) -> Served:
    """Return the outcomes of those documents of ``plan`` that an agent serves. ``max_age`` is in seconds."""
    data, warnings = _ask("documents", manifest, plan, timeout, max_age)
    if not data:
        return Served(warnings=warnings)
    from confsvc.outcomes import decode  # where there is an agent

    is_old = bool(warnings)
    outcomes = {reference: decode(one) for reference, one in _those(data, plan).items()}
    found = {r: one for r, one in outcomes.items() if isinstance(one, Document | ConfsvcError)}
    return Served(found, warnings, is_old)


def describe_by_agent(manifest: Manifest, plan: Plan, timeout: float, max_age: float) -> Served:
    """Return the versions of what `fetch_by_agent` would return, as descriptions."""
    data, warnings = _ask("versions", manifest, plan, timeout, max_age)
    return Served({r: Description(str(version)) for r, version in _those(data, plan).items()}, warnings)


def _ask(
    what: str, manifest: Manifest, plan: Plan, timeout: float, max_age: float | None
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    import os

    known = gave_up()
    if known is not None:
        return {}, (_instead(known),) if known else ()
    path, is_named = place_of(os.environ)
    if not (manifest.file and path and (is_named or os.path.exists(path))):
        return {}, ()
    if not any(is_shared(plan, reference) for reference in plan.documents):
        return {}, ()
    answer = ask(_target(what, manifest, plan, max_age), os.environ, timeout)
    if answer.trouble:
        return {}, (_instead(answer.trouble),)
    data: Mapping[str, Any] = answer.data() if answer.status == _OK else {}
    return data, (stale_line(answer.outage),) if data and answer.outage >= 0 else ()


def _instead(trouble: str) -> str:
    return f"{trouble}; the stores are asked instead"


def _target(what: str, manifest: Manifest, plan: Plan, max_age: float | None) -> str:
    identity = ""
    try:
        identity = identify(manifest.file)
    except (OSError, ValueError):
        identity = "none"
    target = f"/v1/{what}?identity={identity}&environment={quote(plan.environment)}"
    return target if max_age is None else f"{target}&max_age={max_age:g}"


def _those(data: Mapping[str, Any], plan: Plan) -> dict[Reference, Any]:
    """Return what was served of the documents of ``plan``; nothing where the agent leaves out what we declare."""
    names, documents = data.get("names"), data.get("documents", {})
    if names is not None:
        wanted = {name for s in plan.schema.settings.values() for name in s.names} if plan.schema else None
        if wanted is None or not wanted.issubset(names):
            return {}
    return {r: documents[str(r)] for r in plan.documents if documents.get(str(r)) is not None and is_shared(plan, r)}
