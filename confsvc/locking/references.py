"""What a plan refers to, in the words of a lock, and how that differs from what was locked."""

from collections.abc import Iterator

from confsvc._suggest import did_you_mean
from confsvc.errors import Problem
from confsvc.locking.records import LockedEnvironment
from confsvc.plan import Plan
from confsvc.reference import Reference

__all__ = ["differences", "value_references"]


def value_references(plan: Plan, name: str) -> dict[Reference, None]:
    """Return what the ``values`` of the setting ``name`` refer to, as far down as they may be needed, in order."""
    found: dict[Reference, None] = {}
    for template in plan.values.get(name, ()):
        found.update(dict.fromkeys(template.references.values()))
        if template.is_certain:
            break
    return found


def differences(plan: Plan, locked: LockedEnvironment) -> list[Problem]:
    """Return every setting and every reference that was added, removed or changed since ``locked`` was made."""
    return [*_sources(plan, locked), *_names(plan, locked), *_values(plan, locked)]


def _sources(plan: Plan, locked: LockedEnvironment) -> Iterator[Problem]:
    if not plan.sources:  # nothing that is wanted needs them
        return
    now = [str(source.reference) for source in reversed(plan.sources)]
    then = [read.reference for read in locked.sources]
    yield from (_problem("", "is a source that was not locked", text) for text in now if text not in then)
    yield from (_problem("", "was locked, and is no source any more", text) for text in then if text not in now)
    if now != then and sorted(now) == sorted(then):
        yield _problem("", "the sources are the same, in another order", " ".join(now))


def _names(plan: Plan, locked: LockedEnvironment) -> Iterator[Problem]:
    declared = dict.fromkeys(plan.values if plan.schema is None else plan.schema.settings)
    for name in declared:
        if name not in locked.settings:
            yield _problem(name, "was added: it is not in the lock" + did_you_mean(name, locked.settings))
    # What nobody declares may come from a source all the same.
    injects = plan.schema is None or not plan.sources or any(source.entry.inject_extra for source in plan.sources)
    for name, setting in locked.settings.items():
        if name not in declared and not (injects and setting.layer == "source" and not setting.value_references):
            yield _problem(name, "was removed: the lock has it, and the manifest does not")


def _values(plan: Plan, locked: LockedEnvironment) -> Iterator[Problem]:
    settings = plan.schema.settings if plan.schema else plan.values
    for name in settings:
        if name not in locked.settings:
            continue
        now = tuple(str(reference) for reference in value_references(plan, name))
        then = locked.settings[name].value_references
        if now != then:
            was = " and ".join(f"`{text}`" for text in then) or "nothing"
            yield _problem(name, f"changed: it was locked to {was}", " ".join(now))


def _problem(name: str, message: str, reference: str = "") -> Problem:
    return Problem("lock", message, name, reference, exit_status=78)
