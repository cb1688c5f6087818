"""``confsvc watch``: tell of every change, by names and versions; run a hook for it."""

import argparse
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from confsvc import cores
from confsvc.cli import output
from confsvc.cli.options import Parser, pace_of, positive_seconds, request_of
from confsvc.errors import ConfsvcError, Problem, UsageError
from confsvc.inject.environment import check_size, child_environment
from confsvc.inject.process import find_command
from confsvc.resolution import Resolution
from confsvc.resolver import Request
from confsvc.supervise.actions import parse_action
from confsvc.watching import Changed, Event, Outage, Recovered, Rejected, Watcher

__all__ = ["main", "parser"]

_HOOK_TIMEOUT = 30.0


class _Hook(NamedTuple):
    """What to run for a change, and for how long at most, in seconds."""

    words: Sequence[str]
    timeout: float


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "watch",
        "Stay and print a line for each change of the settings: names and versions, no value. A set that is not valid\n"
        "is told and passed over.",
        "[-e ENV] [-f FILE] [options]",
    )
    made.resolve_options()
    made.pace_options("--interval", "look every INTERVAL (30s); changes of files show at once")
    group = made.add_argument_group("acting")
    group.add_argument("--on-change", metavar="ACTION", help="'command:PROGRAM ARGS', run with the new settings")
    group.add_argument("--hook-timeout", metavar="TIME", help="how long it may take (30s)")
    return made


def main(argv: list[str]) -> int:
    """Watch until a signal ends it."""
    args = parser().parse_args(argv)
    hook = _hook(args)
    pace = pace_of(args, "interval")
    if args.splay is None:
        pace = pace._replace(splay=0.0)
    request = request_of(args)
    cores.hide()
    watcher = Watcher(request, pace)
    running: list[subprocess.Popen[bytes]] = []
    _end_with(watcher, running)
    resolution = watcher.start()
    for warning in resolution.warnings:
        output.warn(warning)
    output.inform(f"watching {output.count(len(resolution), 'setting')} of {resolution.environment or 'the sources'}")

    def tell(event: Event) -> None:
        _print(event)
        if not (hook and isinstance(event, Changed)):
            return
        try:
            environ = _environ(hook, request, event)
        except ConfsvcError as error:
            output.trouble("the new settings cannot be handed to the hook", error.problems)
            return
        if message := _run(hook, environ, running):
            output.warn(message)

    watcher.run(tell)
    return 0


def _hook(args: argparse.Namespace) -> _Hook | None:
    if args.on_change is None:
        if args.hook_timeout is not None:
            raise UsageError("--hook-timeout needs --on-change: without it nothing is run")
        return None
    action = parse_action(args.on_change)
    if action.kind != "command":
        raise UsageError("there is no command here to restart or signal", hint="--on-change 'command:PROGRAM ARGS'")
    return _Hook(action.command, positive_seconds("--hook-timeout", args.hook_timeout, _HOOK_TIMEOUT))


def _end_with(watcher: Watcher, running: list["subprocess.Popen[bytes]"]) -> None:
    """Give back what was leased, then end with the hook, when a signal says so."""

    def end(number: int, _frame: object) -> None:
        for process in running:
            _kill(process)
        watcher.close()
        os._exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


def _print(event: Event) -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    data = _data(event)
    if output.is_json():
        from json import dumps

        output.write(dumps({"time": now, **data}, ensure_ascii=False) + "\n")
        return
    output.write(f"{now} {_line(event)}\n")


def _line(event: Event) -> str:
    if isinstance(event, Changed):
        return "changed " + ", ".join(_named(name, event.resolution) for name in event.names)
    if isinstance(event, Recovered):
        return f"recovered after {event.seconds:.0f} s"
    word = "rejected" if isinstance(event, Rejected) else "outage"
    return f"{word} " + "; ".join(output.printable(_told(problem)) for problem in event.problems)


def _named(name: str, resolution: Resolution) -> str:
    if name not in resolution:
        return f"{name} (gone)"
    version = resolution[name].origin.version
    return output.printable(f"{name} (version {version})" if version else name)


def _told(problem: Problem) -> str:
    return " ".join(part for part in (problem.name, problem.reference, problem.message) if part)


def _data(event: Event) -> Mapping[str, object]:
    if isinstance(event, Changed):
        found = event.resolution
        versions = {name: found[name].origin.version if name in found else None for name in event.names}
        return {"event": "changed", "environment": found.environment, "changed": versions}
    if isinstance(event, Recovered):
        return {"event": "recovered", "seconds": round(event.seconds, 1)}
    kind = "outage" if isinstance(event, Outage) else "rejected"
    return {"event": kind, "problems": [problem._asdict() for problem in event.problems]}


def _environ(hook: _Hook, request: Request, changed: Changed) -> dict[str, str]:
    """Return what the hook gets: what a command would, and the names of what changed."""
    resolution = changed.resolution
    credentials = request.manifest.credential_names(resolution.environment)
    environ = child_environment(request.environ, resolution, credentials=credentials)
    environ["CONFSVC_CHANGED"] = " ".join(changed.names)
    check_size(environ, hook.words, resolution)
    return environ


def _run(hook: _Hook, environ: Mapping[str, str], running: list["subprocess.Popen[bytes]"]) -> str:
    """Run the hook, and wait for it. Returns what went wrong."""
    encoded = {name.encode(errors="surrogateescape"): t.encode(errors="surrogateescape") for name, t in environ.items()}
    try:
        file = find_command(hook.words[0], environ.get("PATH"))
        process = subprocess.Popen(list(hook.words), executable=file, env=encoded, process_group=0)
    except ConfsvcError as error:
        return f"the hook cannot be run: {error.message}"
    except OSError as error:
        return f"the hook cannot be run: {os.strerror(error.errno or 0).lower()}"
    running.append(process)
    try:
        status = process.wait(hook.timeout)
    except subprocess.TimeoutExpired:
        _kill(process)
        process.wait()
        return f"the hook took longer than {hook.timeout:g} s and was killed"
    finally:
        running.clear()
    return f"the hook failed with status {status if status >= 0 else 128 - status}" if status else ""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a hook, and what it has started."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):  # it has just ended; or it is another user now
            os.killpg(process.pid, signal.SIGKILL)
