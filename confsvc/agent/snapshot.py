"""What the agent answers with: made once for each set, so that a request costs no more than its bytes."""

from json import dumps
from typing import NamedTuple

from confsvc.adapter import Document
from confsvc.agent.documents import declared_names, shared_documents
from confsvc.cache.net import limit_of
from confsvc.errors import Problem
from confsvc.fetching import Fetched
from confsvc.inject.environment import LIMIT
from confsvc.manifest import Manifest
from confsvc.plan import Plan
from confsvc.registry import adapter_class
from confsvc.resolution import Resolution, Value

__all__ = ["Lacking", "Snapshot", "Subject", "take_snapshot"]


class Snapshot(NamedTuple):
    """One complete and valid set. ``pages`` are the answers' bodies, by the last part of their path.

    ``limit`` is for how many seconds it may stand in for stores that do not answer.
    """

    generation: int
    environment: str
    identity: str
    is_default: bool
    size: int
    limit: float
    pages: dict[str, bytes]


class Subject(NamedTuple):
    """Whose settings they are. ``is_default``: this environment is meant where none is named."""

    manifest: Manifest
    plan: Plan
    identity: str
    is_default: bool


class Lacking(NamedTuple):
    """What is not as it should be, and may be so all the same.

    ``missing`` is what only the process that asks can have; ``notes`` is what is odd about what was read.
    """

    missing: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def take_snapshot(
    subject: Subject, resolution: Resolution, seen: Fetched, generation: int, lacking: Lacking
) -> Snapshot:
    """Make the answers for a set."""
    plan, manifest = subject.plan, subject.manifest
    common = {"environment": plan.environment, "manifest": manifest.file, "generation": generation}
    why = _why_not(subject, resolution, seen, lacking)
    settings = {
        **common,
        "project": manifest.project,
        "ready": not why,
        "why": why,
        "settings": {name: _setting(value) for name, value in resolution.items()},
        "missing": [problem.name for problem in lacking.missing],
        "names": _every_name(plan, resolution),
        "credentials": sorted(manifest.credential_names(plan.environment)),
        "warnings": list(lacking.notes),
        "local": any(_is_local(plan, scheme) for scheme in plan.backends),
    }
    documents = shared_documents(plan, seen)
    versions = {str(r): one.version if isinstance(one, Document) else "" for r, one in seen.items()}
    names = declared_names(plan)
    pages = {
        "settings": settings,
        "documents": {**common, "names": names, "documents": documents},
        "versions": {**common, "names": names, "documents": {r: v for r, v in versions.items() if r in documents}},
    }
    bodies = {name: dumps(page).encode() + b"\n" for name, page in pages.items()}
    whose = (plan.environment, subject.identity, subject.is_default)
    return Snapshot(generation, *whose, len(resolution), limit_of(manifest, plan), bodies)


def _setting(value: Value) -> dict[str, object]:
    origin = value.origin
    told = {"layer": origin.layer, "reference": origin.reference, "version": origin.version}
    return {"text": value.text, "secret": value.secret, "type": value.kind, **told}


def _every_name(plan: Plan, resolution: Resolution) -> list[str]:
    """Return the names by which the process environment of who asks would decide a setting."""
    if plan.schema is None:
        return []
    return [name for setting in plan.schema.settings.values() for name in setting.names] or list(resolution)


def _why_not(subject: Subject, resolution: Resolution, seen: Fetched, lacking: Lacking) -> str:
    """Return why the settings cannot be handed to a program as they are, empty where they can."""
    if lacking.missing:
        return "missing"
    if subject.manifest.schema_target:
        return "schema"  # its code may be another one by now: who asks validates with what is there
    if any(isinstance(one, Document) and one.lease for one in seen.values()):
        return "leased"
    adapters = {scheme: backend.adapter for scheme, backend in subject.plan.backends.items()}
    if any(name == "env" or getattr(adapter_class(name), "private", False) for name in adapters.values()):
        return "personal"  # each process reads another environment
    if lacking.notes:
        return "warnings"
    texts = [(name, value.text) for name, value in resolution.items()]
    if any("\0" in text or len(f"{name}={text}".encode(errors="surrogateescape")) + 1 > LIMIT for name, text in texts):
        return "size"
    return ""


def _is_local(plan: Plan, scheme: str) -> bool:
    return adapter_class(plan.backends[scheme].adapter).local
