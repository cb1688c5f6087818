"""What would change: each value checked by the schema, and compared with what is where it would be written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from confsvc._suggest import did_you_mean
from confsvc.adapter import Backend, Deadline
from confsvc.audit import Entry
from confsvc.errors import OutputError, Problem, ResolutionError, UsageError
from confsvc.fetching import Fetched, Pool, fetch_documents
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.resolver import Request, plan_request, trail_for
from confsvc.schema import Schema
from confsvc.secret import Secret
from confsvc.setting import Setting
from confsvc.types import Raw
from confsvc.writing.contents import Stored, is_same
from confsvc.writing.targets import Refused, Spot, Targets

__all__ = ["Changes", "Refused", "Row", "check_name", "check_values", "declared", "plan_changes"]


class Row(NamedTuple):
    """One setting to write. ``state`` is ``new``, ``different`` or ``same``."""

    name: str
    state: str
    spot: Spot
    value: Secret[Stored]


class Changes(NamedTuple):
    """What would be written, and what cannot be. ``fetched`` is what was there; ``strays`` are read from elsewhere."""

    environment: str
    rows: tuple[Row, ...]
    refused: tuple[Refused, ...]
    fetched: Fetched
    backends: Mapping[str, Backend]
    strays: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[Problem, ...]:
        """What a backend said no to: then nothing is known of what would be changed."""
        return tuple(one.problem for one in self.refused if one.is_failure)

    def only(self, *states: str) -> "Changes":
        """Return those in one of ``states``."""
        return self._replace(rows=tuple(row for row in self.rows if row.state in states))


def declared(request: Request) -> dict[str, Setting] | None:
    """Return the declared settings by every name they have; None where nothing is declared."""
    schema = request.schema or request.manifest.schema
    if schema is None:
        return None
    return {name: setting for setting in schema.settings.values() for name in setting.names}


def check_name(request: Request, name: str) -> None:
    """See that there is something to write a value to, before there is a value.

    Raises:
        UsageError: there is no such setting.
        UnknownEnvironmentError: there is no such environment.

    """
    request.manifest.choose(request.environment)
    _setting(request.schema or request.manifest.schema, name, extra=False)


def plan_changes(
    request: Request, values: Mapping[str, Secret[Stored]], pool: Pool, *, to: str = "", extra: bool = False
) -> Changes:
    """Find out what writing ``values`` to the environment of ``request`` would change. ``to`` says where.

    Raises:
        ResolutionError: values do not fit their settings.
        UsageError: there is no such setting, and not ``extra``.
        ManifestError: as `plan_request`; or ``to`` is no reference.
        OutputError: the audit trail cannot be written.

    """
    blank = request._replace(given={}, only=frozenset(), override=True, read_all=True)
    plan = plan_request(blank)
    settings = {name: _setting(plan.schema, name, extra=extra) for name in values}
    check_values(plan.schema, values, plan.environment)
    targets = Targets(request, plan, settings, to)
    trail = trail_for(request)
    failure = trail.check() if trail else None
    if failure:
        raise failure
    fetched = fetch_documents(targets.documents, targets.backends, Deadline(request.timeout), pool)
    found = {name: targets.find(name, fetched, pool) for name in values}
    rows = tuple(_row(name, spot, values[name]) for name, spot in found.items() if isinstance(spot, Spot))
    refused = (*(one for one in found.values() if isinstance(one, Refused)), *_clashes(rows))
    _record(request, plan, rows, refused)
    strays = tuple(name for name in values if not targets.reads(name))
    return Changes(plan.environment, rows, refused, fetched, targets.backends, strays)


def check_values(schema: Schema | None, values: Mapping[str, Secret[Stored]], environment: str) -> None:
    """Check each value by its own setting; rules across settings need all of them.

    Raises:
        ResolutionError: some do not fit.

    """
    known = schema.settings if schema else {}
    raws: dict[str, Raw] = {name: value.reveal() for name, value in values.items() if name in known}
    invalid = schema.validate(raws)[1] if schema and raws else []
    problems = [Problem(one.code, one.message, one.name, exit_status=65) for one in invalid if one.name in raws]
    if problems:
        noun = "value does" if len(problems) == 1 else "values do"
        where = f" of {environment}" if environment else ""
        raise ResolutionError(f"{len(problems)} {noun} not fit the settings{where}; nothing was written", problems)


def _setting(schema: Schema | None, name: str, *, extra: bool) -> Setting:
    known = schema.settings if schema else {}
    if name in known:
        return known[name]
    if schema is None or extra:
        return Setting(name)
    raise UsageError(f"no setting is called `{name}`{did_you_mean(name, known)}")


def _row(name: str, spot: Spot, value: Secret[Stored]) -> Row:
    if spot.current is None:
        return Row(name, "new", spot, value)
    return Row(name, "same" if is_same(spot.current.reveal(), value.reveal()) else "different", spot, value)


def _clashes(rows: Sequence[Row]) -> Iterator[Refused]:
    """Yield the rows that would be written where another one is, with another value."""
    taken: dict[tuple[Reference, str | None], Row] = {}
    parts = {row.spot.document for row in rows if row.spot.field is not None}
    for row in rows:
        other = taken.setdefault((row.spot.document, row.spot.field), row)
        if row.spot.field is None and row.spot.document in parts:
            message = "what it is read from is a document of which another setting reads a field"
        elif other.value != row.value:
            message = f"it is read from where `{other.name}` is, and would have another value"
        else:
            continue
        yield Refused(Problem("usage", message, row.name, row.spot.reference, exit_status=64), is_failure=True)


def _record(request: Request, plan: Plan, rows: Iterable[Row], refused: Iterable[Refused]) -> None:
    trail = trail_for(request)
    if trail is None:
        return
    entries = [Entry(row.name, "", row.spot.reference, row.spot.version) for row in rows]
    entries += [Entry(one.problem.name, "", one.problem.reference, "", one.problem.code) for one in refused]
    failure: OutputError | None = trail.write("compare", request.manifest.project, plan.environment, entries)
    if failure:
        raise failure
