"""``confsvc get``: one value, exactly as stored."""

from confsvc.cli import output
from confsvc.cli.options import Parser, request_of, resolve
from confsvc.cli.revealing import deliver, output_options
from confsvc.errors import NotFound

__all__ = ["main", "parser"]


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "get",
        "Print one setting's value, its exact bytes and nothing else. Only what it needs is read.",
        "NAME [-e ENV] [-f FILE] [-o FILE] [options]",
    )
    made.add_argument("name", metavar="NAME", help="the setting")
    made.resolve_options()
    made.lock_options()
    output_options(made)
    return made


def main(argv: list[str]) -> int:
    """Print the value."""
    args = parser().parse_args(argv)
    args.only = [args.name]
    resolution = resolve(request_of(args))
    value = resolution.get(args.name)
    if value is None:
        environment = f" -e {resolution.environment}" if resolution.environment else ""
        raise NotFound(f"`{args.name}` has no value", hint=f"confsvc explain {args.name}{environment}")
    data: str | bytes = value.data
    if output.is_json():
        from json import dumps

        data = dumps({"name": value.name, "value": value.text}, ensure_ascii=False) + "\n"
    deliver(args, data, secret=value.secret)
    return 0
