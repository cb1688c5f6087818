"""``confsvc exec``: resolve, validate, inject, and become the command."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from confsvc.cli import output
from confsvc.cli.options import Parser, request_of, resolve
from confsvc.errors import UsageError
from confsvc.inject.environment import check_size, child_environment
from confsvc.inject.process import become, find_command
from confsvc.resolution import Resolution
from confsvc.resolver import Request

__all__ = ["main", "parser"]

# Options that mean nothing where no change is seen, and where nobody stays.
_WATCHING = ("on_change", "debounce", "min_interval", "splay", "max_restarts", "stop_signal", "hook_timeout")
_STAYING = ("stop_timeout", "group", "die_with_parent")


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "exec",
        "Resolve every setting of an environment, validate them, and become COMMAND with them in its environment.\n"
        "Nothing starts unless all of them are there and valid.",
        "[-e ENV] [-f FILE] [options] -- COMMAND…",
    )
    made.resolve_options()
    made.lock_options()
    group = made.add_argument_group("the command's environment")
    group.add_argument("--pristine", action="store_true", help="only the settings, and PATH HOME LANG TZ TERM")
    group.add_argument("--keep", metavar="VAR", action="append", default=[], help="let VAR through all the same")
    group.add_argument("--require-static", action="store_true", help="refuse values that have a lease")
    _add_staying(made)
    return made


def _add_staying(made: Parser) -> None:
    made.pace_options("--watch", "stay, look every INTERVAL (30s), and act when a setting changes")
    group = made.add_argument_group("staying beside the command")
    group.add_argument("--on-change", metavar="ACTION", help="restart (default), signal:HUP or 'command:PROGRAM ARGS'")
    group.add_argument("--max-restarts", metavar="N", help="tries in a row, where it dies after a restart (5)")
    group.add_argument("--stop-timeout", metavar="TIME", help="how long it may take to end, then it is killed (10s)")
    group.add_argument("--stop-signal", metavar="SIG", help="what tells it to end at a restart (TERM)")
    group.add_argument("--hook-timeout", metavar="TIME", help="how long an action's program may take (30s)")
    group.add_argument("--group", action="store_true", help="a process group of its own, which gets every signal")
    group.add_argument("--die-with-parent", action="store_true", help="end when the process that started us ends")
    group.add_argument("--redact", action="store_true", help="mask secret values in what it prints to pipes and files")


def main(argv: list[str]) -> int:
    """Become the command, or stay beside it. Returns only when it cannot, or when the command has ended."""
    args, command = _split(argv)
    request = request_of(args)._replace(static=args.require_static)
    path = request.given.get("PATH", request.environ.get("PATH"))
    find_command(command[0], path)  # before anything is fetched
    if args.watch is None:
        _refuse_alone(args)
        if not args.redact:
            _become(args, request, command)
    from confsvc.cli.staying import stay

    return stay(args, request, lambda resolution: _prepare(args, request, command, resolution), command)


def _become(args: argparse.Namespace, request: Request, command: Sequence[str]) -> NoReturn:
    resolution = resolve(request)
    file, environ = _prepare(args, request, command, resolution)
    for line in _endings(resolution):
        output.warn(line)
    output.note(f"starting {command[0]} with {output.count(len(resolution), 'setting')}")
    become(file, command, environ)


def _split(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    if "--" not in argv:
        _, stray = parser().parse_known_args(argv)  # `--help` ends here
        word = next((word for word in stray if not word.startswith("-")), "")
        what = f"`--` must stand before the command `{word}`" if word else "the command is missing"
        raise UsageError(what, hint="confsvc exec [-e ENV] -- COMMAND…")
    split = argv.index("--")
    args = parser().parse_args(argv[:split])
    command = argv[split + 1 :]
    if not command:
        raise UsageError("nothing follows the `--`", hint="confsvc exec [-e ENV] -- COMMAND…")
    return args, command


def _prepare(
    args: argparse.Namespace, request: Request, command: Sequence[str], resolution: Resolution
) -> tuple[str, dict[str, str]]:
    """Return the file to run, and the environment for it."""
    schema = request.schema or request.manifest.schema
    declared = [n for n in schema.settings if not request.only or n in request.only] if schema else []
    environ = child_environment(
        request.environ,
        resolution,
        declared=declared,
        pristine=args.pristine,
        keep=[name for names in args.keep for name in names.split(",")],
        credentials=request.manifest.credential_names(resolution.environment),
    )
    path = environ.get("PATH") if "PATH" in resolution else request.given.get("PATH", request.environ.get("PATH"))
    file = find_command(command[0], path)
    check_size(environ, command, resolution)
    return file, environ


def _refuse_alone(args: argparse.Namespace) -> None:
    """Refuse options that mean nothing without ``--watch``; with ``--redact`` somebody stays all the same."""
    why = "no change is seen" if args.redact else "nobody stays beside the command"
    for name in _WATCHING if args.redact else (*_WATCHING, *_STAYING):
        if getattr(args, name):
            raise UsageError(f"--{name.replace('_', '-')} needs --watch: without it {why}")


def _endings(resolution: Resolution) -> list[str]:
    """Say which values end while the command runs, one line for each lease."""
    leases = {v.origin.lease.id: v for v in resolution.values() if v.origin.lease}
    return [
        f"`{value.name}`, from {value.origin.reference}, ends in {value.origin.lease.duration:.0f} s,"
        " and nobody will renew it: `--watch` does"
        for value in leases.values()
        if value.origin.lease
    ]
