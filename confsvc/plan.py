"""The plan: for one environment, which layers each setting has and which documents must be read. No I/O."""

from collections.abc import Mapping
from typing import NamedTuple

from confsvc import _json
from confsvc.adapter import Backend
from confsvc.errors import ManifestError, Problem
from confsvc.manifest import Environment, Manifest, SourceEntry
from confsvc.manifest_checks import read_reference
from confsvc.reference import Reference
from confsvc.schema import Schema
from confsvc.template import Fill, parse_template
from confsvc.types import Raw

__all__ = ["Pin", "Plan", "Source", "Template", "backend_of", "make_plan"]


class Source(NamedTuple):
    """A source, its reference filled in and parsed."""

    entry: SourceEntry
    reference: Reference


class Template(NamedTuple):
    """One value of ``values``: literal text and fills, or anything else TOML can say. ``place`` is file and line."""

    parts: tuple[str | Fill, ...]
    references: Mapping[str, Reference]
    literal: Raw
    place: tuple[str, ...]

    @property
    def is_certain(self) -> bool:
        """Whether it has a value whatever any backend says."""
        return not any(isinstance(part, Fill) for part in self.parts)

    @property
    def sole(self) -> Reference | None:
        """The reference whose value it is; None where it is made of more, or changes what it gets."""
        part = self.parts[0] if len(self.parts) == 1 else ""
        if isinstance(part, Fill) and part.is_reference and not part.filters:
            return self.references[part.target]
        return None


class Pin(NamedTuple):
    """What is read in the place of a document, as a lock says: another reference, one for each field, or nothing.

    ``version`` is the one that was locked, empty where none could be.
    """

    whole: Reference | None = None
    parts: Mapping[str, Reference] | None = None
    version: str = ""


class Plan(NamedTuple):
    """What will be read, and from where each setting is then taken.

    ``sources`` are highest first, and empty when nothing needs them. ``values`` are highest first for each name.
    ``documents`` are distinct, in the order first needed; with ``read_all`` those of shadowed layers too. ``schema`` is
    None when there is none. With ``pins``, ``documents`` are what the pins name in the place of those that are written.
    """

    environment: str
    schema: Schema | None
    only: frozenset[str]
    given: Mapping[str, str]
    process: Mapping[str, str]
    values: Mapping[str, tuple[Template, ...]]
    sources: tuple[Source, ...]
    documents: tuple[Reference, ...]
    backends: Mapping[str, Backend]
    read_all: bool
    pins: Mapping[Reference, Pin] = {}

    def wanted(self, name: str) -> bool:
        """Whether ``name`` is to be resolved."""
        return not self.only or name in self.only


def make_plan(  # noqa: PLR0913 - everything that decides what is read
    manifest: Manifest,
    environment: Environment,
    schema: Schema | None,
    *,
    given: Mapping[str, str],
    process: Mapping[str, str],
    environ: Mapping[str, str],
    only: frozenset[str] = frozenset(),
    read_all: bool = False,
) -> Plan:
    """Make the plan. ``given`` is ``--set``, ``process`` the process environment as far as it is a layer.

    A source is read only when some setting is not decided above it, or with ``read_all``.

    Raises:
        ManifestError: a value that no setting declares (a schema in code is known only now).

    """
    values = {name: _templates(manifest, environment, name) for name in environment.values}
    _check_names(manifest, environment, schema, values)
    decided = {**given, **process}
    names = schema.settings if schema else values
    pending = [n for n in names if n not in decided and (not only or n in only)]
    needed = _reachable(pending, values, decided)
    documents: dict[Reference, None] = {}
    for name in needed if not read_all else values:
        for template in values.get(name, ()):
            documents.update(dict.fromkeys(r.document for r in template.references.values()))
            if template.is_certain and not read_all:
                break
    sources: tuple[Source, ...] = ()
    if schema is None or read_all or any(not _certain(name, values) for name in needed):
        sources = tuple(reversed([_source(manifest, environment, entry) for entry in environment.sources]))
        documents.update(dict.fromkeys(source.reference.document for source in sources))
    backends = {r.scheme: backend_of(manifest, environment, r.scheme, environ) for r in documents}
    return Plan(environment.name, schema, only, given, process, values, sources, tuple(documents), backends, read_all)


def _certain(name: str, values: Mapping[str, tuple[Template, ...]]) -> bool:
    return any(template.is_certain for template in values.get(name, ()))


def _reachable(
    pending: list[str], values: Mapping[str, tuple[Template, ...]], decided: Mapping[str, str]
) -> dict[str, None]:
    """Return ``pending`` and every setting that a value of theirs needs, and theirs, and so on."""
    found: dict[str, None] = {}
    todo = list(reversed(pending))
    while todo:
        name = todo.pop()
        if name in found or name in decided:
            continue
        found[name] = None
        for template in values.get(name, ()):
            todo += [p.target for p in template.parts if isinstance(p, Fill) and not p.is_reference]
    return found


def _templates(manifest: Manifest, environment: Environment, name: str) -> tuple[Template, ...]:
    return tuple(_template(manifest, environment, e.value, e.path) for e in environment.values[name])


def _template(manifest: Manifest, environment: Environment, value: object, path: tuple[str, ...]) -> Template:
    if not isinstance(value, str):
        literal = value if isinstance(value, list | dict) else _json.to_text(value)
        return Template((), {}, literal, path)
    parts = tuple(parse_template(value))
    fills = [part.target for part in parts if isinstance(part, Fill) and part.is_reference]
    references = {target: _read(manifest, environment, target, path) for target in fills}
    return Template(parts, references, None, path)


def _source(manifest: Manifest, environment: Environment, entry: SourceEntry) -> Source:
    return Source(entry, _read(manifest, environment, entry.reference, entry.path))


def _read(manifest: Manifest, environment: Environment, text: str, path: tuple[str, ...]) -> Reference:
    reference, message = read_reference(manifest, environment, text)
    if reference is None:
        raise ManifestError(message, [_problem(manifest, message, path)])
    return reference


def _problem(manifest: Manifest, message: str, path: tuple[str, ...]) -> Problem:
    return Problem("manifest", message, place=manifest.place(path), exit_status=78)


def _check_names(
    manifest: Manifest, environment: Environment, schema: Schema | None, values: Mapping[str, tuple[Template, ...]]
) -> None:
    if schema is None or schema is manifest.schema:  # the manifest's own was checked with it
        return
    from confsvc._suggest import did_you_mean

    problems = []
    for name, templates in values.items():
        targets = [p.target for t in templates for p in t.parts if isinstance(p, Fill) and not p.is_reference]
        problems += [
            _problem(manifest, f"no setting is called `{n}`{did_you_mean(n, schema.settings)}", templates[0].place)
            for n in (name, *targets)
            if n not in schema.settings
        ]
    if problems:
        raise ManifestError(f"the values of `{environment.name}` do not fit the schema", problems)


def backend_of(manifest: Manifest, environment: Environment, name: str, environ: Mapping[str, str]) -> Backend:
    """Return the backend ``name`` as the environment ``environment`` has it."""
    options = dict(environment.backends.get(name, {}))
    adapter = str(options.pop("adapter", name))
    return Backend(name, adapter, options, manifest.directory, environ)
