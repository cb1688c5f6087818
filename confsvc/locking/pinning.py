"""Reading exactly what was locked: a plan whose documents are replaced, and its outcomes put back in their place."""

from collections.abc import Iterator, Mapping

from confsvc.adapter import Document
from confsvc.discovery import display
from confsvc.errors import BadReferenceError, ConfsvcError, LockError, Malformed, NotFound, Problem
from confsvc.fetching import Fetched
from confsvc.locking.records import Lock, LockedEnvironment, Read
from confsvc.locking.references import differences
from confsvc.plan import Pin, Plan
from confsvc.reference import Reference
from confsvc.registry import adapter_class

__all__ = ["locked_environment", "pin", "pin_as_locked", "pin_plan", "unpinned"]


def locked_environment(lock: Lock, name: str) -> LockedEnvironment:
    """Return what ``lock`` says of the environment ``name``.

    Raises:
        LockError: it says nothing.

    """
    if not name:
        raise LockError("the manifest has no environments, so nothing of it was locked")
    if name not in lock.environments:
        known = ", ".join(f"`{one}`" for one in lock.environments) or "none"
        raise LockError(
            f"`{display(lock.file)}` does not have the environment `{name}`; it has {known}",
            hint=f"`confsvc lock -e {name}` adds it",
        )
    return lock.environments[name]


def pin_plan(plan: Plan, lock: Lock) -> Plan:
    """Return ``plan``, in which every document is replaced by exactly what was read when ``lock`` was made.

    Raises:
        LockError: the plan is not the one that was locked, or a version in the lock can be none of its store.

    """
    locked = locked_environment(lock, plan.environment)
    found = differences(plan, locked)
    if found:
        _refuse(plan, lock, found)
    reads = _by_document(locked)
    pins = {document: _pin(plan, lock, document, reads[str(document)]) for document in plan.documents}
    documents = dict.fromkeys(reference for one in pins.values() for reference in _instead(one))
    return plan._replace(documents=tuple(documents), pins=pins)


def unpinned(plan: Plan, fetched: Fetched) -> Fetched:
    """Return ``fetched`` by the references that the manifest has."""
    return {document: _outcome(one, fetched) for document, one in plan.pins.items()}


def pin(plan: Plan, document: Reference, version: str, part: str = "") -> Reference | None:
    """Return the reference to one version of ``document``, or None where its adapter cannot read one again.

    Raises:
        BadReferenceError: the store can have no such version.

    """
    adapter = adapter_class(plan.backends[document.scheme].adapter)
    found: Reference | None = adapter.pin(document, version, part) if hasattr(adapter, "pin") else None
    return found


def _refuse(plan: Plan, lock: Lock, found: list[Problem]) -> None:
    count = "1 difference" if len(found) == 1 else f"{len(found)} differences"
    raise LockError(
        f"the manifest is not the one in `{display(lock.file)}`, for {plan.environment}: {count}",
        found,
        hint=f"`confsvc lock -e {plan.environment}` locks what it is now",
    )


def _by_document(locked: LockedEnvironment) -> dict[str, list[Read]]:
    found: dict[str, list[Read]] = {}
    for _, read in locked.reads():
        found.setdefault(read.document, []).append(read)
    return found


def _pin(plan: Plan, lock: Lock, document: Reference, reads: list[Read]) -> Pin:
    parts = {read.part: read.version for read in reads if read.part and not read.state}
    if parts or any(read.state == "parts" for read in reads):
        version = next((read.version for read in reads if read.state == "parts"), "")
        pinned = {part: pin_as_locked(plan, lock, document, own, part) for part, own in parts.items()}
        return Pin(parts=pinned, version=version)
    read = reads[0]  # they all say the same
    if read.state == "absent":
        return Pin()
    if read.state:
        return Pin(document)
    return Pin(pin_as_locked(plan, lock, document, read.version), version=read.version)


def pin_as_locked(plan: Plan, lock: Lock, document: Reference, version: str, part: str = "") -> Reference:
    """Do what `pin` does with what stands in ``lock``.

    Raises:
        LockError: the store can have no such version.

    """
    reason = "its adapter reads no earlier versions"
    found: Reference | None = None
    try:
        found = pin(plan, document, version, part)
    except BadReferenceError as error:
        reason = error.message
    if found is None:
        message = f"version `{version}`, in `{display(lock.file)}`, cannot be one of `{document}{part}`: {reason}"
        raise LockError(message, hint=f"`confsvc lock -e {plan.environment}` locks what it is now")
    return found


def _instead(one: Pin) -> Iterator[Reference]:
    if one.whole is not None:
        yield one.whole
    yield from (one.parts or {}).values()


def _outcome(one: Pin, fetched: Fetched) -> Document | ConfsvcError:
    if one.parts is not None:
        return _assembled(one, {part: fetched[reference] for part, reference in one.parts.items()})
    if one.whole is None:
        return NotFound("it was not there when the lock was made")
    return _there(fetched[one.whole]) if one.version else fetched[one.whole]


def _assembled(one: Pin, outcomes: Mapping[str, Document | ConfsvcError]) -> Document | ConfsvcError:
    """Return a document made of its parts. One that cannot be read fails them all: an error is no absence."""
    documents: dict[str, Document] = {}
    for part, outcome in outcomes.items():
        found = _there(outcome)
        if not isinstance(found, Document):
            return found
        documents[part] = found
    made = Document(
        {part: found.content.reveal() for part, found in documents.items()},
        version=one.version,
        secret=any(found.secret for found in documents.values()),
        notes=[note for found in documents.values() for note in found.notes],
        parts={part: found.version for part, found in documents.items()},
    )
    made.kept_since = min((found.kept_since for found in documents.values() if found.kept_since), default=None)
    return made


def _there(outcome: Document | ConfsvcError) -> Document | ConfsvcError:
    """Return ``outcome``. A version that was locked and is gone is no absence that a lower layer may mend."""
    if not isinstance(outcome, NotFound):
        return outcome
    return Malformed(
        f"{outcome.message}, and it is the version that was locked",
        hint="`confsvc lock --check` tells what moved; `confsvc lock` locks what is there now",
    )
