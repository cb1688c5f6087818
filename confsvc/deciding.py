"""Deciding each setting: from the top layer down, the first that has it wins, and an error is never an absence."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from confsvc import _json
from confsvc.adapter import Document
from confsvc.errors import AdapterError, ConfsvcError, Malformed, ManifestError, NotFound
from confsvc.extract import Fields, extract, fields_of, runs_code
from confsvc.fetching import Fetched
from confsvc.plan import Plan, Source, Template
from confsvc.reference import Reference
from confsvc.registry import adapter_class
from confsvc.resolution import Origin
from confsvc.schema import UNSET, Setting, default_raw
from confsvc.secret import Secret
from confsvc.template import FILTERS, Fill
from confsvc.types import Raw

__all__ = ["Absent", "Decider", "Failed", "Found", "Look"]


class Found(NamedTuple):
    """A layer has the setting."""

    raw: Secret[Raw]
    origin: Origin
    secret: bool


class Failed(NamedTuple):
    """A layer that may have the setting could not be read, or what it has cannot be used."""

    error: ConfsvcError
    reference: str
    place: tuple[str, ...] = ()


class Absent(NamedTuple):
    """A layer does not have the setting; ``why`` is what the backend said, where one was asked."""

    why: Failed | None = None


class Look(NamedTuple):
    """What one layer says of one setting, without its value.

    ``outcome`` is ``wins``, ``shadowed``, ``absent`` or ``failed``; ``why`` is what the backend said, where it said no.
    """

    layer: Origin
    outcome: str
    why: str = ""


Outcome = Found | Failed | Absent


class Decider:
    """Walks the layers of a plan for one setting after another, over what was fetched."""

    def __init__(self, plan: Plan, fetched: Fetched, place: Callable[[tuple[str, ...]], str]) -> None:
        self._plan = plan
        self._place = place
        self._fetched = fetched
        self._read_at = time.time()
        self._settled: dict[str, Outcome] = {}
        self.failed_sources: list[tuple[Source, ConfsvcError]] = []
        self.sources: list[tuple[Source, Fields | Failed | None]] = [
            (source, self._fields(source)) for source in plan.sources
        ]

    def decide(self, name: str) -> Outcome:
        """Return the outcome of the highest layer that has an opinion about the setting ``name``."""
        if name not in self._settled:
            # What the checks of the manifest could not see: a cycle through a value that another one shadows.
            self._settled[name] = Failed(ManifestError("values need each other in a circle"), "")
            self._settled[name] = self._first(name)
        return self._settled[name]

    def shadowed(self, name: str) -> tuple[Origin, ...]:
        """Return the origins of the lower layers that have it too; nothing unless they were all read for that."""
        if not self._plan.read_all:
            return ()
        origins = [outcome.origin for _, outcome in self._layers(name) if isinstance(outcome, Found)]
        return tuple(origins[1:])

    def looks(self, name: str) -> tuple[Look, ...]:
        """Return what every layer says, the highest first; nothing unless they were all read for that."""
        if not self._plan.read_all:
            return ()
        looks: list[Look] = []
        for layer, outcome in self._layers(name):
            decided = any(look.outcome != "absent" for look in looks)
            if isinstance(outcome, Found):
                looks.append(Look(layer, "shadowed" if decided else "wins"))
            elif isinstance(outcome, Failed):
                looks.append(Look(layer, "failed", describe(outcome.error)))
            else:
                looks.append(Look(layer, "absent", describe(outcome.why.error) if outcome.why else ""))
        return tuple(looks)

    def readable(self) -> list[tuple[Source, Fields]]:
        """Return the sources that were read, the highest first, with their fields."""
        return [(source, fields) for source, fields in self.sources if isinstance(fields, Fields)]

    def _first(self, name: str) -> Outcome:
        why: Failed | None = None
        for _, outcome in self._layers(name):
            if not isinstance(outcome, Absent):
                return outcome
            why = why or outcome.why
        return Absent(why)

    def _layers(self, name: str) -> Iterator[tuple[Origin, Outcome]]:
        """Yield each layer and what it says, the highest first."""
        plan = self._plan
        setting = plan.schema.settings.get(name) if plan.schema else None
        names = setting.names if setting else (name,)
        secret = setting.secret if setting else False
        for key in filter(plan.given.__contains__, names):
            layer = Origin("set")
            yield layer, Found(Secret(plan.given[key]), layer, secret)
        for key in filter(plan.process.__contains__, names):
            layer = Origin("environment", f"env://{key}")
            yield layer, Found(Secret(plan.process[key]), layer, secret)
        for template in plan.values.get(name, ()):
            yield self._written(template), self._evaluate(template, secret=secret)
        for source, fields in self.sources:
            yield Origin("source", str(source.reference)), self._from_source(source, fields, setting, names)
        if setting is not None and setting.default is not UNSET:
            layer = Origin("default")
            yield layer, Found(Secret(default_raw(setting)), layer, secret)

    def _from_source(
        self, source: Source, fields: Fields | Failed | None, setting: Setting | None, names: tuple[str, ...]
    ) -> Outcome:
        if not isinstance(fields, Fields):
            return fields or Absent()
        for name in names:
            if name not in fields.values:
                continue
            if name in fields.collisions:
                one, other = fields.collisions[name]
                error = Malformed(f"the fields `{one}` and `{other}` both become `{name}`")
                return Failed(error, str(source.reference), source.entry.path)
            if setting is None and not fields.verbatim and runs_code(name):
                message = "it would change how programs load code; declare it in [settings] if that is meant"
                return Failed(Malformed(message), str(source.reference), source.entry.path)
            # Who declares a setting says what is secret; what nobody declared is taken for a secret.
            secret = fields.document.secret or (setting.secret if setting else True)
            return Found(Secret(fields.values[name]), self._origin("source", source.reference, fields.document), secret)
        return Absent()

    def _origin(self, layer: str, reference: Reference, document: Document) -> Origin:
        since = document.kept_since
        found = Origin(layer, str(reference), document.version, self._read_at if since is None else since)
        return found._replace(lease=document.lease, made_at=document.made_at, cached=since is not None)

    def _fields(self, source: Source) -> Fields | Failed | None:
        """Return a source's fields, why it cannot be read, or None where it is not there."""
        document = self._fetched[source.reference.document]
        error: ConfsvcError | None
        if isinstance(document, Document):
            verbatim = adapter_class(self._plan.backends[source.reference.scheme].adapter).keeps_names
            fields, error = fields_of(document, source.reference, verbatim=verbatim)
            if fields is not None:
                return fields
        else:
            error = document
        if isinstance(error, NotFound):
            if not source.entry.optional:
                self.failed_sources.append((source, error))
            return None
        return Failed(error or Malformed("it has no fields"), str(source.reference), source.entry.path)

    def _evaluate(self, template: Template, *, secret: bool) -> Outcome:
        """Fill in a template. One that is nothing but a fill passes what it finds through as it is."""
        if not template.parts:
            return Found(Secret(template.literal), self._written(template), secret)
        pieces: list[bytes] = []
        origins: list[Origin] = []
        for part in template.parts:
            if isinstance(part, str):
                pieces.append(part.encode())
                continue
            outcome = self._fill(part, template)
            if not isinstance(outcome, Found):
                return outcome
            secret = secret or outcome.secret
            origins.append(outcome.origin)
            if len(template.parts) == 1 and not part.filters:
                origin = outcome.origin._replace(layer="values", place=self._written(template).place)
                return Found(outcome.raw, origin, secret)
            data = _as_bytes(outcome.raw.reveal())
            if data is None:
                error = Malformed("it is null, a list or an object, which cannot become part of a text")
                return Failed(error, part.target, template.place)
            for name in part.filters:
                data = FILTERS[name](data)
            pieces.append(data)
        text = _text(b"".join(pieces))
        return Found(Secret(text), _joined(origins, self._written(template)), secret)

    def _written(self, template: Template) -> Origin:
        """Return where a template is written: to the line only for those who asked to see everything."""
        return Origin("values", place=self._place(template.place) if self._plan.read_all else "")

    def _fill(self, part: Fill, template: Template) -> Outcome:
        if not part.is_reference:
            outcome = self.decide(part.target)
            if isinstance(outcome, Failed):
                return outcome._replace(place=template.place)
            return outcome
        reference = template.references[part.target]
        document = self._fetched[reference.document]
        if not isinstance(document, Document):
            failed = Failed(document, str(reference), template.place)
            return Absent(failed) if isinstance(document, NotFound) else failed
        raw, error = extract(document, reference)
        if error is None:
            return Found(Secret(raw), self._origin("values", reference, document), document.secret)
        failed = Failed(error, str(reference), template.place)
        return Absent(failed) if isinstance(error, NotFound) else failed


def _joined(origins: list[Origin], written: Origin) -> Origin:
    """Return the origin of a text that is made of several."""
    return written._replace(
        reference=" ".join(origin.reference for origin in origins if origin.reference),
        version=" ".join(origin.version for origin in origins if origin.version),
        read_at=min((origin.read_at for origin in origins if origin.read_at), default=None),
        cached=any(origin.cached for origin in origins),
        lease=next((origin.lease for origin in origins if origin.lease), None),
        made_at=max((origin.made_at for origin in origins if origin.made_at), default=None),
    )


def _as_bytes(raw: Raw) -> bytes | None:
    if isinstance(raw, bytes):
        return raw
    if raw is None or isinstance(raw, Mapping | list):
        return None
    return _json.to_text(raw).encode(errors="surrogateescape")


def _text(data: bytes) -> Raw:
    """Return text where it is text: a template that mixes in bytes which are not stays bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def describe(error: ConfsvcError) -> str:
    """Return an error's message with its kind in front: ``denied: role `shop` may not …``."""
    return f"{error.title}: {error.message}" if isinstance(error, AdapterError) else error.message
