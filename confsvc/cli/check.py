"""``confsvc check``: does every setting resolve and validate? Made for CI; prints no value."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module

from confsvc.cli import output
from confsvc.cli.options import Parser, look, request_of
from confsvc.errors import UsageError
from confsvc.manifest import Manifest
from confsvc.overview.checking import UNCHECKED, Checked, check_documents, check_settings, findings
from confsvc.overview.inventory import take_inventory
from confsvc.overview.survey import PROBLEMS, survey
from confsvc.resolver import Request

__all__ = ["main", "parser"]

_FORMATS = ("junit", "sarif", "github")


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "check",
        "Resolve and validate every setting, and say what is wrong. No value is printed and nothing is started.\n"
        "With --all every environment is read in one pass, and the process environment decides nothing: it is that of\n"
        "one environment at most. With --metadata no value is read: each document must exist, with a live version.\n"
        "Ends with 0 when all is well, 1 when settings are missing or invalid, else as `exec` would.",
        "[-e ENV | --all] [--metadata] [--format junit|sarif|github] [-o FILE] [-f FILE] [options]",
    )
    made.resolve_options()
    made.lock_options()
    made.add_argument("--all", action="store_true", help="every environment of the manifest")
    made.add_argument("--metadata", action="store_true", help="ask only what reveals no value")
    group = made.add_argument_group("for CI")
    group.add_argument("--format", choices=_FORMATS, metavar="FORMAT", help="junit, sarif, or github (annotations)")
    group.add_argument("-o", "--output", metavar="FILE", help="write the format, or the JSON, there; people read on")
    return made


def main(argv: list[str]) -> int:
    """Check, and return the exit status."""
    args = parser().parse_args(argv)
    args.output = None if args.output == "-" else args.output
    _refuse(args)
    request = request_of(args)
    manifest = request.manifest
    names = (manifest.environments or ("",)) if args.all else (manifest.choose(request.environment),)
    if args.all or args.metadata:  # what this process has, no other environment has
        request = request._replace(override=True)
    is_told = not output.is_json() and (not args.format or args.output is not None)
    checked = []
    for one in _checks(request, names, metadata=args.metadata):
        checked.append(one)
        if is_told:
            _tell(one, metadata=args.metadata)
    if is_told:
        _tell_all(checked, metadata=args.metadata)
    if args.all:
        _warn_of_variables(request, checked)
    _deliver(args, checked, manifest)
    return output.verdict(one.error.exit_status for one in checked if one.error)


def _refuse(args: argparse.Namespace) -> None:
    if args.all and args.env:
        raise UsageError("--all and --env exclude each other")
    if args.format and output.is_json():
        raise UsageError("--format and --json exclude each other: a report is written in one of them")
    if args.output is not None and not (args.format or output.is_json()):
        raise UsageError("--output needs what to write there: --format junit, sarif or github, or --json")
    if args.metadata and (args.locked or args.lock_file):
        raise UsageError("--metadata asks what is there now; `confsvc lock --check` asks for the locked versions")
    if args.output == "":
        raise UsageError("--output takes the name of a file, and it is empty")


def _checks(request: Request, names: Sequence[str], *, metadata: bool) -> Iterator[Checked]:
    """Yield what is said of each environment, as soon as it is known."""
    if metadata:
        for inventory in look(take_inventory(request, names)):
            yield check_documents(inventory)
        return
    warned: set[str] = set()
    for found in look(survey(request, names)):
        one = check_settings(found)
        for warning in one.warnings:
            if warning not in warned:  # what environments share is odd once
                output.warn(warning)
        warned.update(one.warnings)
        yield one


def _tell(one: Checked, *, metadata: bool) -> None:
    """Say how an environment is: on stdout that all is well, on stderr what is wrong."""
    where = f" for {one.environment}" if one.environment else ""
    if one.error is not None:
        output.report(one.error)
        return
    if metadata:
        live = sum(case.state == "live" for case in one.cases)
        verb, how = ("exists", "with a live version") if live == 1 else ("exist", "each with a live version")
        rest = "".join(_counted(one, state, text) for state, text in _RESTS)
        output.write(f"ok: {output.count(live, 'document')} {verb}{where}, {how}{rest}\n")
        return
    verbs = "resolves and validates" if len(_found(one)) == 1 else "resolve and validate"
    ignored = f"; {output.count(one.undeclared, 'undeclared field')} ignored" if one.undeclared else ""
    output.write(f"ok: {output.count(len(_found(one)), 'setting')} {verbs}{where}{ignored}\n")


_RESTS = (("absent", "optional and not there"), ("unchecked", "not checked"))


def _found(one: Checked) -> list[str]:
    return [case.name for case in one.cases if case.state != "absent"]


def _counted(one: Checked, state: str, text: str) -> str:
    number = sum(case.state == state for case in one.cases)
    return f"; {number} {text}" if number else ""


def _tell_all(checked: Sequence[Checked], *, metadata: bool) -> None:
    """Say what is seen only with all environments side by side."""
    if metadata:
        skipped = dict.fromkeys((case.name, case.skipped) for one in checked for case in one.cases if case.skipped)
        output.write("not checked:\n" + output.table([*skipped, ("everywhere", ", ".join(UNCHECKED))]) + "\n")
        return
    states = {one.environment: {case.name: case.state for case in one.cases} for one in checked}
    wrong = dict.fromkeys(name for cases in states.values() for name, state in cases.items() if state in PROBLEMS)
    if len(checked) > 1 and wrong:
        rows = [(name, *(cases.get(name, "unknown") for cases in states.values())) for name in wrong]
        output.write("side by side:\n" + output.table([("setting", *states), *rows]) + "\n")


def _warn_of_variables(request: Request, checked: Sequence[Checked]) -> None:
    """Say why a variable of this process did not help."""
    missing = dict.fromkeys(case.name for one in checked for case in one.cases if case.state == "missing")
    names = [f"`{name}`" for name in missing if name in request.environ]
    if names:
        are = "is a variable" if len(names) == 1 else "are variables"
        output.warn(f"{', '.join(names)} {are} of this process, which decides nothing with --all; `-e ENV` counts it")


def _deliver(args: argparse.Namespace, checked: Sequence[Checked], manifest: Manifest) -> None:
    """Write the report in the format that was asked for, if one was."""
    if args.format:
        write: Callable[..., str] = getattr(import_module(f"confsvc.writers.{args.format}"), args.format)
        text = write(checked, findings(checked, manifest), manifest.project)
    elif output.is_json():
        text = output.json_text({"environments": [one.data for one in checked]})
    else:
        return
    if args.output is None:
        output.write(text)
        return
    from confsvc.inject.files import write_file

    write_file(args.output, text.encode(errors="surrogateescape"))
