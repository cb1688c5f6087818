"""``confsvc exec``: resolve, validate, inject, and become the command."""

from confsvc.cli import output
from confsvc.cli.options import Parser, request_of, resolve
from confsvc.errors import UsageError
from confsvc.inject.environment import check_size, child_environment
from confsvc.inject.process import become, find_command

__all__ = ["main", "parser"]


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "exec",
        "Resolve every setting of an environment, validate them, and become COMMAND with them in its environment.\n"
        "Nothing starts unless all of them are there and valid.",
        "[-e ENV] [-f FILE] [options] -- COMMAND…",
    )
    made.resolve_options()
    group = made.add_argument_group("the command's environment")
    group.add_argument("--pristine", action="store_true", help="only the settings, and PATH HOME LANG TZ TERM")
    group.add_argument("--keep", metavar="VAR", action="append", default=[], help="let VAR through all the same")
    return made


def main(argv: list[str]) -> int:
    """Become the command. Returns only when it cannot."""
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
    request = request_of(args)
    keep = [name for names in args.keep for name in names.split(",")]
    path = request.given.get("PATH", request.environ.get("PATH"))
    file = find_command(command[0], path)
    resolution = resolve(request)
    schema = request.schema or request.manifest.schema
    declared = [n for n in schema.settings if not request.only or n in request.only] if schema else []
    environ = child_environment(
        request.environ,
        resolution,
        declared=declared,
        pristine=args.pristine,
        keep=keep,
        credentials=request.manifest.credential_names(resolution.environment),
    )
    if "PATH" in resolution:
        file = find_command(command[0], environ["PATH"])
    check_size(environ, command, resolution)
    output.note(f"starting {command[0]} with {output.count(len(resolution), 'setting')}")
    become(file, command, environ)
