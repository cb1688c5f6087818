"""The small parent: one loop over signals, children that end, changes of settings, and timers."""

import os
import queue
import signal
import threading
from collections.abc import Callable
from typing import NamedTuple

from confsvc.adapter import lasting_clock
from confsvc.errors import CommandError, ConfsvcError, Problem
from confsvc.resolution import Resolution
from confsvc.supervise.actions import Action
from confsvc.supervise.child import Ended, Program, bring_to_front, reap, spawn
from confsvc.supervise.hook import Hook
from confsvc.supervise.restarts import Restarts
from confsvc.supervise.signals import ENDING, Arrived
from confsvc.watching.events import Changed, Event, Outage, Recovered, Rejected

__all__ = ["Manners", "Reporter", "Supervisor"]

_STOPPING = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
# After these no change does anything any more. A command that gets the others may mean to go on.
_LAST = ENDING - {signal.SIGHUP}


class Manners(NamedTuple):
    """How the command is treated. Times are in seconds.

    ``stop_timeout`` is how long it may take to end at a restart; ``patience`` the same after somebody else told it to
    end, None for as long as it likes.
    """

    action: Action = Action()
    stop_signal: int = signal.SIGTERM
    stop_timeout: float = 10.0
    patience: float | None = None
    max_restarts: int = 5
    hook_timeout: float = 30.0
    group: bool = False


class Reporter(NamedTuple):
    """How the supervisor speaks: ``inform`` of what it does, ``warn`` of what is wrong, ``problems`` with details."""

    inform: Callable[[str], None]
    warn: Callable[[str], None]
    problems: Callable[[str, tuple[Problem, ...]], None]


