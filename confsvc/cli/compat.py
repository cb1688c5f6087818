"""``confsvc compat``: would the old artifact start on the new configuration, and the new one on the old?"""

import argparse
from collections.abc import Sequence
from functools import cache

from confsvc._suggest import did_you_mean
from confsvc.adapter import on_progress
from confsvc.cli import output
from confsvc.cli.options import Parser, positive_seconds
from confsvc.compat.comparing import NEW_ON_OLD, OLD_ON_NEW, Finding, compare
from confsvc.compat.live import Stand, stand_of
from confsvc.compat.sides import Side, read_side
from confsvc.discovery import display
from confsvc.errors import UsageError
from confsvc.finding import find_and_load
from confsvc.resolver import TIMEOUT

__all__ = ["main", "parser"]

_WAYS = {NEW_ON_OLD: "the new version on the old configuration", OLD_ON_NEW: "the old version on the new configuration"}


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "compat",
        "Compare the settings of two versions: would the new one start on the old configuration, so that it can be\n"
        "deployed, and the old one on the new, so that it can be rolled back? OLD and NEW are files, revisions of git\n"
        "(HEAD~1, v1.2:path/confsvc.toml), or models (package.module:Name); NEW is the manifest here if left out.\n"
        "Ends with 0 when nothing breaks, 1 when something does. With -e, what the environment holds decides.",
        "OLD [NEW] [-e ENV]… [options]",
    )
    made.add_argument("old", metavar="OLD", help="the version that runs now")
    made.add_argument("new", metavar="NEW", nargs="?", help="the version to deploy; else the manifest here")
    group = made.add_argument_group("comparing")
    group.add_argument(
        "-f", "--file", metavar="FILE", help="the manifest here; else CONFSVC_FILE, else searched upward"
    )
    group.add_argument("-e", "--env", metavar="ENV", action="append", default=[], help="does each fit what ENV holds?")
    group.add_argument("--accept", metavar="A,B", action="append", default=[], help="settings whose changes are fine")
    group.add_argument("--timeout", metavar="TIME", help=f"for each environment, default {TIMEOUT:g}s")
    return made


def main(argv: list[str]) -> int:
    """Compare, and return the exit status."""
    args = parser().parse_args(argv)
    accepted = _accepted(args)
    find = cache(lambda: find_and_load(args.file or ""))
    new = read_side(args.new, find) if args.new else read_side(display(find().file), find)
    old = read_side(args.old, find)
    findings = compare(old.settings, new.settings)
    _check_accepted(accepted, findings, [*old.settings, *new.settings])
    on_progress(output.show_progress)
    timeout = positive_seconds("--timeout", args.timeout, TIMEOUT)
    stands = [stand_of(side, name, timeout) for name in args.env for side in (old, new)]
    output.end_progress()
    breaking = [one for one in findings if one.breaks and one.name not in accepted]
    if output.is_json():
        output.write_json(_data(old, new, findings, breaking, stands))
    else:
        _print(old, new, findings, breaking, stands)
    return _status(breaking, stands)


def _accepted(args: argparse.Namespace) -> frozenset[str]:
    for option, texts in (("-e", args.env), ("--accept", args.accept), ("-f", [args.file])):
        if "" in texts:
            raise UsageError(f"{option} names nothing")
    for name, text in (("OLD", args.old), ("NEW", args.new)):
        if text == "":
            raise UsageError(f"{name} is empty")
    return frozenset(name for names in args.accept for name in names.split(",") if name)


def _check_accepted(accepted: frozenset[str], findings: Sequence[Finding], names: Sequence[str]) -> None:
    """Refuse to accept what does not exist: it is a slip, which would let something else through."""
    for name in sorted(accepted):
        if name not in names:
            raise UsageError(f"--accept: neither has a setting `{name}`{did_you_mean(name, names)}")
        if not any(one.name == name for one in findings):
            output.warn(f"--accept {name}: nothing changed about it")


def _status(breaking: Sequence[Finding], stands: Sequence[Stand]) -> int:
    """Return the exit status. What an environment holds is proof; what two schemas say is a warning beside it."""
    if not stands:
        return 1 if breaking else 0
    return output.verdict(stand.status for stand in stands if stand.status)


def _print(
    old: Side, new: Side, findings: Sequence[Finding], breaking: Sequence[Finding], stands: Sequence[Stand]
) -> None:
    output.write(f"{old.label} → {new.label}\n")
    for title, group in (("breaks", breaking), ("to know", [one for one in findings if one not in breaking])):
        if group:
            output.write(f"{title}:\n" + "\n".join(_told(one, breaking) for one in group) + "\n")
    for way, words in _WAYS.items():
        number = len({one.name for one in breaking if way in one.breaks})
        verdict = f"may not start: {output.count(number, 'setting')}" if number else "starts"
        output.write(f"{words}: {verdict}\n")
    for stand in stands:
        verdict = "fits" if not stand.status else "does not fit"
        output.write(f"{stand.label} {verdict} what {stand.environment} holds now\n")
        if stand.problems:
            output.write(output.table([(p.name or p.reference, p.message) for p in stand.problems]) + "\n")


def _told(one: Finding, breaking: Sequence[Finding]) -> str:
    guess = " (a guess)" if one.guess else ""
    accepted = " (accepted)" if one.breaks and one not in breaking else ""
    line = output.table([(one.change, one.name, one.message + guess + accepted)])
    return f"{line}\n      {output.printable(one.step)}" if one.step else line


def _data(
    old: Side, new: Side, findings: Sequence[Finding], breaking: Sequence[Finding], stands: Sequence[Stand]
) -> dict[str, object]:
    return {
        "old": old.label,
        "new": new.label,
        "ok": not _status(breaking, stands),
        "new_on_old": not any(NEW_ON_OLD in one.breaks for one in breaking),
        "old_on_new": not any(OLD_ON_NEW in one.breaks for one in breaking),
        "findings": [{**one._asdict(), "accepted": bool(one.breaks) and one not in breaking} for one in findings],
        "environments": [
            {
                "environment": stand.environment,
                "version": stand.label,
                "fits": not stand.status,
                "problems": [problem._asdict() for problem in stand.problems],
            }
            for stand in stands
        ],
    }
