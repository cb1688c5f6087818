"""Options that several commands share, and what they become."""

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn, TypeVar

from confsvc import cores
from confsvc._suggest import did_you_mean
from confsvc.adapter import on_progress
from confsvc.cli import output
from confsvc.errors import UsageError
from confsvc.finding import make_request
from confsvc.resolution import Resolution
from confsvc.resolver import TIMEOUT, Request, Resolved, resolve_request
from confsvc.types import parse_duration

if TYPE_CHECKING:
    from confsvc.watching.pace import Pace

__all__ = ["Parser", "attempt", "given_of", "look", "pace_of", "positive_seconds", "request_of", "resolve"]

_T = TypeVar("_T")

_CALM = 10.0  # seconds between two changes, unless people look more often, or say otherwise


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help that reads the same in every version of Python: `-e, --env ENV`, as 3.13 has it."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


class Parser(argparse.ArgumentParser):
    """A parser that raises our errors, and whose every command knows how to speak (``-q``, ``--json``, …)."""

    def __init__(self, command: str, description: str, usage: str = "", epilog: str = "") -> None:
        super().__init__(
            prog=f"confsvc {command}",
            usage=f"confsvc {command} {usage}" if usage else None,
            description=description,
            epilog=epilog or None,
            allow_abbrev=False,
            add_help=False,
            formatter_class=_Formatter,
        )
        self.set_defaults(by=self.prog)  # who asks, for the audit trail
        speaking = self.add_argument_group("output")
        speaking.add_argument("-h", "--help", action="help", help="show this help")
        speaking.add_argument("-q", "--quiet", action="store_true", help="no warnings")
        speaking.add_argument("-v", "--verbose", action="store_true", help="say what is being done")
        speaking.add_argument("--json", action="store_true", help="errors, and reports, as JSON")
        speaking.add_argument("--no-color", action="store_true", help="no colour; NO_COLOR does the same")

    def manifest_options(self, *, environment: bool = True) -> None:
        """Add ``-e``, unless the environment is named otherwise, and ``-f``."""
        group = self.add_argument_group("manifest")
        if environment:
            group.add_argument("-e", "--env", metavar="ENV", help="the environment; else CONFSVC_ENV, else the default")
        group.add_argument("-f", "--file", metavar="FILE", help="the manifest; else CONFSVC_FILE, else searched upward")

    def resolve_options(self) -> None:
        """Add what decides which values there are."""
        self.manifest_options()
        group = self.add_argument_group("resolving")
        group.add_argument("-s", "--schema", metavar="MOD:NAME", help="a pydantic model or dataclass as the schema")
        group.add_argument("--source", metavar="REF", action="append", default=[], help="a source; no manifest needed")
        group.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="decide one setting here")
        group.add_argument("--only", metavar="A,B", action="append", default=[], help="resolve these settings alone")
        group.add_argument("--override", action="store_true", help="the process environment decides nothing")
        group.add_argument("--timeout", metavar="TIME", help=f"for everything together, default {TIMEOUT:g}s")
        caching = group.add_mutually_exclusive_group()
        caching.add_argument("--offline", action="store_true", help="ask no store: the last good settings are used")
        caching.add_argument("--no-cache", action="store_true", help="neither use nor write the last good settings")

    def lock_options(self) -> None:
        """Add what reads exactly the versions that a lock has."""
        group = self.add_argument_group("locked")
        group.add_argument("--locked", action="store_true", help="read the versions in confsvc.lock, and no others")
        group.add_argument("--lock-file", metavar="FILE", help="the versions in this lock instead")
        group.add_argument("--strict", action="store_true", help="refuse what has no version in the lock")

    def pace_options(self, switch: str, text: str) -> None:
        """Add ``switch``, which makes the command stay and takes an interval, and what says how fast it acts."""
        group = self.add_argument_group("watching")
        group.add_argument(switch, metavar="INTERVAL", nargs="?", const="", help=text)
        group.add_argument("--debounce", metavar="TIME", help="wait until nothing has moved for so long (500ms)")
        group.add_argument("--min-interval", metavar="TIME", help="between two changes (the interval, at most 10s)")
        group.add_argument("--splay", metavar="TIME", help="wait a random part of it (the interval; 0s for files)")

    def options(self) -> dict[str, str]:
        """Return every option of the command with its help, for completion."""
        return {name: str(action.help or "") for name, action in self._option_string_actions.items()}

    def print_help(self, file: object = None) -> None:
        """Write the help to stdout as data is written: in UTF-8, and with a word where it cannot be."""
        del file
        output.write(self.format_help())

    def values(self) -> dict[str, tuple[str, ...]]:
        """Return the options that take a value, each with its choices, none where it is free; for completion."""
        taking = {name: action for name, action in self._option_string_actions.items() if action.nargs != 0}
        return {name: tuple(action.choices or ()) for name, action in taking.items()}

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError, with the nearest option for one that does not exist."""
        _, is_unknown, words = message.partition("unrecognized arguments: ")
        unknown = words.partition(" ")[0].partition("=")[0]
        if is_unknown:  # what stands behind the `=`, or all of a word, could be a value
            message = "unexpected argument"
            if unknown.startswith("-"):
                message = f"unknown option `{unknown}`{did_you_mean(unknown, self._option_string_actions)}"
        switch, is_switch, _ = message.partition(": ignored explicit argument ")
        if is_switch:  # the same
            message = f"{switch.removeprefix('argument ').rpartition('/')[2]} takes no value"
        raise UsageError(message, hint=f"{self.prog} --help")


def request_of(args: argparse.Namespace, *, read_all: bool = False) -> Request:
    """Return what the options ask for, with the manifest loaded."""
    only = [name for names in args.only for name in names.split(",") if name]
    lock_file = getattr(args, "lock_file", None)
    # A shell variable that is empty must not silently mean the default, or everything.
    empty = {"-e": args.env == "", "-f": args.file == "", "--lock-file": lock_file == ""}
    for option, is_empty in {**empty, "--only": bool(args.only and not only)}.items():
        if is_empty:
            raise UsageError(f"{option} names nothing")
    request = make_request(
        environment=args.env or "",
        file=args.file or "",
        sources=args.source,
        schema=args.schema,
        given=given_of(args.set),
        only=only,
        override=args.override,
        timeout=positive_seconds("--timeout", args.timeout, TIMEOUT),
        read_all=read_all,
        by=args.by,
        locked=lock_file or getattr(args, "locked", False),
        offline=args.offline,
        cache=not args.no_cache,
    )
    if getattr(args, "strict", False):
        _refuse_loose(request, is_all=getattr(args, "all", False))
    return request


def _refuse_loose(request: Request, *, is_all: bool) -> None:
    """Refuse settings that a lock cannot bring back, before anything is read."""
    if request.lock is None:
        raise UsageError("--strict needs --locked: it is about what is in the lock")
    from confsvc.locking.strict import loose_of, refuse_loose

    names = request.manifest.environments if is_all else (request.manifest.choose(request.environment),)
    locked = {name: one for name, one in request.lock.environments.items() if name in names}
    refuse_loose({name: loose_of(one) for name, one in locked.items()}, "so nothing is read")


def resolve(request: Request) -> Resolution:
    """Resolve, warn, and return the resolution.

    Raises:
        ResolutionError: something is wrong with it.

    """
    return attempt(request).unwrap()


def attempt(request: Request) -> Resolved:
    """Resolve as far as possible, and warn. On a terminal, show how far what takes long has come.

    Raises:
        OutputError: the audit trail cannot be written.

    """
    cores.forbid()
    on_progress(output.show_progress)
    resolved = resolve_request(request)
    output.end_progress()
    if resolved.refusal:
        raise resolved.refusal
    for warning in resolved.resolution.warnings:
        output.warn(warning)
    return resolved


def look(found: Iterable[_T]) -> Iterator[_T]:
    """Yield what is found one after another. On a terminal, show how far what takes long has come."""
    on_progress(output.show_progress)
    for one in found:
        output.end_progress()
        yield one
    output.end_progress()


def given_of(pairs: Sequence[str]) -> dict[str, str]:
    """Return what ``--set`` decides.

    Raises:
        UsageError: one is not ``NAME=VALUE``.

    """
    given = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise UsageError("--set takes NAME=VALUE")
        given[name] = os.fsencode(value).decode(errors="surrogateescape")  # UTF-8 whatever the locale says
    return given


def pace_of(args: argparse.Namespace, switch: str) -> "Pace":
    """Return the pace that the options of ``pace_options`` ask for."""
    from confsvc.watching.pace import Pace

    plain = Pace()
    interval = positive_seconds(f"--{switch}", getattr(args, switch) or None, plain.interval)
    splay = None if args.splay is None else _seconds("--splay", args.splay)
    return Pace(
        interval,
        debounce=plain.debounce if args.debounce is None else _seconds("--debounce", args.debounce),
        minimum=min(interval, _CALM) if args.min_interval is None else _seconds("--min-interval", args.min_interval),
        splay=min(interval, plain.interval) if splay is None else splay,
        local_splay=0.0 if splay is None else splay,
    )


def positive_seconds(option: str, text: str | None, default: float) -> float:
    """Return the duration ``text`` in seconds, ``default`` where there is none.

    Raises:
        UsageError: it is none, or none that one can wait for.

    """
    if text is None:
        return default
    seconds = _seconds(option, text)
    if not seconds:
        raise UsageError(f"{option} takes a duration above zero, such as 30s")
    return seconds


def _seconds(option: str, text: str) -> float:
    duration = parse_duration(text)
    seconds = duration.total_seconds() if duration is not None else -1.0
    if seconds < 0:
        raise UsageError(f"{option} takes a duration such as 30s, not `{text}`")
    return seconds
