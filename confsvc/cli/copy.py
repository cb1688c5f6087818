"""``confsvc copy``: settings from one environment to another."""

import argparse

from confsvc.cli import output
from confsvc.cli.options import Parser, attempt
from confsvc.cli.writing import Skipped, asking_options, carry_out, request_to_write, writing_options
from confsvc.errors import Problem, ResolutionError, UsageError
from confsvc.plan import Plan
from confsvc.resolution import Value
from confsvc.resolver import Request, plan_request
from confsvc.secret import Secret

__all__ = ["main", "parser"]


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "copy",
        "Copy settings from one environment to another. Shows which are new, different or the same there, without a\n"
        "value, and asks. Without a terminal, what is new is written, and what would be overwritten needs --yes.",
        "FROM TO NAME… | FROM TO --all [-f FILE] [options]",
    )
    made.add_argument("source", metavar="FROM", help="the environment to read")
    made.add_argument("target", metavar="TO", help="the environment to write")
    made.add_argument("names", metavar="NAME", nargs="*", default=[], help="the settings")
    made.add_argument("--all", action="store_true", help="every setting that FROM reads from a backend as it is")
    writing_options(made, environment=False)
    asking_options(made)
    return made


def main(argv: list[str]) -> int:
    """Copy them."""
    args = parser().parse_args(argv)
    if bool(args.names) == args.all:
        raise UsageError("which settings?", hint="confsvc copy FROM TO NAME…, or --all")
    if args.source == args.target:
        raise UsageError("an environment is not copied to itself")
    target = request_to_write(args, args.target)
    target.manifest.choose(args.target)
    values, skipped = _read(args)
    return carry_out(args, target, values, skipped=skipped)


def _read(args: argparse.Namespace) -> tuple[dict[str, Secret[str | bytes]], list[Skipped]]:
    """Return the values to copy, and what is left out."""
    request = request_to_write(args, args.source)._replace(only=frozenset(args.names))
    resolution = attempt(request).unwrap()
    plan = plan_request(request)
    reasons = {name: _reason(value, plan, is_named=not args.all) for name, value in resolution.items()}
    leased = [
        Problem("leased", reason, name, resolution[name].origin.reference, exit_status=65)
        for name, reason in reasons.items()
        if reason and not args.all
    ]
    if leased:
        raise ResolutionError(f"{output.count(len(leased), 'setting')} cannot be copied; none was", leased)
    values = {name: Secret(_stored(value)) for name, value in resolution.items() if not reasons[name]}
    absent = [name for name in _wanted(request, args) if name not in resolution]
    skipped = [Skipped(name, reason) for name, reason in reasons.items() if reason]
    return values, [*skipped, *(Skipped(name, f"{args.source} does not have it") for name in absent)]


def _wanted(request: Request, args: argparse.Namespace) -> list[str]:
    schema = request.schema or request.manifest.schema
    return list(dict.fromkeys(args.names)) or (list(schema.settings) if schema else [])


def _reason(value: Value, plan: Plan, *, is_named: bool) -> str:
    """Return why a value is not copied, or an empty string. What was asked for by name is, unless it ends soon."""
    if value.origin.lease:
        return "it has a lease, so it ends soon"
    if is_named:
        return ""
    if value.origin.layer == "default":
        return "it is its default"
    written = plan.values.get(value.name, ())
    if value.origin.layer == "values" and not (written and written[0].sole):
        return f"the `values` of {plan.environment} make it"
    return ""


def _stored(value: Value) -> str | bytes:
    text = value.text
    try:
        text.encode()
    except UnicodeEncodeError:  # an environment variable may hold any bytes
        return text.encode(errors="surrogateescape")
    return text