class Supervisor:
    """Runs one program. ``program_of`` makes what to start from a resolution, and may refuse it."""

    def __init__(self, program_of: Callable[[Resolution], Program], manners: Manners, say: Reporter) -> None:
        self._program_of = program_of
        self._manners = manners
        self._say = say
        self._events: queue.SimpleQueue[Arrived | Event] = queue.SimpleQueue()
        self._restarts = Restarts(manners.max_restarts)
        self._hook = Hook(manners.action.command, manners.hook_timeout)
        self._program: Program | None = None
        self._pid = 0
        self._status: int | None = None
        self._is_restarting = self._is_ending = self._is_leaving = False
        self._kill_at = self._start_at = float("inf")

    def tell(self, event: Arrived | Event) -> None:
        """Hand over what happened. May be called from any thread."""
        self._events.put(event)

    def run(self, resolution: Resolution) -> int:
        """Start the program and stay until it ends by itself. Returns its status, as a shell has it.

        Signals must be blocked, and `tell` must hear of them.

        Raises:
            CommandError: it cannot be started.

        """
        self._program = self._program_of(resolution)
        self._pid = spawn(self._program)
        while self._status is None:
            self._handle_next()
        self._hook.end()
        return self._status

    def _handle_next(self) -> None:
        wait = min(self._kill_at, self._start_at, self._hook.due) - lasting_clock()
        try:
            event = self._events.get(timeout=min(max(0.0, wait), threading.TIMEOUT_MAX))
        except queue.Empty:
            self._tick()
            return
        if isinstance(event, Arrived):
            self._on_signal(event)
        else:
            self._on_event(event)
        self._tick()

    def _tick(self) -> None:
        now = lasting_clock()
        if self._pid and now >= self._kill_at:
            self._kill_at = float("inf")
            self._send(signal.SIGKILL)
        if not self._pid and now >= self._start_at:
            self._start()
        if self._hook.stop_if_late(now):
            self._say.warn(f"the hook took longer than {self._manners.hook_timeout:g} s and was killed")

    def _on_signal(self, arrived: Arrived) -> None:
        if arrived.number == signal.SIGCHLD:
            for ended in reap():
                self._on_child(ended)
            return
        if arrived.number in ENDING:
            self._is_ending = True  # whoever wants an end does not want another start
            self._is_restarting = False
            self._is_leaving = self._is_leaving or (arrived.number in _LAST and not arrived.is_shared)
            if not self._pid:
                self._status = 128 + arrived.number
        if self._pid and not arrived.is_shared:  # else the command has it already
            self._pass_on(arrived.number)

    def _pass_on(self, number: int) -> None:
        if number == signal.SIGCONT and self._manners.group:
            bring_to_front(self._pid)
        if number in ENDING and self._manners.patience is not None:
            self._kill_at = lasting_clock() + self._manners.patience
        self._send(number)

    def _send(self, number: int) -> None:
        """Send a signal to the child, which is ours until it is reaped: its id is nobody else's."""
        if not self._pid:
            return
        try:
            if self._manners.group:
                os.killpg(self._pid, number)
            else:
                os.kill(self._pid, number)
        except (ProcessLookupError, PermissionError):  # it has just ended; or it is another user now
            return

    def _on_child(self, ended: Ended) -> None:
        if ended.pid == self._hook.pid:
            if not ended.stopped and (status := self._hook.done(ended.status)):
                self._say.warn(f"the hook failed with status {status}")
            self._run_hook_again()
        elif ended.pid == self._pid and ended.stopped:
            if ended.stopped in _STOPPING and os.isatty(0) and os.getpid() != 1:
                os.kill(os.getpid(), signal.SIGSTOP)  # so that the shell sees its job stop
        elif ended.pid == self._pid:
            self._on_end(ended.status)

    def _on_end(self, status: int) -> None:
        self._pid = 0
        self._kill_at = float("inf")
        now = lasting_clock()
        if self._is_restarting:
            self._start()
        elif status and not self._is_ending and (wait := self._restarts.wait(now)) is not None:
            self._start_at = now + wait
            self._say.warn(f"the command ended with status {status} just after a restart; starting it in {wait:g} s")
        else:
            self._status = status

    def _start(self) -> None:
        self._is_restarting = self._is_ending = False
        self._start_at = float("inf")
        now = lasting_clock()
        self._restarts.note(now)
        failure: CommandError | None = None
        try:
            if self._program:
                self._pid = spawn(self._program)
        except CommandError as error:
            failure = error
        if failure:
            self._say.warn(failure.message)
            self._on_end(failure.exit_status)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Changed):
            self._on_change(event)
        elif isinstance(event, Rejected):
            self._say.problems("the new settings are not valid; the command keeps the ones it has", event.problems)
        elif isinstance(event, Outage):
            self._say.problems("the settings cannot be read; the command keeps the ones it has", event.problems)
        elif isinstance(event, Recovered):
            self._say.inform(f"the settings can be read again, after {event.seconds:.0f} s")

    def _on_change(self, changed: Changed) -> None:
        names = ", ".join(f"`{name}`" for name in changed.names)
        if self._is_leaving:
            self._say.inform(f"{names} changed: nothing is done, as the command is ending")
            return
        refusal: ConfsvcError | None = None
        try:
            self._program = self._program_of(changed.resolution)
        except ConfsvcError as error:
            refusal = error
        if refusal:
            self._say.problems("the new settings cannot be handed over", refusal.problems)
            return
        action = self._manners.action
        if action.kind == "restart":
            self._say.inform(f"{names} changed: restarting the command")
            self._restart()
        elif action.kind == "signal":
            self._say.inform(f"{names} changed: sending {signal.Signals(action.signal).name} to the command")
            self._send(action.signal)
        else:
            self._say.inform(f"{names} changed: running the hook")
            self._run_hook(changed.names)

    def _restart(self) -> None:
        self._restarts.forgive()
        if not self._pid:  # it waits for its next start anyway
            self._start_at = min(self._start_at, lasting_clock())
            return
        if not self._is_restarting:
            self._is_restarting = True
            self._kill_at = lasting_clock() + self._manners.stop_timeout
            self._send(self._manners.stop_signal)

    def _run_hook(self, names: tuple[str, ...]) -> None:
        failure: CommandError | None = None
        try:
            if self._program:
                self._hook.run(self._program.environ, names)
        except CommandError as error:
            failure = error
        if failure:
            self._say.warn(f"the hook: {failure.message}")

    def _run_hook_again(self) -> None:
        names = self._hook.take_waiting()
        if names:
            self._run_hook(names)
