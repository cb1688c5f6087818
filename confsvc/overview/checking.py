"""What a check says of one environment: each thing that was looked at, what is wrong with it, and where it is written.

It is made of a survey or of an inventory, holds no value, and is what people, JSON and CI's report formats are given.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from confsvc.errors import ConfsvcError, Problem, ResolutionError
from confsvc.manifest import KeyPath, Manifest
from confsvc.overview.inventory import Inventory, Item
from confsvc.overview.survey import Standing, Surveyed

__all__ = ["UNCHECKED", "Case", "Checked", "Finding", "check_documents", "check_settings", "findings"]

# What no call that reveals no value can tell.
UNCHECKED = ("fields", "values", "rights of the role that runs it")


class Case(NamedTuple):
    """One thing that was looked at: a setting, or a document. ``skipped`` says why it could not be."""

    name: str
    state: str
    problem: Problem | None = None
    skipped: str = ""


class Checked(NamedTuple):
    """One environment. ``error`` is None where all is well; ``data`` is what ``--json`` says of it.

    ``unchecked`` is what was not looked at anywhere in it.
    """

    environment: str
    cases: tuple[Case, ...]
    error: ConfsvcError | None
    data: dict[str, object]
    warnings: tuple[str, ...] = ()
    undeclared: int = 0
    unchecked: tuple[str, ...] = ()


class Finding(NamedTuple):
    """A problem with its place: ``file`` as people see it, ``line`` from 1; empty and 0 where nothing is near."""

    environment: str
    problem: Problem
    file: str
    line: int


def check_settings(found: Surveyed) -> Checked:
    """Return what a survey says: a case for each setting, and for each problem that is none's."""
    resolution = found.resolved.resolution if found.resolved else None
    warnings = resolution.warnings if resolution else ()
    undeclared = resolution.undeclared if resolution else 0
    data: dict[str, object] = {
        "environment": found.environment,
        "ok": found.error is None,
        "settings": [_setting_data(standing) for standing in found.settings.values()],
        "problems": [problem._asdict() for problem in found.problems],
        "undeclared": undeclared,
        "warnings": list(warnings),
    }
    cases = [Case(name, standing.state, standing.problem) for name, standing in found.settings.items()]
    named = {standing.problem for standing in found.settings.values()}
    cases += [_of_no_setting(problem, found.environment) for problem in found.problems if problem not in named]
    return Checked(found.environment, tuple(cases), found.error, data, warnings, undeclared)


def check_documents(found: Inventory) -> Checked:
    """Return what an inventory says: a case for each document."""
    problems = [item.problem for item in found.items if item.problem]
    error = found.error
    if problems:
        noun = "document" if len(found.items) == 1 else "documents"
        message = f"{len(problems)} of {len(found.items)} {noun} cannot be shown to exist for {found.environment}"
        error = ResolutionError(message, problems)
    data: dict[str, object] = {
        "environment": found.environment,
        "ok": error is None,
        "documents": [_item_data(item) for item in found.items],
        "problems": [problem._asdict() for problem in (error.problems if error else ())],
        "not_checked": list(UNCHECKED),
    }
    cases = [Case(str(item.reference), item.state, item.problem, item.note) for item in found.items]
    if found.error:
        cases += [_of_no_setting(problem, found.environment) for problem in found.error.problems]
    return Checked(found.environment, tuple(cases), error, data, unchecked=UNCHECKED)


def findings(checked: Sequence[Checked], manifest: Manifest) -> list[Finding]:
    """Return every problem of every environment with the place where it is best mended."""
    found = []
    for one in checked:
        problems = [case.problem for case in one.cases if case.problem]
        values = manifest.environment(one.environment).values if problems else {}
        paths = {name: entries[0].path for name, entries in values.items()}
        found += [Finding(one.environment, p, *_place(manifest, one.environment, p, paths)) for p in problems]
    return found


def _of_no_setting(problem: Problem, environment: str) -> Case:
    return Case(problem.reference or environment or "all together", "problem", problem)


def _setting_data(standing: Standing) -> dict[str, object]:
    return {
        "name": standing.name,
        "state": standing.state,
        "type": standing.kind,
        "layer": standing.layer,
        "reference": standing.reference,
        "version": standing.version,
        "secret": standing.secret,
    }


def _item_data(item: Item) -> dict[str, object]:
    return {
        "reference": str(item.reference),
        "state": item.state,
        "version": item.version,
        "time": item.time,
        "settings": list(item.settings),
        "note": item.note,
    }


def _place(manifest: Manifest, environment: str, problem: Problem, values: Mapping[str, KeyPath]) -> tuple[str, int]:
    """Return where a problem is written: what it says itself, else its value, its declaration, its environment."""
    file, _, line = problem.place.rpartition(":")
    if file and line.isdecimal():
        return file, int(line)
    paths = [values[problem.name]] if problem.name in values else []
    paths += [("settings", problem.name), ("schema",), ("environments", environment)]
    place = manifest.place(next((path for path in paths if manifest.has(path)), ()))
    file, _, line = place.rpartition(":")
    return (file, int(line)) if line.isdecimal() else (place, 0)
