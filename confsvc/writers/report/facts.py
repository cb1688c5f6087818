"""What a report tells: every setting in every environment, without any value."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from confsvc.errors import Problem
from confsvc.manifest import Manifest
from confsvc.overview.survey import PROBLEMS, Standing, Surveyed
from confsvc.schema import Schema

__all__ = ["Column", "Report", "Row", "report_data", "report_of"]


class Column(NamedTuple):
    """An environment. ``problems`` are all that is wrong with it; ``counts`` are its settings by state."""

    name: str
    problems: tuple[Problem, ...]
    counts: Mapping[str, int]


class Row(NamedTuple):
    """A setting, and how it stands in each environment, in the order of the columns; None where nothing is known."""

    name: str
    description: str
    kind: str
    secret: bool
    cells: tuple[Standing | None, ...]

    @property
    def differs(self) -> bool:
        """Whether its state is not the same everywhere."""
        return len({cell.state if cell else None for cell in self.cells}) > 1

    @property
    def has_problem(self) -> bool:
        """Whether a process would not start for it in one of them."""
        return any(cell is not None and cell.state in PROBLEMS for cell in self.cells)


class Report(NamedTuple):
    """The whole. ``at`` is when it was made, in seconds since the epoch."""

    project: str
    manifest: str
    at: float
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def report_of(manifest: Manifest, schema: Schema | None, found: Iterable[Surveyed], at: float) -> Report:
    """Put together what was ``found``; of each environment only what holds no value is kept."""
    columns, standings = [], []
    for one in found:
        counts: dict[str, int] = {}
        for standing in one.settings.values():
            counts[standing.state] = counts.get(standing.state, 0) + 1
        columns.append(Column(one.environment, one.problems, counts))
        standings.append(one.settings)
    declared = dict(schema.settings) if schema else {}
    rows = []
    for name in dict.fromkeys([*declared, *(name for settings in standings for name in settings)]):
        cells = tuple(settings.get(name) for settings in standings)
        setting = declared.get(name)
        known = next((cell for cell in cells if cell), None)
        kind = str(setting.type) if setting else known.kind if known else ""
        secret = any(cell.secret for cell in cells if cell) or bool(setting and setting.secret)
        rows.append(Row(name, setting.description if setting else "", kind, secret, cells))
    file = manifest.file.rpartition("/")[2]
    return Report(manifest.project, file, at, tuple(columns), tuple(rows))


def report_data(report: Report) -> dict[str, object]:
    """Return the report as JSON has it."""
    return {
        "project": report.project,
        "manifest": report.manifest,
        "at": report.at,
        "environments": [
            {
                "environment": column.name,
                "counts": dict(column.counts),
                "problems": [problem._asdict() for problem in column.problems],
            }
            for column in report.columns
        ],
        "settings": [
            {
                "name": row.name,
                "type": row.kind,
                "secret": row.secret,
                "differs": row.differs,
                "environments": {
                    column.name: _cell_data(cell) for column, cell in zip(report.columns, row.cells, strict=True)
                },
            }
            for row in report.rows
        ],
    }


def _cell_data(cell: Standing | None) -> dict[str, object] | None:
    if cell is None:
        return None
    return {
        "state": cell.state,
        "layer": cell.layer,
        "reference": cell.reference,
        "version": cell.version,
        "made_at": cell.made_at,
        "problem": cell.problem._asdict() if cell.problem else None,
    }
