"""``confsvc import``: a `.env` into an environment's backends."""

import argparse
import os

from confsvc.adapter import Backend, Deadline, Document
from confsvc.cli import output
from confsvc.cli.options import Parser
from confsvc.cli.writing import Skipped, asking_options, carry_out, request_to_write, writing_options
from confsvc.deciding import describe
from confsvc.errors import ResolutionError, UsageError
from confsvc.fetching import fetch_documents
from confsvc.reference import Reference
from confsvc.resolver import Request
from confsvc.secret import Secret
from confsvc.writing.changes import declared

__all__ = ["main", "parser"]

_SCHEME = "dotenv"


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "import",
        "Write the assignments of a .env where an environment reads them from, each document once. Shows which are\n"
        "new, different or the same there, without a value, and asks. Without a terminal, what is new is written, and\n"
        "what would be overwritten needs --yes. What was written is not written twice: it can be run again.",
        "FILE [-e ENV] [-f FILE] [--to REF] [options]",
    )
    made.add_argument("env_file", metavar="FILE", help="the .env")
    writing_options(made)
    asking_options(made)
    group = made.add_argument_group("what")
    group.add_argument("--only", metavar="A,B", action="append", default=[], help="import these settings alone")
    group.add_argument("--extra", action="store_true", help="import names that no setting declares, too")
    group.add_argument("--to", metavar="REF", help="the source to write; else where each setting is read from")
    return made


def main(argv: list[str]) -> int:
    """Import it."""
    args = parser().parse_args(argv)
    if args.to == "":
        raise UsageError("--to names nothing")
    request = request_to_write(args, args.env)
    request.manifest.choose(request.environment)
    found = _read(args.env_file, request)
    values, skipped = _mapped(args, request, found)
    return carry_out(args, request, values, to=args.to or "", extra=args.extra, skipped=skipped)


def _read(file: str, request: Request) -> dict[str, str]:
    """Return the assignments, read as any `.env` is."""
    reference = Reference(_SCHEME, os.path.join(os.getcwd(), file))
    backend = Backend(_SCHEME, _SCHEME, {}, os.getcwd(), request.environ)
    outcome = fetch_documents([reference], {_SCHEME: backend}, Deadline(request.timeout))[reference]
    if not isinstance(outcome, Document):
        problem = outcome.problem(reference=file)._replace(message=describe(outcome))
        raise ResolutionError("the file to import cannot be read", [problem])
    for note in outcome.notes:
        output.warn(f"{file}: {note}")
    content = outcome.content.reveal()
    return {name: str(text) for name, text in content.items()} if isinstance(content, dict) else {}


def _mapped(
    args: argparse.Namespace, request: Request, found: dict[str, str]
) -> tuple[dict[str, Secret[str | bytes]], list[Skipped]]:
    """Return the values by the names of settings, and what no setting declares."""
    wanted = {name for names in args.only for name in names.split(",") if name}
    if args.only and not wanted:
        raise UsageError("--only names nothing")
    known = declared(request)
    values: dict[str, Secret[str | bytes]] = {}
    skipped = []
    for name, text in found.items():
        setting = known.get(name) if known is not None else None
        target = setting.name if setting else name
        if wanted and target not in wanted:
            continue
        if known is not None and setting is None and not args.extra:
            skipped.append(Skipped(name, "no setting is called so; --extra takes it"))
        elif target not in values or name == target:  # its own name goes before an alias
            values[target] = Secret(text)
    missing = sorted(wanted - values.keys() - {one.name for one in skipped})
    if missing:
        raise UsageError(f"`{args.env_file}` has no " + ", ".join(f"`{name}`" for name in missing))
    return values, skipped
