"""What the options about staying mean, and how the parent speaks."""

import argparse
from collections.abc import Callable, Sequence

from confsvc.cli import output
from confsvc.cli.options import pace_of, positive_seconds
from confsvc.errors import UsageError
from confsvc.resolution import Resolution
from confsvc.resolver import Request
from confsvc.supervise.actions import parse_action, parse_signal
from confsvc.supervise.child import Program
from confsvc.supervise.run import Staying, supervise
from confsvc.supervise.supervisor import Manners, Reporter

__all__ = ["reporter", "stay"]

_Prepare = Callable[[Resolution], tuple[str, dict[str, str]]]


def stay(args: argparse.Namespace, request: Request, prepare: _Prepare, command: Sequence[str]) -> int:
    """Start the command, stay until it ends, and return its status."""
    staying = Staying(
        pace_of(args, "watch") if args.watch is not None else None,
        _manners(args),
        redact=args.redact,
        die_with_parent=args.die_with_parent,
    )

    def program_of(resolution: Resolution) -> Program:
        file, environ = prepare(resolution)
        return Program(file, command, environ)

    return supervise(request, program_of, staying, reporter())


def reporter() -> Reporter:
    """Return how the parent speaks: on stderr, in the words of every other command."""
    return Reporter(output.inform, output.warn, output.trouble)


def _manners(args: argparse.Namespace) -> Manners:
    plain = Manners()
    stop = positive_seconds("--stop-timeout", args.stop_timeout, plain.stop_timeout)
    return Manners(
        action=parse_action(args.on_change) if args.on_change is not None else plain.action,
        stop_signal=parse_signal(args.stop_signal) if args.stop_signal is not None else plain.stop_signal,
        stop_timeout=stop,
        patience=stop if args.stop_timeout is not None else None,
        max_restarts=_count("--max-restarts", args.max_restarts, plain.max_restarts),
        hook_timeout=positive_seconds("--hook-timeout", args.hook_timeout, plain.hook_timeout),
        group=args.group,
    )


def _count(option: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{option} takes a number, not `{text}`")
    return int(text)
