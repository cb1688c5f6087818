"""What is kept of a document: the fields that somebody asks for, and nothing else."""

from collections.abc import Iterator, Mapping

from confsvc._json import parse
from confsvc.adapter import Document
from confsvc.extract import setting_name
from confsvc.plan import Plan, Source
from confsvc.reference import Reference
from confsvc.registry import adapter_class

__all__ = ["ALL", "is_local", "keeps_names", "prune", "wanted_of"]

ALL = "*"  # the whole document
# A field by its name, and fields by the name of the setting that they become.
_FIELD, _SETTING = "#", "="


def wanted_of(plan: Plan) -> dict[Reference, frozenset[str]]:
    """Return what ``plan`` takes from each document. It does not depend on what is decided elsewhere this time."""
    found: dict[Reference, set[str]] = {reference: set() for reference in plan.pins or plan.documents}
    references = [r for templates in plan.values.values() for t in templates for r in t.references.values()]
    for reference in references:
        if reference.document in found:
            found[reference.document].add(_part(reference))
    for source in plan.sources:
        if source.reference.document in found:
            found[source.reference.document].update(_of_source(plan, source))
    found = _pinned(plan, found) if plan.pins else found
    return {reference: frozenset({ALL} if ALL in parts else parts) for reference, parts in found.items()}


def _pinned(plan: Plan, wanted: Mapping[Reference, set[str]]) -> dict[Reference, set[str]]:
    """Return ``wanted`` by what is read in the place of each document: a version of it, or its fields one by one."""
    found: dict[Reference, set[str]] = {reference: set() for reference in plan.documents}
    for document, parts in wanted.items():
        instead = plan.pins[document]
        if instead.whole is not None:
            found[instead.whole].update(parts)
        for reference in (instead.parts or {}).values():
            found[reference].add(ALL)
    return found


def prune(document: Document, wanted: frozenset[str], *, verbatim: bool) -> Document:
    """Return ``document`` with what is ``wanted`` of it. ``verbatim`` says how its fields become settings."""
    content = document.content.reveal()
    if ALL in wanted:
        return document
    fields = content if isinstance(content, Mapping) else _fields_in(content)
    if fields is None:
        return document
    kept = {str(name): value for name, value in fields.items() if _is_wanted(str(name), wanted, verbatim=verbatim)}
    return Document(
        kept,
        version=document.version,
        secret=document.secret,
        notes=document.notes,
        made_at=document.made_at,
        parts={name: version for name, version in document.parts.items() if name in kept},
    )


def keeps_names(plan: Plan, reference: Reference) -> bool:
    """Tell whether the fields of ``reference`` become settings under the names they are written with."""
    return adapter_class(plan.backends[reference.scheme].adapter).keeps_names


def is_local(plan: Plan, reference: Reference) -> bool:
    """Tell whether ``reference`` is read from this machine: that is always read, and never kept."""
    return adapter_class(plan.backends[reference.scheme].adapter).local


def _of_source(plan: Plan, source: Source) -> Iterator[str]:
    if source.reference.fragment is not None:
        yield _part(source.reference)
    elif plan.schema is None or source.entry.inject_extra:
        yield ALL
    else:
        yield from (_SETTING + name for setting in plan.schema.settings.values() for name in setting.names)


def _part(reference: Reference) -> str:
    fragment = reference.fragment
    if fragment is None:
        return ALL
    if fragment.startswith("/"):
        fragment = fragment[1:].partition("/")[0].replace("~1", "/").replace("~0", "~")
    return _FIELD + fragment


def _is_wanted(field: str, wanted: frozenset[str], *, verbatim: bool) -> bool:
    name = field if verbatim else setting_name(field)
    return _FIELD + field in wanted or _SETTING + name in wanted


def _fields_in(content: object) -> Mapping[object, object] | None:
    """Return the fields of a text that is a JSON object, None where it is anything else."""
    if isinstance(content, bytes):
        try:
            content = content.decode()
        except UnicodeDecodeError:
            return None
    found, _ = parse(str(content))
    return found if isinstance(found, Mapping) else None
