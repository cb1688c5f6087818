"""``confsvc set``: write one setting to an environment's backend. Its value never stands on a command line."""

import argparse
import re
import sys

from confsvc.cli import output
from confsvc.cli.options import Parser
from confsvc.cli.prompting import ask_hidden
from confsvc.cli.writing import carry_out, request_to_write, writing_options
from confsvc.errors import UsageError
from confsvc.secret import Secret
from confsvc.writing import check_name

__all__ = ["main", "parser"]

_NAME = r"[A-Za-z_][A-Za-z0-9_.]{0,127}"
_LONGEST = 4 * 1024 * 1024  # bytes: more than any store takes
_HOW = "the value comes from stdin: `confsvc set NAME -e ENV < FILE`, or is asked for on a terminal"


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "set",
        "Write a setting where its environment reads it from. The value comes from stdin, less one newline at its\n"
        "end, or is asked for on a terminal, twice and unseen; it never stands on the command line. It is checked\n"
        "first, and everything else in its document stays.",
        "NAME [-e ENV] [-f FILE] [--to REF] [options]",
    )
    made.add_argument("name", metavar="NAME", nargs="?", help="the setting")
    made.add_argument("stray", nargs="*", default=[], help=argparse.SUPPRESS)
    writing_options(made)
    group = made.add_argument_group("the value")
    group.add_argument("--to", metavar="REF", help="the source, or the field, to write; else where it is read from")
    group.add_argument("--raw", action="store_true", help="keep a newline at the end of stdin")
    group.add_argument("--empty", action="store_true", help="an empty value is meant")
    return made


def main(argv: list[str]) -> int:
    """Write it."""
    args = parser().parse_args(argv)
    name = _checked(args.name, args.stray)
    if args.to == "":
        raise UsageError("--to names nothing")
    request = request_to_write(args, args.env)
    check_name(request, name)
    return carry_out(args, request, {name: _value(name, raw=args.raw, empty=args.empty)}, to=args.to or "")


def _checked(name: str | None, stray: list[str]) -> str:
    """Return the name. What stands there instead may be a value, so it is not repeated."""
    if name is None:
        raise UsageError("which setting?", hint="confsvc set NAME -e ENV < FILE")
    if "=" in name or stray:
        raise UsageError("a value on the command line is seen by everybody, so it is not taken", hint=_HOW)
    if not re.fullmatch(_NAME, name):
        raise UsageError("that is no setting's name", hint=_HOW)
    return name


def _value(name: str, *, raw: bool, empty: bool) -> Secret[str | bytes]:
    if sys.stdin is not None and sys.stdin.isatty():
        data = ask_hidden(name).encode(errors="surrogateescape")
    else:
        data = _read()
        data = data if raw else data.removesuffix(b"\n")
    if not data and not empty:
        raise UsageError("the value is empty, so nothing was written", hint="--empty writes an empty one")
    try:
        return Secret(data.decode())
    except UnicodeDecodeError:
        return Secret(data)


def _read() -> bytes:
    data = sys.stdin.buffer.read(_LONGEST + 1) if sys.stdin is not None else b""
    if len(data) > _LONGEST:
        raise UsageError(f"the value is longer than {_LONGEST} bytes")
    output.note(f"read {output.count(len(data), 'byte')} from stdin")
    return data
