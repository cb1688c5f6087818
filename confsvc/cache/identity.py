"""Whose settings they are: what was kept for another project, environment, manifest, store or user is not for us."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from confsvc._json import compact
from confsvc.adapter import Backend
from confsvc.manifest import Manifest
from confsvc.manifest_checks import read_reference
from confsvc.plan import Plan, backend_of
from confsvc.registry import adapter_class

__all__ = ["SUFFIX", "Identity", "identity_of"]

SUFFIX = ".cache"
_MACHINE = "/etc/machine-id"
# Keys whose text may come from the environment, and is no credential.
_SAYING = frozenset({"address", "namespace", "role", "role_id", "username"})


class Identity(NamedTuple):
    """``manifest`` and ``backends`` are digests; ``user`` is a number, ``machine`` what the system calls this one."""

    project: str
    environment: str
    manifest: str
    backends: str
    user: int
    machine: str

    @property
    def file(self) -> str:
        """The name of its file."""
        return _digest(compact(list(self)))[:40] + SUFFIX

    def difference(self, other: "Identity") -> str:
        """Return in which respect ``other`` is not this one, an empty string where it is."""
        names = {
            "project": "another project",
            "environment": "another environment",
            "manifest": "another manifest, or an older one",
            "backends": "another store, or another address of it",
            "user": "another user",
            "machine": "another machine",
        }
        return next((text for name, text in names.items() if getattr(self, name) != getattr(other, name)), "")


def identity_of(manifest: Manifest, plan: Plan, environ: Mapping[str, str]) -> Identity:
    """Return the identity of what ``plan`` reads. It is the same one where only some of the settings are wanted."""
    environment = manifest.environment(plan.environment)
    sources = [read_reference(manifest, environment, source.reference)[0] for source in environment.sources]
    values = [r for templates in plan.values.values() for t in templates for r in t.references.values()]
    schemes = sorted({reference.scheme for reference in (*sources, *values) if reference})
    backends = [backend_of(manifest, environment, scheme, environ) for scheme in schemes]
    return Identity(
        manifest.project,
        plan.environment,
        _digest(manifest.canonical()),
        _digest(compact([found for backend in backends if (found := list(_address(backend)))])),
        os.geteuid(),
        _machine(),
    )


def _address(backend: Backend) -> Iterator[object]:
    """Yield what decides which store ``backend`` asks, and as whom; nothing for one that reads this machine."""
    adapter = adapter_class(backend.adapter)
    if adapter.local:
        return
    yield from (backend.name, backend.adapter)
    yield _public(backend.options, backend.environ)
    variables: frozenset[str] = getattr(adapter, "variables", frozenset())
    yield {name: backend.environ.get(name, "") for name in sorted(variables)}


def _public(options: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, object]:
    """Return ``options`` without what comes from the environment, unless that is an address, or says who we are."""
    found: dict[str, object] = {}
    for key, value in sorted(options.items()):
        if isinstance(value, Mapping) and set(value) == {"env"} and key in _SAYING:
            found[key] = environ.get(str(value["env"]), "")
        elif isinstance(value, Mapping):
            found[key] = _public(value, environ)
        else:
            found[key] = value
    return found


def _machine() -> str:
    try:
        with open(_MACHINE, encoding="ascii") as file:
            return file.read(64).strip()
    except (OSError, ValueError):  # containers often have none
        return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
