"""Where a setting of an environment is written: the field it is read from, or the one it would be read from."""

from collections.abc import Mapping
from typing import NamedTuple

from confsvc.adapter import Backend, Document
from confsvc.deciding import describe
from confsvc.errors import ConfsvcError, Malformed, ManifestError, NotFound, Problem
from confsvc.extract import Fields, extract, fields_of
from confsvc.fetching import Fetched, Pool
from confsvc.manifest import Manifest
from confsvc.manifest_checks import read_reference
from confsvc.plan import Plan, Source, Template, backend_of
from confsvc.reference import Reference
from confsvc.registry import adapter_class
from confsvc.resolver import Request
from confsvc.secret import Secret
from confsvc.setting import Setting
from confsvc.template import Fill
from confsvc.types import Raw

__all__ = ["Refused", "Spot", "Targets"]

# Parameters that name one version: what they name cannot be written.
_PINS = frozenset({"version", "stage", "label"})


class Spot(NamedTuple):
    """A place for a value: a document, and a field of it, or all of it where ``field`` is None.

    ``current`` is what is there, None where nothing is.
    """

    document: Reference
    field: str | None
    version: str = ""
    current: Secret[Raw] | None = None

    @property
    def reference(self) -> str:
        """The reference that reads it."""
        return str(self.document._replace(fragment=self.field))


class Refused(NamedTuple):
    """Why a setting cannot be written. With ``is_failure`` a backend said no; else it is how it is written down."""

    problem: Problem
    is_failure: bool = False


