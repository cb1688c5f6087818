"""Where values may go: a pipe, a file for the owner alone, and a terminal only when asked to."""

import argparse
import sys

from confsvc.cli import output
from confsvc.cli.options import Parser
from confsvc.errors import UsageError
from confsvc.inject.files import write_file

__all__ = ["deliver", "output_options", "refuse_terminal"]


def output_options(parser: Parser) -> None:
    """Add ``-o`` and ``--reveal``."""
    group = parser.add_argument_group("where to")
    group.add_argument("-o", "--output", metavar="FILE", help="a file for its owner alone; - is stdout")
    group.add_argument("--reveal", action="store_true", help="secrets may be printed to a terminal")


def deliver(args: argparse.Namespace, data: str | bytes, *, secret: bool) -> None:
    """Write ``data`` where the options say.

    Raises:
        OutputError: it cannot be written.
        UsageError: ``-o`` has no name, as of an empty variable; or it is secret, and ``refuse_terminal`` says no.

    """
    data = data if isinstance(data, bytes) else data.encode(errors="surrogateescape")
    if args.output == "":
        raise UsageError("--output takes the name of a file, and it is empty")
    if args.output not in {None, "-"}:
        write_file(args.output, data)
        return
    if secret:
        refuse_terminal(args)
    output.write(data)


def refuse_terminal(args: argparse.Namespace) -> None:
    """Check that secrets may be written to stdout.

    Raises:
        UsageError: it is a terminal, and nobody said ``--reveal``.

    """
    if not args.reveal and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError(
            "secrets are not printed to a terminal",
            hint="--reveal prints them all the same; -o FILE writes them to a file for you alone",
        )
