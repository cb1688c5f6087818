"""``confsvc schema``: JSON Schemas, of the settings, or of the manifest for editors."""

import os

from confsvc.cli import output
from confsvc.cli.options import Parser
from confsvc.errors import ManifestError, UsageError
from confsvc.finding import find_and_load
from confsvc.json_schema import settings_schema
from confsvc.manifest_schema import MANIFEST
from confsvc.schema import Schema

__all__ = ["main", "parser"]


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "schema",
        "Print a JSON Schema of the settings, or with --manifest of the manifest itself: editors complete and check\n"
        "confsvc.toml with it. No value is read; secrets are `writeOnly`.",
        "[--manifest | [-f FILE] [-s MOD:NAME]]",
    )
    group = made.add_argument_group("what to print")
    group.add_argument("--manifest", action="store_true", help="the JSON Schema of confsvc.toml")
    group.add_argument("-f", "--file", metavar="FILE", help="the manifest; else CONFSVC_FILE, else searched upward")
    group.add_argument("-s", "--schema", metavar="MOD:NAME", help="a pydantic model or dataclass; needs no manifest")
    return made


def main(argv: list[str]) -> int:
    """Print it, and return the exit status."""
    args = parser().parse_args(argv)
    if args.manifest and (args.file or args.schema):
        raise UsageError("--manifest prints what every manifest keeps to; it takes no --file and no --schema")
    output.write_json(MANIFEST if args.manifest else _settings(args.file or "", args.schema or ""))
    return 0


def _settings(file: str, target: str) -> dict[str, object]:
    if target and not file:
        return settings_schema(_import(target, os.getcwd()), title=target.partition(":")[2])
    manifest = find_and_load(file)
    target = target or manifest.schema_target
    schema = _import(target, manifest.directory) if target else manifest.schema
    if schema is None:
        raise ManifestError(
            "the manifest declares no settings", hint='write a [settings] table, or `schema = "package.module:Name"`'
        )
    return settings_schema(schema, title=manifest.project or target.partition(":")[2])


def _import(target: str, directory: str) -> Schema:
    from confsvc.models import import_schema  # brings pydantic, which a table of settings does without

    return import_schema(target, directory)