class Targets:
    """Finds where settings are written. What has to be read for that is in ``documents``, as `find` needs it read."""

    def __init__(self, request: Request, plan: Plan, settings: Mapping[str, Setting], to: str = "") -> None:
        self._manifest: Manifest = request.manifest
        self._environment = request.manifest.environment(plan.environment)
        self._plan = plan
        self._settings = settings
        self._to = self._read(to) if to else None
        self.backends: dict[str, Backend] = dict(plan.backends)
        if self._to:
            scheme = self._to.scheme
            self.backends[scheme] = backend_of(self._manifest, self._environment, scheme, request.environ)
        self._templates = {name: self._template(name) for name in settings}
        self._known: dict[Reference, tuple[Fields | None, ConfsvcError | None]] = {}

    @property
    def documents(self) -> tuple[Reference, ...]:
        """The documents that tell where ``settings`` are written."""
        if self._to:
            return (self._to.document,)
        direct = [found.document for found in self._templates.values() if isinstance(found, Reference)]
        sources = [source.reference.document for source in self._plan.sources]
        return tuple(dict.fromkeys([*direct, *(sources if None in self._templates.values() else [])]))

    def find(self, name: str, fetched: Fetched, pool: Pool) -> Spot | Refused:
        """Return where the setting ``name`` is written."""
        setting = self._settings[name]
        if self._to:
            return self._at(self._to, setting, fetched, pool)
        template = self._templates[name]
        if isinstance(template, Refused):
            return template
        if template is not None:
            return self._fixed(template, setting, fetched)
        return self._in_sources(setting, fetched, pool)

    def reads(self, name: str) -> bool:
        """Tell whether the environment takes ``name`` from where ``to`` says, as far as can be told without asking."""
        if self._to is None:
            return True
        template = self._templates[name]
        if template is not None:
            return template == self._to
        return self._to.document in {source.reference.document for source in self._plan.sources}

    def _read(self, text: str) -> Reference:
        reference, message = read_reference(self._manifest, self._environment, text)
        if reference is None:
            raise ManifestError(message)
        return reference

    def _template(self, name: str) -> Reference | Refused | None:
        """Return the one reference that the environment's own value is made of; None where it has no such value."""
        template = next(iter(self._plan.values.get(name, ())), None)
        if template is None:
            return None
        return template.sole or self._built(name, template)

    def _built(self, name: str, template: Template) -> Refused:
        fills = [part for part in template.parts if isinstance(part, Fill)]
        targets = [str(template.references[one.target]) if one.is_reference else one.target for one in fills]
        where = f"the environment's `values` ({self._manifest.place(template.place)})"
        if targets:
            message = f"{where} make it of several parts"
            hint = f"write what it is made of: {', '.join(f'`{target}`' for target in targets)}"
        else:
            message = f"{where} say it, so no backend has it"
            hint = "change it there"
        return Refused(Problem("usage", message, name, hint=hint, exit_status=64))

    def _fixed(self, reference: Reference, setting: Setting, fetched: Fetched) -> Spot | Refused:
        """Return the spot that a reference names."""
        if _is_pinned(reference):
            return _refused(setting, reference, "it is pinned to a version, which cannot change")
        outcome = fetched[reference.document]
        if not isinstance(outcome, Document):
            is_absent = isinstance(outcome, NotFound)
            return Spot(reference.document, reference.fragment) if is_absent else _failed(setting, reference, outcome)
        raw, error = extract(outcome, reference)
        if error is not None and not isinstance(error, NotFound):
            return _failed(setting, reference, error)
        current = Secret(raw) if error is None else None
        return Spot(reference.document, reference.fragment, outcome.version, current)

    def _in_sources(self, setting: Setting, fetched: Fetched, pool: Pool) -> Spot | Refused:
        """Return the field of the highest source that has it, else a new one in the highest that can be written."""
        free: tuple[Source, Fields | None] | None = None
        for source in self._plan.sources:
            reference = source.reference
            outcome = fetched[reference.document]
            fields, error = self._fields(reference, outcome)
            if error is not None and not isinstance(error, NotFound):
                return _failed(setting, reference, error)
            can_write = self._is_storer(reference, pool) and not _is_pinned(reference)
            if fields is not None and any(name in fields.values for name in setting.names):
                return self._existing(reference, setting, fields, pool) if can_write else _shadowed(setting, reference)
            if free is None and can_write and _selects(reference, self._field(reference, setting)):
                free = (source, fields)
        if free is None:
            message = "no source of the environment can be written" if self._plan.sources else "it has no sources"
            return Refused(Problem("usage", message, setting.name, hint="--to REF says where", exit_status=64))
        return self._new(free[0].reference, setting, free[1], pool)

    def _fields(self, reference: Reference, outcome: object) -> tuple[Fields | None, ConfsvcError | None]:
        if not isinstance(outcome, Document):
            return None, outcome if isinstance(outcome, ConfsvcError) else None
        if reference not in self._known:
            self._known[reference] = fields_of(outcome, reference, verbatim=self._verbatim(reference))
        return self._known[reference]

    def _at(self, reference: Reference, setting: Setting, fetched: Fetched, pool: Pool) -> Spot | Refused:
        """Return the spot that ``--to`` says: what it names, or a field by the setting's name."""
        if not self._is_storer(reference, pool):
            return _refused(setting, reference, "it cannot be written")
        outcome = fetched[reference.document]
        sources = {source.reference for source in self._plan.sources}
        merges = self._merges(reference, pool)
        if reference.fragment is not None and reference not in sources:
            return self._fixed(reference, setting, fetched)
        fields, error = self._fields(reference, outcome)
        if isinstance(error, Malformed) and isinstance(outcome, Document):  # a text, which is written whole
            return self._fixed(reference, setting, fetched)
        if error is not None and not isinstance(error, NotFound):
            return _failed(setting, reference, error)
        if fields is None and not (reference in sources or merges or reference.is_tree):
            return self._fixed(reference, setting, fetched)
        if fields is not None and any(name in fields.values for name in setting.names):
            return self._existing(reference, setting, fields, pool)
        return self._new(reference, setting, fields, pool)

    def _existing(self, reference: Reference, setting: Setting, fields: Fields, pool: Pool) -> Spot | Refused:
        name = next(name for name in setting.names if name in fields.values)
        if name in fields.collisions:
            one, other = fields.collisions[name]
            return _refused(setting, reference, f"the fields `{one}` and `{other}` both become `{name}`")
        current = Secret(fields.values[name])
        return self._spot(reference, fields.owners[name], pool)._replace(
            version=fields.document.version, current=current
        )

    def _new(self, reference: Reference, setting: Setting, fields: Fields | None, pool: Pool) -> Spot:
        spot = self._spot(reference, self._field(reference, setting), pool)
        return spot._replace(version=fields.document.version if fields else "")

    def _field(self, reference: Reference, setting: Setting) -> str:
        """Return what a new field is called."""
        return setting.name if self._verbatim(reference) else setting.name.lower()

    def _spot(self, reference: Reference, field: str, pool: Pool) -> Spot:
        adapter = pool.take(self.backends[reference.scheme])
        member = getattr(adapter, "member", None)
        if reference.is_tree and callable(member):
            return Spot(member(reference, field), None)
        if reference.fragment is not None:  # the source is a part of a document
            inner = reference.fragment if reference.fragment.startswith("/") else "/" + _escaped(reference.fragment)
            return Spot(reference.document, f"{inner}/{_escaped(field)}")
        return Spot(reference.document, "/" + _escaped(field) if field.startswith("/") else field)

    def _is_storer(self, reference: Reference, pool: Pool) -> bool:
        return callable(getattr(pool.take(self.backends[reference.scheme]), "store", None))

    def _merges(self, reference: Reference, pool: Pool) -> bool:
        return bool(getattr(pool.take(self.backends[reference.scheme]), "merges", False))

    def _verbatim(self, reference: Reference) -> bool:
        return adapter_class(self.backends[reference.scheme].adapter).keeps_names


def _is_pinned(reference: Reference) -> bool:
    return any(name in _PINS for name, _ in reference.parameters)


def _selects(reference: Reference, field: str) -> bool:
    """Tell whether a source reads a new ``field``, as far as that can be told: what a filter takes, its store knows."""
    return field.startswith(reference.parameter("prefix")) and not reference.parameter("filter")


def _escaped(field: str) -> str:
    """Return a field as a step of a JSON Pointer."""
    return field.replace("~", "~0").replace("/", "~1")


def _failed(setting: Setting, reference: Reference, error: object) -> Refused:
    known = error if isinstance(error, ConfsvcError) else Malformed("it gave no outcome")
    problem = known.problem(name=setting.name, reference=str(reference))
    return Refused(problem._replace(message=describe(known)), is_failure=True)


def _refused(setting: Setting, reference: Reference, message: str) -> Refused:
    hint = "--to REF says where else"
    return Refused(Problem("usage", message, setting.name, str(reference), "", hint, exit_status=64))


def _shadowed(setting: Setting, reference: Reference) -> Refused:
    return _refused(setting, reference, "it is read from here, which cannot be written")
