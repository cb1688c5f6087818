"""``confsvc diff``: in which settings two environments differ, or an environment and what was locked of it."""

import argparse
import os
from collections.abc import Sequence

from confsvc._suggest import did_you_mean
from confsvc.cli import output
from confsvc.cli.differences import data_of, tell
from confsvc.cli.options import Parser, given_of, look, positive_seconds
from confsvc.discovery import display
from confsvc.errors import LockError, UsageError
from confsvc.finding import make_request
from confsvc.locking import Lock, read_lock
from confsvc.locking.pinning import locked_environment
from confsvc.overview.comparing import ASPECTS, Column, Comparer, column_of_lock
from confsvc.overview.survey import survey_all
from confsvc.resolver import TIMEOUT, Request

__all__ = ["main", "parser"]

_DISORDER = 65


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "diff",
        "Show the settings that differ between two environments, by presence, type, source, version and value, or\n"
        "between an environment and the versions that a lock file has of it. No value is shown, and the process\n"
        "environment, which is neither's, decides nothing. Ends with 0 when nothing differs but what --expect lists,\n"
        "1 when something does, else as `exec` would.",
        "A B [--expect A,B] [-f FILE] [options]",
    )
    made.add_argument("one", metavar="A", help="an environment")
    made.add_argument("other", metavar="B", help="another one, or a lock file")
    group = made.add_argument_group("comparing")
    group.add_argument("--expect", metavar="A,B", action="append", default=[], help="these should differ, and must")
    group.add_argument(
        "--by", dest="aspects", metavar="A,B", action="append", default=[], help=f"count only {', '.join(ASPECTS)}"
    )
    group.add_argument("--reveal", action="store_true", help="show values that are no secret")
    group = made.add_argument_group("manifest")
    group.add_argument("-f", "--file", metavar="FILE", help="the manifest; else CONFSVC_FILE, else searched upward")
    group = made.add_argument_group("resolving")
    group.add_argument("-s", "--schema", metavar="MOD:NAME", help="a pydantic model or dataclass as the schema")
    group.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="decide one setting in both")
    group.add_argument("--only", metavar="A,B", action="append", default=[], help="compare these settings alone")
    group.add_argument("--timeout", metavar="TIME", help=f"for everything together, default {TIMEOUT:g}s")
    group.add_argument("--offline", action="store_true", help="ask no store: the last good settings are compared")
    return made


def main(argv: list[str]) -> int:
    """Compare, and return the exit status."""
    args = parser().parse_args(argv)
    request = _request(args)
    by = _names("--by", args.aspects) or ASPECTS
    for name in by:
        if name not in ASPECTS:
            raise UsageError(f"--by takes {', '.join(ASPECTS)}, not `{name}`{did_you_mean(name, ASPECTS)}")
    comparer = Comparer(reveal=args.reveal)
    one, other = _columns(comparer, request, args)
    expected = _names("--expect", args.expect)
    _check_expected(expected, request, one, other)
    found = comparer.compare(one, other, expected=expected, by=by)
    for column in (one, other):
        if column.error is not None and not output.is_json():
            output.report(column.error)
    if output.is_json():
        output.write_json(data_of(one, other, found, reveal=args.reveal))
    else:
        tell(one, other, found)
    statuses = [column.error.exit_status for column in (one, other) if column.error]
    return output.verdict([*statuses, *(_DISORDER for item in found if item.verdict in {"differs", "alike"})])


def _request(args: argparse.Namespace) -> Request:
    if args.file == "":
        raise UsageError("-f names nothing")
    only = _names("--only", args.only)
    return make_request(
        file=args.file or "",
        schema=args.schema,
        given=given_of(args.set),
        only=only,
        override=True,
        timeout=positive_seconds("--timeout", args.timeout, TIMEOUT),
        by=args.by,
        offline=args.offline,
    )


def _names(option: str, texts: Sequence[str]) -> list[str]:
    names = [name for text in texts for name in text.split(",") if name]
    if texts and not names:
        raise UsageError(f"{option} names nothing")
    return names


def _columns(comparer: Comparer, request: Request, args: argparse.Namespace) -> tuple[Column, Column]:
    """Read both sides in one pass."""
    manifest = request.manifest
    sides = [side if side in manifest.environments else _lock(side, request) for side in (args.one, args.other)]
    names = [side for side in sides if isinstance(side, str)]
    if not names:
        raise UsageError("one of the two must be an environment", hint=f"one of: {', '.join(manifest.environments)}")
    if sides[0] == sides[1]:
        raise UsageError(f"`{names[0]}` is compared with itself")
    labels = [side if isinstance(side, str) else display(side.file) for side in sides]
    requests = [
        request._replace(environment=side if isinstance(side, str) else names[0])._replace(
            lock=None if isinstance(side, str) else side
        )
        for side in sides
    ]
    for one in requests:
        _warn_of_unpinned(one)
    columns = [comparer.column(label, found) for label, found in zip(labels, look(survey_all(requests)), strict=True)]
    return _or_records(columns[0], requests[0]), _or_records(columns[1], requests[1])


def _lock(side: str, request: Request) -> Lock:
    """Read the lock that ``side`` names; what looks like none is an environment that is unknown."""
    if not side:
        raise UsageError("the name of one of the two is empty")
    if not (os.path.lexists(side) or "/" in side or side.endswith(".lock")):
        request.manifest.choose(side)
    return read_lock(side, request.manifest.project)


def _warn_of_unpinned(request: Request) -> None:
    """Say of what nothing older can be read: it is compared with itself."""
    if request.lock is None:
        return
    reads = locked_environment(request.lock, request.environment).reads()
    for document in dict.fromkeys(read.document for _, read in reads if read.state == "unpinned"):
        output.warn(f"`{document}` keeps no earlier versions: what it holds now stands on both sides")


def _or_records(column: Column, request: Request) -> Column:
    """Return ``column``; where the manifest is not the one that was locked, what stands in the lock instead."""
    if request.lock is None or not isinstance(column.error, LockError) or column.plan is not None:
        return column
    return column_of_lock(column.name, locked_environment(request.lock, request.environment), column.error)


def _check_expected(expected: Sequence[str], request: Request, one: Column, other: Column) -> None:
    schema = request.schema or request.manifest.schema
    known = {*one.sides, *other.sides, *(schema.settings if schema else ())}
    for name in expected:
        if name not in known and not (one.error or other.error):
            raise UsageError(f"--expect: no setting is called `{name}`{did_you_mean(name, known)}")
