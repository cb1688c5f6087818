"""The one thread of a process that watches for all."""

import atexit
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Container, Sequence

from confsvc.adapter import lasting_clock
from confsvc.live.bell import Bell
from confsvc.live.listeners import guarded
from confsvc.live.sharing import Shared
from confsvc.live.uwsgi import forbids_threads
from confsvc.watching import Event, Watcher

__all__ = ["Hub", "Member", "hub"]

_FAREWELL = 3.0  # seconds that somebody who closes waits: giving back what was leased takes less
_REST = 5.0  # seconds that a watcher is left alone after an error that nobody expected, which is logged
_FRESH = 1.0  # seconds for which what was read on request answers the next request

Tell = Callable[[Event], None]


class Member:
    """A watcher, and where it tells what happens. Only the hub's thread uses the watcher.

    ``find`` returns the function to tell, None when whoever wanted to know is gone.
    """

    def __init__(self, watcher: Watcher, find: Callable[[], Tell | None]) -> None:
        self.watcher = watcher
        self._find = find
        self.is_closing = False
        self.is_closed = threading.Event()
        self._asking: deque[threading.Event] = deque()
        self._read_at = float("-inf")
        self._rests_until = float("-inf")

    def ask(self) -> threading.Event:
        """Return an event that is set when everything was read anew."""
        answered = threading.Event()
        if lasting_clock() - self._read_at < _FRESH:
            answered.set()
        else:
            self._asking.append(answered)
        return answered

    def due(self) -> float:
        """Return when it wants its turn."""
        if self.is_closing:
            return float("-inf")
        return max(self._rests_until, float("-inf") if self._asking else self.watcher.due())

    def listeners(self) -> list[socket.socket]:
        """Return where other processes ask, if they do."""
        shared = self.watcher.upstream
        return [shared.listener] if isinstance(shared, Shared) and shared.listener else []

    def serve(self, asked: Container[int]) -> None:
        """Answer other processes, if the descriptor of our listener is among those ``asked``."""
        shared = self.watcher.upstream
        if isinstance(shared, Shared) and shared.listener and shared.listener.fileno() in asked:
            guarded("answering other processes", shared.serve)

    def abandon(self) -> None:
        """Let go of what belongs to the process that this one was forked from."""
        if isinstance(self.watcher.upstream, Shared):
            self.watcher.upstream.abandon()

    def take_turn(self) -> bool:
        """Do what is due. Returns whether there is more to come."""
        tell = self._find()
        if self.is_closing or tell is None:
            guarded("closing a watcher", self.watcher.close)
            self.is_closing = True
            self.is_closed.set()
            self._answer(len(self._asking))
            return False
        if self.due() <= lasting_clock() and guarded("watching", lambda: self._act(tell)):
            self._rests_until = lasting_clock() + _REST
        return True

    def _act(self, tell: Tell) -> None:
        asking = len(self._asking)
        if not asking:
            self.watcher.step(tell)
            return
        began = lasting_clock()
        try:
            self.watcher.refresh(tell)
            self._read_at = began
        finally:
            # Who has asked meanwhile wants a later reading, unless this one is new enough.
            self._answer(len(self._asking) if lasting_clock() - began < _FRESH else asking)

    def _answer(self, count: int) -> None:
        for _ in range(count):
            self._asking.popleft().set()

    def successor(self) -> "Member | None":
        """Return its like for a forked process; None where nobody wants it there."""
        if self.is_closing or self._find() is None:
            return None
        return Member(self.watcher.successor(), self._find)


class Hub:
    """Gives every member its turn, in a thread that lives while there are any; with ``is_asleep`` there is none."""

    def __init__(self, *, is_asleep: bool = False) -> None:
        self._is_asleep = is_asleep
        self._lock = threading.Lock()
        self._bell: Bell | None = None
        self._members: dict[object, Member] = {}
        self._thread: threading.Thread | None = None

    def add(self, key: object, member: Member) -> None:
        """Watch for ``member``, which is called ``key`` from now on."""
        with self._lock:
            self._members[key] = member
            if self._thread is None and not self._is_asleep:
                self._bell = Bell()
                self._thread = threading.Thread(target=self._run, name="confsvc-watch", daemon=True)
                self._thread.start()
        self._ring()

    def refresh(self, key: object, timeout: float) -> bool:
        """Have everything read anew, and return whether that was done within ``timeout`` seconds."""
        member = self._members.get(key)
        if member is None or self._is_asleep:
            return False
        answered = member.ask()
        self._ring()
        return answered.is_set() or (not self.is_here and answered.wait(timeout))

    def close(self, key: object) -> None:
        """Stop watching for a member, and give back what was made for it."""
        member = self._members.get(key)
        self.forget(key)
        if member is not None and not self.is_here and not self._is_asleep:
            member.is_closed.wait(_FAREWELL)

    def forget(self, key: object) -> None:
        """Do what `close` does, later."""
        member = self._members.get(key)
        if member is not None:
            member.is_closing = True
            self._ring()

    def close_all(self) -> None:
        """Stop watching for everybody."""
        members = list(self._members.values())
        for member in members:
            member.is_closing = True
        self._ring()
        for member in members if not self._is_asleep else ():
            member.is_closed.wait(_FAREWELL)

    @property
    def is_here(self) -> bool:
        """Whether the caller runs in the hub's own thread."""
        return self._thread is threading.current_thread()

    def successor(self) -> "Hub":
        """Return a hub for a forked process."""
        made = Hub()
        if self._bell:
            self._bell.close()
        for key, member in list(self._members.items()):
            member.abandon()
            heir = member.successor()
            if heir is not None:
                made.add(key, heir)
        return made

    def _ring(self) -> None:
        if self._bell:
            self._bell.ring()

    def _run(self) -> None:
        while members := self._present():
            due = min(member.due() for _, member in members)
            asked = self._wait(due, [one for _, member in members for one in member.listeners()])
            for key, member in members:
                member.serve(asked)
                if not member.take_turn():
                    self._drop(key, member)

    def _wait(self, due: float, listeners: Sequence[socket.socket]) -> set[int]:
        bell = self._bell
        return bell.wait(due - lasting_clock(), listeners) if bell else set()

    def _present(self) -> list[tuple[object, Member]]:
        """Return all members. Where there is none the thread is over, and the next member starts another."""
        with self._lock:
            if not self._members:
                self._thread = None
                if self._bell:
                    self._bell.close()
            return list(self._members.items())

    def _drop(self, key: object, member: Member) -> None:
        with self._lock:
            if self._members.get(key) is member:
                del self._members[key]


class _Process:
    """What a process has one of. It comes into being with the first watcher: importing starts nothing."""

    hub: Hub | None = None
    pid = 0


def hub() -> Hub:
    """Return this process's hub."""
    if _Process.hub is None:
        _Process.hub = Hub(is_asleep=forbids_threads(_after_fork))
        _Process.pid = os.getpid()
        os.register_at_fork(after_in_child=_after_fork)
        atexit.register(_at_exit)
    return _Process.hub


def _after_fork() -> None:
    """Go on in the child. Nothing of the parent's is used: its thread is not here, and may have held any lock."""
    if _Process.hub is not None and _Process.pid != os.getpid():  # uWSGI can be told to say it, too
        _Process.pid = os.getpid()
        _Process.hub = _Process.hub.successor()


def _at_exit() -> None:
    if _Process.hub is not None:
        _Process.hub.close_all()
