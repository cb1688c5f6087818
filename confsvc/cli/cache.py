"""``confsvc cache``: what is kept for when a store does not answer. Prints no value."""

import argparse

from confsvc.cache.moments import age_text
from confsvc.cache.net import MAX_AGE, limit_of
from confsvc.cache.places import cache_path
from confsvc.cache.refusal import Refusal
from confsvc.cache.upkeep import Item, items, key_place, purge, rekey
from confsvc.cli import output
from confsvc.cli.options import Parser
from confsvc.discovery import display
from confsvc.errors import ManifestError, UsageError
from confsvc.finding import find_and_load, make_request
from confsvc.inject.environment import parent_environment
from confsvc.manifest import Manifest
from confsvc.resolver import net_for, plan_request

__all__ = ["ACTIONS", "main", "parser"]

ACTIONS = ("status", "purge", "rekey")
_USABLE, _NOT_USABLE = 0, 1


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "cache",
        "Look after the last good settings, which stand in for stores that do not answer.\n"
        "  status  what is kept, how old it is, and where; with -e, whether it would do for that environment now\n"
        "  purge   remove it: all, or with -e only that environment's\n"
        "  rekey   make another key, and seal everything with it",
        "status|purge|rekey [-e ENV] [-f FILE] [options]",
    )
    made.add_argument("action", metavar="ACTION", choices=ACTIONS, help="status, purge or rekey")
    made.manifest_options()
    group = made.add_argument_group("rekey")
    group.add_argument("--old-key-file", metavar="FILE", help="the key before the one in CONFSVC_CACHE_KEY_FILE")
    return made


def main(argv: list[str]) -> int:
    """Do it. Returns 1 where ``status -e ENV`` finds nothing that would do."""
    args = parser().parse_args(argv)
    if args.old_key_file is not None and args.action != "rekey":
        raise UsageError("--old-key-file is for rekey")
    for option, text in (("-e", args.env), ("-f", args.file), ("--old-key-file", args.old_key_file)):
        if text == "":
            raise UsageError(f"{option} names nothing")
    if args.action == "status":
        return _status(args)
    if args.action == "purge":
        _purge(args)
    else:
        _rekey(args)
    return 0


def _status(args: argparse.Namespace) -> int:
    environ = parent_environment()
    manifest = _manifest(args)
    limit = MAX_AGE if manifest is None else limit_of(manifest)
    found = items(environ, limit)
    folder, key = cache_path(environ), key_place(environ)
    verdict = _verdict(args) if args.env else None
    if output.is_json():
        asked = {"environment": args.env, "usable": not verdict, "message": verdict} if verdict is not None else None
        files = [{**item._asdict(), "usable": item.is_usable} for item in found]
        output.write_json({"folder": folder, "key": key, "max_age": limit, "asked": asked, "files": files})
    else:
        rows = [("folder", display(folder)), ("key", display(key)), ("max age", age_text(limit))]
        if verdict is not None:
            rows.append((args.env, verdict or "would do now"))
        output.write(output.table(rows) + "\n")
        if found:
            head = ("project", "environment", "age", "documents", "state")
            output.write("\n" + output.table([head, *map(_row, found)]) + "\n")
    return _NOT_USABLE if verdict else _USABLE


def _row(item: Item) -> tuple[str, ...]:
    age = "" if item.age is None else age_text(item.age)
    documents = str(item.documents) if item.documents else ""
    return (item.project or "-", item.environment or "-", age, documents, item.message or item.state)


def _verdict(args: argparse.Namespace) -> str:
    """Return why what is kept would not do for the environment that was named; an empty string where it would."""
    request = make_request(environment=args.env, file=args.file or "")
    net = net_for(request, plan_request(request))
    if net is None:
        return "the cache is off: `cache = true` in the manifest switches it on"
    if not net.remote:
        return ""
    return net.kept.message if isinstance(net.kept, Refusal) else ""


def _manifest(args: argparse.Namespace) -> Manifest | None:
    """Return the manifest; None where there is none, as what is kept can be seen without it."""
    if args.file or args.env:
        return find_and_load(args.file or "")
    try:
        return find_and_load()
    except ManifestError:
        return None


def _purge(args: argparse.Namespace) -> None:
    project = find_and_load(args.file or "").project if args.env or args.file else ""

    def is_meant(of: str, environment: str) -> bool:
        return of == project and args.env in {None, environment}

    count = purge(parent_environment(), is_meant if args.env or args.file else None)
    if output.is_json():
        output.write_json({"removed": count})
    else:
        output.write(f"removed {output.count(count, 'file')}\n")


def _rekey(args: argparse.Namespace) -> None:
    done = rekey(parent_environment(), args.old_key_file or "")
    if output.is_json():
        output.write_json({"rekeyed": done.done, "left": done.left})
        return
    for name in done.left:
        output.warn(f"`{name}` cannot be opened, and stays as it is")
    output.write(f"sealed {output.count(done.done, 'file')} anew\n")
