"""What `set`, `copy` and `import` have in common: what would change, consent, writing, and telling what came of it."""

import argparse
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from confsvc.cli import output
from confsvc.cli.options import Parser, positive_seconds
from confsvc.errors import OutputError, Problem, ResolutionError, UsageError
from confsvc.fetching import Pool
from confsvc.finding import make_request
from confsvc.resolver import TIMEOUT, Request
from confsvc.secret import Secret
from confsvc.writing import Changes, Row, Written, apply_changes, plan_changes

__all__ = ["Skipped", "asking_options", "carry_out", "request_to_write", "writing_options"]

_MUCH = 10  # documents, from which on a terminal shows how far it has come
_FEW = 5  # names that are spelled out in one line


class Skipped(NamedTuple):
    """A name that is not written, and why. It holds no value."""

    name: str
    reason: str


def writing_options(parser: Parser, *, environment: bool = True) -> None:
    """Add what says where to write, and ``--dry-run``."""
    parser.manifest_options(environment=environment)
    group = parser.add_argument_group("writing")
    group.add_argument("-s", "--schema", metavar="MOD:NAME", help="a pydantic model or dataclass as the schema")
    group.add_argument("--timeout", metavar="TIME", help=f"for reading, and for each document, default {TIMEOUT:g}s")
    group.add_argument("--dry-run", action="store_true", help="show what would change, by names and versions, and end")


def asking_options(parser: Parser) -> None:
    """Add what answers the question beforehand."""
    group = parser.add_argument_group("consent")
    group.add_argument("-y", "--yes", action="store_true", help="do not ask; overwrite what is different")
    group.add_argument("--new", action="store_true", help="write only what is not there yet")


def request_to_write(args: argparse.Namespace, environment: str | None) -> Request:
    """Return the request for an environment that is written to, or copied: its stores are asked, and nobody else."""
    for option, text in (("-e", environment), ("-f", args.file)):
        if text == "":
            raise UsageError(f"{option} names nothing")
    return make_request(
        environment=environment or "",
        file=args.file or "",
        schema=args.schema,
        override=True,
        cache=False,
        timeout=positive_seconds("--timeout", args.timeout, TIMEOUT),
        by=args.by,
    )._replace(alone=True)


def carry_out(
    args: argparse.Namespace,
    request: Request,
    values: Mapping[str, Secret[str | bytes]],
    *,
    to: str = "",
    extra: bool = False,
    skipped: Sequence[Skipped] | None = None,
) -> int:
    """Write ``values``, or show what would change, and tell it. Returns the exit status.

    ``skipped`` are what was left out beforehand; with it, what cannot be written is left out too. Without it, that
    is an error, and what is different needs no consent: each name was written down by somebody.

    Raises:
        ResolutionError: something cannot be read, does not fit, or was not written.
        UsageError: something would be overwritten, and nobody said that it may be.
        OutputError: the audit trail cannot be written.

    """
    pool = Pool(keeps=True)
    try:
        changes = plan_changes(request, values, pool, to=to, extra=extra)
        left_out = [*(skipped or ()), *_unwritable(changes, is_strict=skipped is None)]
        for name in changes.strays:
            output.warn(f"{changes.environment or 'the environment'} does not read `{name}` from there")
        if getattr(args, "new", False):
            changes = changes.only("new", "same")
        is_asking = skipped is not None
        if not output.is_json() and (is_asking or args.dry_run):
            _show(_table(changes.rows, left_out))
        if args.dry_run or (is_asking and not _has_consent(args, changes)):
            _tell([], changes, left_out, is_dry=args.dry_run)
            return 0 if args.dry_run else 1
        done = apply_changes(request, changes, pool, _progress(changes.environment))
    finally:
        pool.close()
    output.end_progress()
    try:
        _tell(done, changes, left_out, is_dry=False)
    except BrokenPipeError:
        output.note("nobody reads what was written")  # what was not must be told all the same
    _raise(done, changes)
    return 0


def _show(table: str) -> None:
    """Show what is going to change. Where nobody can see it, nothing does."""
    is_unseen = False
    try:
        output.write(table)
    except BrokenPipeError:
        is_unseen = True
    if is_unseen:
        raise OutputError("stdout is closed, so nothing was written")


