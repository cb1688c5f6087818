"""What others get of the documents that were read: the fields of declared settings, and nothing beside them."""

from collections.abc import Mapping
from typing import Any

from confsvc.adapter import Document, parse_json
from confsvc.asking import is_shared
from confsvc.extract import setting_name
from confsvc.fetching import Fetched
from confsvc.outcomes import encode
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.registry import adapter_class

__all__ = ["declared_names", "shared_documents"]


def declared_names(plan: Plan) -> list[str] | None:
    """Return every name that a declared setting has; None where nothing is declared, so that everything is meant."""
    if plan.schema is None or any(source.entry.inject_extra for source in plan.sources):
        return None
    return [name for setting in plan.schema.settings.values() for name in setting.names]


def shared_documents(plan: Plan, seen: Fetched) -> dict[str, object]:
    """Return the outcomes of the documents of ``plan`` that are the same for everybody, as JSON can hold them.

    What has a lease is not among them: that is for whoever reads it.
    """
    names = declared_names(plan)
    found = {str(r): encode(_trimmed(plan, r, seen[r], names)) for r in plan.documents if is_shared(plan, r)}
    return {reference: outcome for reference, outcome in found.items() if outcome is not None}


def _trimmed(plan: Plan, reference: Reference, outcome: Any, names: list[str] | None) -> object:
    """Return a document without the fields that nobody has declared."""
    if not isinstance(outcome, Document) or names is None or outcome.lease is not None:
        return outcome
    is_whole, fields = _used(plan, reference)
    content = _structure(outcome.content.reveal())
    if is_whole or content is None:
        return outcome
    keys = {key for key in content if key in fields}
    if any(source.reference == reference for source in plan.sources):
        verbatim = adapter_class(plan.backends[reference.scheme].adapter).keeps_names
        keys |= {key for key in content if (key if verbatim else setting_name(key)) in set(names)}
    kept = {key: value for key, value in content.items() if key in keys}
    return Document(kept, version=outcome.version, secret=outcome.secret, notes=outcome.notes)


def _used(plan: Plan, document: Reference) -> tuple[bool, set[str]]:
    """Return whether something wants all of ``document``, and the fields that are named."""
    filled = [r for templates in plan.values.values() for template in templates for r in template.references.values()]
    everything = [*filled, *(source.reference for source in plan.sources if source.reference.fragment is not None)]
    fragments = [reference.fragment for reference in everything if reference.document == document]
    named = {_first(fragment) for fragment in fragments if fragment is not None}
    return any(fragment is None for fragment in fragments), named


def _first(fragment: str) -> str:
    """Return the field of the whole document that a fragment begins with."""
    if not fragment.startswith("/"):
        return fragment
    return fragment[1:].partition("/")[0].replace("~1", "/").replace("~0", "~")


def _structure(content: object) -> Mapping[str, object] | None:
    """Return the fields of a document; None where it has none, and what is wanted of it is the whole."""
    if isinstance(content, bytes):
        try:
            content = content.decode()
        except UnicodeDecodeError:
            return None
    if isinstance(content, str):
        content, _ = parse_json(content)
    return {str(key): value for key, value in content.items()} if isinstance(content, Mapping) else None
