"""Taking stock: does each document that environments need exist, with a live version? No value is read for that.

The calls are those of `confsvc.adapter.Describer`: metadata in Vault, ``DescribeSecret``, ``DescribeParameters``,
``GetSecretVersion``; of a local file, whether it is there. What is in a document, and whether the role that runs the
service may read it, cannot be told this way.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from confsvc.adapter import Deadline, Description, Undescribed
from confsvc.deciding import describe
from confsvc.errors import ConfsvcError, Malformed, NotFound, Problem
from confsvc.fetching import describe_documents
from confsvc.manifest import KeyPath, Manifest
from confsvc.overview.gathering import Gathering
from confsvc.overview.survey import plan_all
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.resolver import Request, refuse_offline
from confsvc.schema import UNSET

__all__ = ["Inventory", "Item", "take_inventory"]


class Item(NamedTuple):
    """One document. ``time`` is when its version was made, as RFC 3339, empty where the store does not say.

    ``state`` is ``live``, ``absent`` (it is not there, and need not be), ``unchecked`` (``note`` says why nothing can
    be told), or ``problem``. ``settings`` are those whose values name it; a source has none.
    """

    reference: Reference
    state: Literal["live", "absent", "unchecked", "problem"]
    version: str = ""
    time: str = ""
    note: str = ""
    settings: tuple[str, ...] = ()
    problem: Problem | None = None


class Inventory(NamedTuple):
    """The documents of one environment, or the ``error`` for which there is no plan of what it reads."""

    environment: str
    items: tuple[Item, ...] = ()
    error: ConfsvcError | None = None


def take_inventory(request: Request, environments: Sequence[str]) -> Iterator[Inventory]:
    """Yield each of ``environments`` in this order, as soon as it is known. Raises what `survey` does."""
    refuse_offline(request)
    deadline = Deadline(request.timeout)
    plans = plan_all(request, environments)
    gathering = Gathering([plan for plan in plans.values() if isinstance(plan, Plan)], describe_documents, deadline)
    try:
        for name, plan in plans.items():
            if isinstance(plan, Plan):
                described = gathering.of(plan)
                uses = _uses(plan)
                items = [_item(plan, request.manifest, uses[r], r, described.get(r)) for r in plan.documents]
                yield Inventory(name, tuple(items))
            else:
                yield Inventory(name, error=plan)
    finally:
        gathering.release()


class _Use(NamedTuple):
    """Where a document is named, in which settings' values, and whether somebody needs it to be there."""

    path: KeyPath
    settings: tuple[str, ...]
    is_needed: bool


def _uses(plan: Plan) -> dict[Reference, _Use]:
    found: dict[Reference, _Use] = {}
    for source in reversed(plan.sources):
        _add(found, source.reference.document, _Use(source.entry.path, (), not source.entry.optional))
    settings = plan.schema.settings if plan.schema else {}
    for name, templates in plan.values.items():
        setting = settings.get(name)
        is_needed = setting is None or (setting.required and setting.default is UNSET)
        for template in templates:
            for reference in template.references.values():
                _add(found, reference.document, _Use(template.place, (name,), is_needed))
    return found


def _add(found: dict[Reference, _Use], document: Reference, use: _Use) -> None:
    known = found.get(document, use._replace(settings=(), is_needed=False))
    settings = tuple(dict.fromkeys([*known.settings, *use.settings]))
    found[document] = _Use(known.path, settings, known.is_needed or use.is_needed)


def _item(
    plan: Plan,
    manifest: Manifest,
    use: _Use,
    reference: Reference,
    outcome: Description | ConfsvcError | None,
) -> Item:
    item = Item(reference, "unchecked", settings=use.settings)
    if outcome is None:
        adapter = plan.backends[reference.scheme].adapter
        return item._replace(note=f"the adapter `{adapter}` tells nothing without reading")
    if isinstance(outcome, Undescribed):
        return item._replace(note=outcome.message)
    if isinstance(outcome, Description):
        item = item._replace(version=outcome.version, time=outcome.time)
        if not outcome.state:
            return item._replace(state="live")
        outcome = Malformed(f"its version {item.version} is {outcome.state}" if item.version else outcome.state)
    if isinstance(outcome, NotFound) and not use.is_needed:
        return item._replace(state="absent")
    problem = outcome.problem(reference=str(reference), place=manifest.place(use.path))
    hint = problem.hint
    if isinstance(outcome, NotFound) and not hint:
        hint = "create it" if use.settings else "create it, or mark the source `optional = true`"
    return item._replace(state="problem", problem=problem._replace(message=describe(outcome), hint=hint))
