"""``confsvc schema``: the settings written down for others, and the manifest's own schema for editors."""

import os
from collections.abc import Callable
from importlib import import_module

from confsvc.cli import output
from confsvc.cli.options import Parser
from confsvc.errors import ManifestError, UsageError
from confsvc.finding import find_and_load
from confsvc.json_schema import settings_schema
from confsvc.manifest_schema import MANIFEST
from confsvc.schema import Schema

__all__ = ["main", "parser"]

_WRITERS = {
    "env-example": "a .env.example: each setting with its type and description, secrets empty",
    "markdown": "a table for people",
    "python": "a pydantic model for confsvc.load, from a [settings] table",
    "typescript": "declarations for process.env, and the names of secrets",
}


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "schema",
        "Print a JSON Schema of the settings, or write them down for others; with --manifest print the JSON Schema of\n"
        "the manifest itself, with which editors complete and check confsvc.toml. No value is read, and no default of\n"
        "a secret is shown.",
        "[--manifest | [--env-example | --markdown | --python | --typescript] [-f FILE] [-s MOD:NAME]]",
    )
    group = made.add_argument_group("what to print")
    group.add_argument("--manifest", action="store_true", help="the JSON Schema of confsvc.toml")
    for name, what in _WRITERS.items():
        group.add_argument(f"--{name}", dest="writer", action="append_const", const=name, help=what)
    group.add_argument("-f", "--file", metavar="FILE", help="the manifest; else CONFSVC_FILE, else searched upward")
    group.add_argument("-s", "--schema", metavar="MOD:NAME", help="a pydantic model or dataclass; needs no manifest")
    return made


def main(argv: list[str]) -> int:
    """Print it, and return the exit status."""
    args = parser().parse_args(argv)
    if args.manifest and (args.file or args.schema):
        raise UsageError("--manifest prints what every manifest keeps to; it takes no --file and no --schema")
    writers = args.writer or []
    if len({*writers, *(["manifest"] if args.manifest else [])}) > 1:
        raise UsageError("one thing is printed at a time", hint="confsvc schema --help")
    if args.manifest:
        output.write_json(MANIFEST)
        return 0
    schema, title = _find(args.file or "", args.schema or "")
    if writers:
        output.write(_writer(writers[0])(schema))
    else:
        output.write_json(settings_schema(schema, title=title))
    return 0


def _writer(name: str) -> Callable[[Schema], str]:
    """Return the function that writes; each is imported only when it does."""
    module = name.replace("-", "_")
    found: Callable[[Schema], str] = getattr(import_module(f"confsvc.writers.{module}"), module)
    return found


def _find(file: str, target: str) -> tuple[Schema, str]:
    """Return the schema that is meant, and what it is called."""
    if target and not file:
        return _import(target, os.getcwd()), target.partition(":")[2]
    manifest = find_and_load(file)
    target = target or manifest.schema_target
    schema = _import(target, manifest.directory) if target else manifest.schema
    if schema is None:
        raise ManifestError(
            "the manifest declares no settings", hint='write a [settings] table, or `schema = "package.module:Name"`'
        )
    return schema, manifest.project or target.partition(":")[2]


def _import(target: str, directory: str) -> Schema:
    from confsvc.models import import_schema  # brings pydantic, which a table of settings does without

    return import_schema(target, directory)
