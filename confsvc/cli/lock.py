"""``confsvc lock``: write down which versions were read, and tell what moved since."""

import argparse
import os
from collections.abc import Mapping, Sequence

from confsvc.adapter import Deadline, on_progress
from confsvc.cli import output
from confsvc.cli.options import Parser, positive_seconds
from confsvc.discovery import display
from confsvc.errors import LockError, UsageError
from confsvc.fetching import Fetched, fetch_documents
from confsvc.finding import make_request
from confsvc.locking import FILE, LockedEnvironment, read_lock
from confsvc.locking.strict import loose_of, refuse_loose, some_of
from confsvc.plan import Plan
from confsvc.resolver import TIMEOUT, Request, Resolved, assemble, plan_request, recorded, refuse_offline

__all__ = ["main", "parser"]


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "lock",
        "Resolve an environment, and write into confsvc.lock, beside the manifest, which version of what each setting\n"
        "was read from: no value, and nothing made of one. `--locked` then reads exactly these versions, whatever was\n"
        "written since. The process environment decides nothing here; what only it has is marked.",
        "[-e ENV | --all] [-f FILE] [--check] [options]",
    )
    made.manifest_options()
    group = made.add_argument_group("locking")
    group.add_argument("--all", action="store_true", help="every environment of the manifest")
    group.add_argument("--check", action="store_true", help="tell what moved since, by metadata alone")
    group.add_argument("--strict", action="store_true", help="refuse what has no version that can be read again")
    group.add_argument("--lock-file", metavar="FILE", help="the lock; else confsvc.lock beside the manifest")
    group.add_argument("-s", "--schema", metavar="MOD:NAME", help="a pydantic model or dataclass as the schema")
    group.add_argument("--timeout", metavar="TIME", help=f"for everything together, default {TIMEOUT:g}s")
    return made


def main(argv: list[str]) -> int:
    """Lock, or check."""
    args = parser().parse_args(argv)
    request = _request(args)
    manifest = request.manifest
    if not manifest.environments:
        raise LockError("the manifest has no environments, so there is nothing to lock")
    names = manifest.environments if args.all else (manifest.choose(request.environment),)
    file = args.lock_file or os.path.join(manifest.directory, FILE)
    requests = {name: request._replace(environment=name) for name in names}
    on_progress(output.show_progress)
    if args.check:
        from confsvc.cli.lock_check import check

        return check(requests, file)
    _lock(requests, file, strict=args.strict)
    return 0


def _request(args: argparse.Namespace) -> Request:
    if args.all and args.env:
        raise UsageError("--all and --env exclude each other")
    if args.check and args.strict:
        raise UsageError("--strict is for locking; --check tells what has no versions")
    for option, text in (("-e", args.env), ("-f", args.file), ("--lock-file", args.lock_file)):
        if text == "":
            raise UsageError(f"{option} names nothing")
    request = make_request(
        environment="" if args.all else args.env or "",
        file=args.file or "",
        schema=args.schema,
        override=True,
        timeout=positive_seconds("--timeout", args.timeout, TIMEOUT),
        by=args.by,
    )
    refuse_offline(request)
    return request


def _lock(requests: Mapping[str, Request], file: str, *, strict: bool) -> None:
    """Lock all of ``requests``, or none."""
    from confsvc.cli.lock_file import write_lock

    manifest = next(iter(requests.values())).manifest
    if os.path.lexists(file):
        read_lock(file, manifest.project)  # what cannot be replaced is told before anything is read
    locked = _take(requests)
    output.end_progress()
    loose = {name: loose_of(one) for name, one in locked.items()}
    if strict:
        refuse_loose(loose, "so nothing was locked")
    dropped = write_lock(file, manifest.project, locked, known=manifest.environments)
    for name in dropped:
        output.inform(f"the manifest has no environment `{name}` any more, so the lock has none either")
    if output.is_json():
        output.write_json(
            {"file": display(file), "environments": [_data(n, one, loose[n]) for n, one in locked.items()]}
        )
        return
    for name, one in locked.items():
        for what, settings in loose[name].items():
            output.warn(f"{name}: {what} keeps no earlier versions, so it is read as it is then: {some_of(settings)}")
        output.write(f"locked {output.count(len(one.settings), 'setting')} of {name} in {display(file)}\n")


def _take(requests: Mapping[str, Request]) -> dict[str, LockedEnvironment]:
    """Read everything that may be needed, and return what a lock says of it."""
    from confsvc.locking.making import lock_of
    from confsvc.overview.gathering import Gathering

    plans = {name: plan_request(request) for name, request in requests.items()}
    timeout = max(request.timeout for request in requests.values())
    gathering = Gathering(plans.values(), fetch_documents, Deadline(timeout))
    made = {}
    try:
        for name, plan in plans.items():
            fetched = gathering.of(plan)
            resolved = recorded(requests[name], _resolve(requests[name], plan, fetched))
            made[name] = lock_of(plan, fetched, resolved.unwrap())
    finally:
        gathering.release()  # nobody is going to use what was leased
    return made


def _resolve(request: Request, plan: Plan, fetched: Fetched) -> Resolved:
    """Resolve without the process environment, so that all lock the same. What nothing else has comes from there."""
    resolved = assemble(request, plan, fetched)
    schema = plan.schema
    missing = [p.name for p in resolved.problems if p.code in {"missing", "not_found"} and p.name]
    names = [key for name in missing for key in (schema.settings[name].names if schema else (name,))]
    process = {name: request.environ[name] for name in names if name in request.environ}
    return assemble(request, plan._replace(process=process), fetched) if process else resolved


def _data(name: str, locked: LockedEnvironment, loose: Mapping[str, Sequence[str]]) -> dict[str, object]:
    leased = [n for n, setting in locked.settings.items() if any(read.state == "leased" for read in setting.reads)]
    unpinned = sorted({setting for settings in loose.values() for setting in settings})
    return {"environment": name, "settings": len(locked.settings), "unpinned": unpinned, "leased": leased}
