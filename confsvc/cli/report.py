"""``confsvc report``: all settings in all environments, on one page. No value is in it."""

import argparse
import os
import time

from confsvc.cli import output
from confsvc.cli.options import Parser, look, request_of
from confsvc.errors import OutputError, UsageError
from confsvc.inject.files import write_file
from confsvc.overview.survey import survey
from confsvc.writers.report import Report, page, report_data, report_of

__all__ = ["main", "parser"]


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "report",
        "Write one HTML page that shows how each setting stands in each environment: present, missing, invalid, from\n"
        "where, in which version, how old. It needs no other file, makes no request, and no value is in it.",
        "-o FILE [-e ENV]… [-f FILE] [--force] [options]",
    )
    made.resolve_options()
    group = made.add_argument_group("where to")
    group.add_argument("-o", "--output", metavar="FILE", help="the page; `-` is stdout. Readable by its owner alone")
    group.add_argument("--force", action="store_true", help="replace a file that is there")
    return made


def main(argv: list[str]) -> int:
    """Write it. Ends with 0 when it was written, whatever it tells."""
    args = parser().parse_args(argv)
    _check(args)
    request = request_of(args)
    # -e alone chooses: the environment that a shell is in is no reason to leave the others out.
    names = [args.env] if args.env else list(request.manifest.environments or ("",))
    if len(names) > 1:  # what this process has is that of one of them at most
        request = request._replace(override=True)
    found = look(survey(request, names))
    report = report_of(request.manifest, request.schema or request.manifest.schema, found, time.time())
    if args.output is not None:
        _write(args, report)
    if output.is_json():
        output.write_json(report_data(report))
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.output is None and not output.is_json():
        raise UsageError("where is the page to be written?", hint="-o report.html; `-o -` prints it, --json its data")
    if args.offline:
        raise UsageError("a report tells what the stores say; with --offline nobody asks them")
    if args.output == "":
        raise UsageError("--output takes the name of a file, and it is empty")
    if args.output == "-" and output.is_json():
        raise UsageError("stdout takes the page or its data, not both", hint="-o FILE")
    if args.output in {None, "-"}:
        return
    if os.path.isdir(args.output):
        raise OutputError(f"`{args.output}` cannot be written: it is a folder")
    if os.path.lexists(args.output) and not args.force:
        raise OutputError(f"`{args.output}` is there already", hint="--force replaces it")


def _write(args: argparse.Namespace, report: Report) -> None:
    if args.output == "-":
        output.write(page(report))
        return
    write_file(args.output, page(report).encode())
    wrong = [column.name for column in report.columns if column.problems]
    settings, environments = output.count(len(report.rows), "setting"), output.count(len(report.columns), "environment")
    trouble = f"; problems in {', '.join(wrong)}" if wrong else ""
    output.inform(f"wrote {args.output}: {settings}, {environments}{trouble}", file=args.output, problems=wrong)
