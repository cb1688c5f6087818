"""From what was read to what a lock says of it."""

from collections.abc import Iterator, Sequence

from confsvc.adapter import Document
from confsvc.errors import ConfsvcError, NotFound, ResolutionError
from confsvc.extract import setting_name
from confsvc.fetching import Fetched
from confsvc.locking.pinning import pin
from confsvc.locking.records import LockedEnvironment, LockedSetting, Read
from confsvc.locking.references import value_references
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.resolution import Resolution

__all__ = ["lock_of"]


def lock_of(plan: Plan, fetched: Fetched, resolution: Resolution) -> LockedEnvironment:
    """Return what a lock says of ``resolution``, which is what ``plan`` came to.

    Raises:
        ResolutionError: something was not needed, but may be the next time, and could not be read.

    """
    _check(plan, fetched)
    work = _Work(plan, fetched)
    sources = tuple(work.source(source.reference) for source in reversed(plan.sources))
    names = dict.fromkeys([*(plan.schema.settings if plan.schema else ()), *resolution])
    return LockedEnvironment(sources, {name: work.setting(name, resolution) for name in names})


def _check(plan: Plan, fetched: Fetched) -> None:
    failed = [
        error.problem(reference=str(reference))
        for reference, error in fetched.items()
        if isinstance(error, ConfsvcError) and not isinstance(error, NotFound)
    ]
    if failed:
        raise ResolutionError(f"what {plan.environment} reads could not all be read, so it cannot be locked", failed)


class _Work:
    """Looks up what was read of a plan."""

    def __init__(self, plan: Plan, fetched: Fetched) -> None:
        self._plan = plan
        self._fetched = fetched
        self._fields: dict[Reference, dict[str, str]] = {}

    def source(self, reference: Reference) -> Read:
        """Return what was read of a source."""
        document = self._fetched[reference.document]
        if isinstance(document, Document) and document.parts:
            return Read(str(reference), document.version, "parts")
        return self._read(reference, document)

    def setting(self, name: str, resolution: Resolution) -> LockedSetting:
        """Return from where the setting ``name`` comes."""
        reads = [read for reference in value_references(self._plan, name) for read in self._reads(reference)]
        if name not in resolution:
            return LockedSetting("", tuple(reads))
        origin = resolution[name].origin
        if origin.layer == "source":
            reads.append(self._from_source(name, origin.reference))
        return LockedSetting(origin.layer, tuple(reads))

    def _from_source(self, name: str, text: str) -> Read:
        source = next(source for source in self._plan.sources if str(source.reference) == text)
        document = self._fetched[source.reference.document]
        if not (isinstance(document, Document) and document.parts):
            return self._read(source.reference, document)
        part = source.reference.fragment or self._field(source.reference, document, name)
        return self._part(source.reference, document, part)

    def _field(self, reference: Reference, document: Document, name: str) -> str:
        """Return the field of a tree that became the setting ``name``."""
        fields = self._fields.setdefault(reference, {setting_name(field): field for field in document.parts})
        return next(fields[one] for one in self._names(name) if one in fields)

    def _names(self, name: str) -> Sequence[str]:
        setting = self._plan.schema.settings.get(name) if self._plan.schema else None
        return setting.names if setting else (name,)

    def _reads(self, reference: Reference) -> Iterator[Read]:
        document = self._fetched[reference.document]
        if not (isinstance(document, Document) and document.parts):
            yield self._read(reference, document)
        elif reference.fragment is None:
            yield from (self._part(reference, document, part) for part in sorted(document.parts))
        else:
            yield self._part(reference, document, _first(reference.fragment))

    def _read(self, reference: Reference, document: Document | ConfsvcError) -> Read:
        text = str(reference)
        if not isinstance(document, Document):
            return Read(text, state="absent")
        if document.lease:
            return Read(text, state="leased")
        version = document.version
        is_kept = bool(version) and pin(self._plan, reference.document, version) is not None
        return Read(text, version, "" if is_kept else "unpinned")

    def _part(self, reference: Reference, document: Document, part: str) -> Read:
        version = document.parts.get(part, "")
        return Read(str(reference), version, "" if version else "absent", part)


def _first(fragment: str) -> str:
    """Return the field that a fragment begins with: it may be a JSON Pointer."""
    if not fragment.startswith("/"):
        return fragment
    return fragment[1:].partition("/")[0].replace("~1", "/").replace("~0", "~")
