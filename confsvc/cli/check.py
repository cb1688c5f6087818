"""``confsvc check``: does every setting resolve and validate? Made for CI; prints no value."""

from confsvc.cli import output
from confsvc.cli.options import Parser, attempt, request_of
from confsvc.errors import ConfsvcError, ResolutionError, UsageError
from confsvc.resolver import Request

__all__ = ["main", "parser"]

_PROBLEMS = 1
_DATA = 65  # what is a problem of the settings, rather than of the way to them


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "check",
        "Resolve and validate every setting, and say what is wrong. No value is printed and nothing is started.\n"
        "Ends with 0 when all is well, 1 when settings are missing or invalid, else as `exec` would.",
        "[-e ENV | --all] [-f FILE] [options]",
    )
    made.resolve_options()
    made.add_argument("--all", action="store_true", help="every environment of the manifest")
    return made


def main(argv: list[str]) -> int:
    """Check, and return the exit status."""
    args = parser().parse_args(argv)
    if args.all and args.env:
        raise UsageError("--all and --env exclude each other")
    request = request_of(args)
    manifest = request.manifest
    names = (manifest.environments or ("",)) if args.all else (manifest.choose(request.environment),)
    reports = [_check(request._replace(environment=name)) for name in names]
    if output.is_json():
        output.write_json({"environments": [report for report, _ in reports]})
    statuses = {status for _, status in reports}
    return next((status for status in (78, 77, _PROBLEMS, 69, 75, 70) if status in statuses), 0)


def _check(request: Request) -> tuple[dict[str, object], int]:
    resolved = attempt(request)
    resolution = resolved.resolution
    error: ConfsvcError | None = None
    try:
        resolved.unwrap()
    except ResolutionError as found:
        error = found
    if error is not None and not output.is_json():
        output.report(error)
    elif not output.is_json():
        where = f" for {resolution.environment}" if resolution.environment else ""
        verbs = "resolves and validates" if len(resolution) == 1 else "resolve and validate"
        ignored = output.count(resolution.undeclared, "undeclared field")
        unused = f"; {ignored} ignored" if resolution.undeclared else ""
        output.write(f"ok: {output.count(len(resolution), 'setting')} {verbs}{where}{unused}\n")
    status = 0 if error is None else _PROBLEMS if error.exit_status == _DATA else error.exit_status
    report: dict[str, object] = {
        "environment": resolution.environment,
        "ok": error is None,
        "settings": [
            {"name": name, "layer": value.origin.layer, "reference": value.origin.reference, "secret": value.secret}
            for name, value in resolution.items()
        ],
        "problems": [problem._asdict() for problem in resolved.problems],
        "undeclared": resolution.undeclared,
        "warnings": list(resolution.warnings),
    }
    return report, status
