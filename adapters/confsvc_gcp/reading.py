"""From names to documents: single versions, and whole projects."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from confsvc.adapter import Deadline, Description, Document
from confsvc.errors import AdapterError, DeadlineError, NotFound, Unavailable
from confsvc_gcp.names import Name
from confsvc_gcp.store import Described, Found, Store

__all__ = ["describe_all", "read_all"]


def read_all(store: Store, names: Sequence[Name], deadline: Deadline) -> dict[Name, Found]:
    """Return the outcome of each of ``names``."""
    single = [name for name in names if name.secret]
    found: dict[Name, Found] = dict(zip(single, _access(store, single, deadline), strict=True))
    for project in (name for name in names if not name.secret):
        found[project] = _read_project(store, project, deadline)
    return found


def describe_all(store: Store, names: Sequence[Name], deadline: Deadline) -> dict[Name, Described]:
    """Return the description of each of ``names``."""
    single = [name for name in names if name.secret]
    found: dict[Name, Described] = dict(zip(single, store.describe(single, deadline), strict=True))
    for project in (name for name in names if not name.secret):
        found[project] = _describe_project(store, project, deadline)
    return found


def _access(store: Store, names: Sequence[Name], deadline: Deadline) -> list[Found]:
    """Read, and read once more what was damaged on its way."""
    found = store.access(names, deadline) if names else []
    damaged = [number for number, one in enumerate(found) if one is None]
    if damaged:
        again = store.access([names[number] for number in damaged], deadline)
        for number, one in zip(damaged, again, strict=True):
            found[number] = one
    return [one or _damaged(name) for one, name in zip(found, names, strict=True)]


def _damaged(name: Name) -> Unavailable:
    return Unavailable(f"the payload of `{name.what}` was damaged on its way: its CRC-32C is not the one sent with it")


def _read_project(store: Store, project: Name, deadline: Deadline) -> Found:
    """Return all secrets of a project. One that cannot be read fails them all: an error is no absence."""
    members = _members(store, project, deadline)
    if not isinstance(members, list):
        return members
    found = _access(store, members, deadline)
    failed = next((one for one in found if not isinstance(one, Document)), None)
    if failed is not None:
        return failed
    documents = {name.secret: one for name, one in zip(members, found, strict=True) if isinstance(one, Document)}
    fields = {secret: document.content.reveal() for secret, document in documents.items()}
    versions = {secret: one.version for secret, one in documents.items()}
    return Document(fields, version=_version(versions), parts=versions)


def _describe_project(store: Store, project: Name, deadline: Deadline) -> Described:
    members = _members(store, project, deadline)
    if not isinstance(members, list):
        return members
    found = store.describe(members, deadline)
    failed = next((one for one in found if not isinstance(one, Description)), None)
    if failed is not None:
        return failed
    return Description(
        _version(
            {name.secret: one.version for name, one in zip(members, found, strict=True) if isinstance(one, Description)}
        )
    )


def _members(store: Store, project: Name, deadline: Deadline) -> list[Name] | AdapterError | DeadlineError:
    secrets = store.secrets(project, deadline)
    if not isinstance(secrets, list):
        return secrets
    chosen = sorted(secret for secret in secrets if secret.startswith(project.prefix))
    if not chosen:
        selected = " that is selected" if project.prefix or project.filter else ""
        return NotFound(f"the project `{project.project}` has no secret{selected}")
    return [project._replace(secret=secret, prefix="", filter="") for secret in chosen]


def _version(versions: Mapping[str, str]) -> str:
    """Return a short text that changes with every version of any secret of a project."""
    lines = "\n".join(f"{secret}:{version}" for secret, version in sorted(versions.items()))
    return sha256(lines.encode()).hexdigest()[:12]
