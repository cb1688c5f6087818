"""Putting the parent together: signals first, then the first resolution, then the command beside the watcher."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from signal import SIGTERM
from typing import NamedTuple

from confsvc import cores
from confsvc.errors import CommandError
from confsvc.resolution import Resolution
from confsvc.resolver import Request
from confsvc.supervise import native
from confsvc.supervise.child import Program
from confsvc.supervise.masking import Mask, Pump, secrets_of, too_short
from confsvc.supervise.signals import ENDING, Arrived, block_all, die_of, listen
from confsvc.supervise.supervisor import Manners, Reporter, Supervisor
from confsvc.watching import Changed, Event, Pace, Watcher

__all__ = ["Staying", "supervise"]

_STDOUT, _STDERR = 1, 2
_REST = 5.0  # seconds after an error that nobody expected
_DRAIN = 2.0  # seconds for what the command has printed, where something that it left behind still holds the pipe


class Staying(NamedTuple):
    """Why and how to stay. Without a ``pace`` nothing is watched."""

    pace: Pace | None
    manners: Manners
    redact: bool = False
    die_with_parent: bool = False


def supervise(request: Request, program_of: Callable[[Resolution], Program], staying: Staying, say: Reporter) -> int:
    """Resolve, start the command and stay until it ends. Returns its status, as a shell has it.

    Raises:
        ConfsvcError: it could not be resolved, or not be started.

    """
    parent = _Parent(staying, program_of, say)
    cores.hide()
    block_all()
    listen(parent.on_signal)
    if staying.die_with_parent and not native.arrange_death(SIGTERM, os.getppid()):
        raise CommandError("the parent process is gone", exit_status=126)
    with ExitStack() as stack:
        watcher = Watcher(request, staying.pace or Pace())
        parent.watcher = watcher
        stack.callback(watcher.close)
        resolution = watcher.start()
        for warning in resolution.warnings:
            say.warn(warning)
        parent.redirect(resolution, stack)
        if staying.pace:
            threading.Thread(target=parent.watch, args=(watcher,), name="confsvc-watch", daemon=True).start()
            stack.callback(watcher.stop)
        return parent.run(resolution)


class _Parent:
    """What the threads share."""

    def __init__(self, staying: Staying, program_of: Callable[[Resolution], Program], say: Reporter) -> None:
        self._staying = staying
        self._make = program_of
        self._say = say
        self._mask = Mask()
        self._pumps: dict[int, Pump] = {}
        self._is_running = False
        self._supervisor = Supervisor(self._program_of, staying.manners, say)
        self.watcher: Watcher | None = None

    def run(self, resolution: Resolution) -> int:
        self._is_running = True
        return self._supervisor.run(resolution)

    def on_signal(self, arrived: Arrived) -> None:
        """Pass a signal on; until there is a command, end of it as any program does."""
        if self._is_running:
            self._supervisor.tell(arrived)
        elif arrived.number in ENDING:
            if self.watcher:
                self.watcher.close()
            die_of(arrived.number)

    def watch(self, watcher: Watcher) -> None:
        """Watch until it is stopped. What nobody expected is told and looked past: without us nothing would rotate."""
        while kind := _what_goes_wrong(lambda: watcher.run(self.on_event)):
            self._say.warn(f"the settings could not be looked at: {kind}; the command keeps the ones it has")
            time.sleep(_REST)

    def on_event(self, event: Event) -> None:
        if isinstance(event, Changed) and self._staying.redact:
            self._cover(event.resolution)
        self._supervisor.tell(event)

    def redirect(self, resolution: Resolution, stack: ExitStack) -> None:
        """Put masks between the command and where its output goes. A terminal is for people, who may see it."""
        if not self._staying.redact:
            return
        self._cover(resolution)
        for number in (_STDOUT, _STDERR):
            if not os.isatty(number):
                self._pumps[number] = pump = Pump(self._mask, number)
                stack.callback(pump.close, _DRAIN)

    def _cover(self, resolution: Resolution) -> None:
        self._mask.add(secrets_of(resolution))
        for name in too_short(resolution):
            self._say.warn(f"`{name}` is too short to be masked")

    def _program_of(self, resolution: Resolution) -> Program:
        entrances = {number: pump.entrance for number, pump in self._pumps.items()}
        return self._make(resolution)._replace(
            stdout=entrances.get(_STDOUT),
            stderr=entrances.get(_STDERR),
            group=self._staying.manners.group,
        )


def _what_goes_wrong(work: Callable[[], None]) -> str:
    """Return the kind of error that ends ``work``, empty where none does: its text may hold a value."""
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - a schema's validator can raise what it wants
        return type(error).__name__
    return ""