def _unwritable(changes: Changes, *, is_strict: bool) -> list[Skipped]:
    """Return what cannot be written as it is written down. Where a backend said no, nothing is."""
    problems = changes.failures or tuple(one.problem for one in changes.refused if is_strict)
    if problems:
        total = len(changes.rows) + len(changes.refused)
        raise ResolutionError(
            f"{_counted(len(problems), total)} cannot be written{_to(changes)}; nothing was written", problems
        )
    return [Skipped(one.problem.name, one.problem.message) for one in changes.refused]


def _has_consent(args: argparse.Namespace, changes: Changes) -> bool:
    """Ask on a terminal. Without one, what is new may be written, and what is different needs ``--yes``."""
    writes = [row for row in changes.rows if row.state != "same"]
    over = [row.name for row in writes if row.state == "different"]
    if args.yes or not writes:
        return True
    if output.can_ask():
        lost = f", {len(over)} of them over another value" if over else ""
        return output.ask(f"write {output.count(len(writes), 'setting')}{_to(changes)}{lost}?")
    if over:
        what = "a setting" if len(over) == 1 else f"{len(over)} settings"
        raise UsageError(
            f"{what} of {changes.environment or 'the environment'} would be overwritten, so nothing was written: "
            + _names(over),
            hint="--yes overwrites, --new writes only what is not there, --dry-run shows what would change",
        )
    return True


def _progress(environment: str) -> "output.Bar":
    return output.Bar(f"writing {environment}".strip(), least=_MUCH)


def _table(rows: Sequence[Row], skipped: Sequence[Skipped]) -> str:
    lines = [("setting", "change", "where", "version now")]
    lines += [(row.name, row.state, row.spot.reference, row.spot.version) for row in rows]
    lines += [(one.name, "left out", one.reason, "") for one in skipped]
    return output.table(lines) + "\n" if len(lines) > 1 else ""


def _tell(done: Sequence[Written], changes: Changes, skipped: Sequence[Skipped], *, is_dry: bool) -> None:
    if output.is_json():
        by_name = {row.name: one for one in done for row in one.rows}
        output.write_json(
            {
                "environment": changes.environment,
                "dry_run": is_dry,
                "settings": [_data(row, by_name.get(row.name)) for row in changes.rows],
                "left_out": [one._asdict() for one in skipped],
            }
        )
        return
    for one in done:
        if one.error is None:
            where = one.rows[0].spot.reference if len(one.rows) == 1 else str(one.rows[0].spot.document)
            version = f", version {one.version}" if one.version else ""
            output.write(f"wrote {_names([row.name for row in one.rows])} to {where}{version}\n")
    if not is_dry and not done:
        same = [row.name for row in changes.rows if row.state == "same"]
        why = f": {_names(same)} {'is' if len(same) == 1 else 'are'} the same already" if same else ""
        output.write(f"nothing was written{why}\n")


def _data(row: Row, written: Written | None) -> dict[str, object]:
    is_written = written is not None and written.error is None
    return {
        "name": row.name,
        "change": row.state,
        "reference": row.spot.reference,
        "version": written.version if written and is_written else row.spot.version,
        "written": is_written,
        "code": written.error.code if written and written.error else "",
    }


def _raise(done: Sequence[Written], changes: Changes) -> None:
    problems: list[Problem] = [problem for one in done for problem in one.problems]
    unrecorded = next((one.unrecorded for one in done if one.unrecorded), None)
    if unrecorded:
        raise unrecorded
    if problems:
        total = sum(row.state != "same" for row in changes.rows)
        raise ResolutionError(
            f"{_counted(len(problems), total)} {'was' if len(problems) == 1 else 'were'} not written{_to(changes)}",
            problems,
            hint="run it again when that is mended: what was written is not written twice",
        )


def _counted(number: int, total: int) -> str:
    return output.count(number, "setting") if total == 1 else f"{number} of {total} settings"


def _to(changes: Changes) -> str:
    return f" to {changes.environment}" if changes.environment else ""


def _names(names: Sequence[str]) -> str:
    if len(names) > _FEW:
        return f"{len(names)} settings"
    return ", ".join(f"`{name}`" for name in names)
