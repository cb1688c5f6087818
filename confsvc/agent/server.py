"""The agent's server on its Unix socket: one thread, which waits for everybody at once and for nobody in particular.

asyncio answers a quarter as many connections, and most clients ask once.
"""

import errno
import os
import select
import socket
from collections.abc import Callable

from confsvc.adapter import lasting_clock
from confsvc.agent.http import INTERIM, BadRequest, Parsed, parse_head, write_reply
from confsvc.agent.log import Log
from confsvc.agent.metrics import Metrics
from confsvc.agent.pages import Asked, Pages, Reply, refuse
from confsvc.agent.peers import Peer, Peers, peer

__all__ = ["Server"]

_PATIENCE = 5.0  # seconds for a request to arrive, and for an answer to be taken
_IDLE = 60.0  # seconds that a connection is kept for the next request
_TURN = 64  # connections that are taken at once, before others get their turn
_SWEEP = 0.5  # seconds between two looks for who has used up its time
_SPARE = 64  # file descriptors that are for something else than connections
_MOST = 4096  # connections
_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
_READ, _WRITE = select.EPOLLIN | select.EPOLLRDHUP, select.EPOLLOUT


class _Connection:
    """Somebody who is connected. ``ends`` is when its time is up, on the lasting clock."""

    __slots__ = ("asked", "ends", "heard", "is_full", "keeps", "socket", "to_say", "who", "with_body")

    def __init__(self, connection: socket.socket, found: Peer, now: float) -> None:
        self.socket = connection
        self.who = found.told()
        self.is_full = False
        self.ends = now + _PATIENCE
        self.heard = bytearray()
        self.to_say: memoryview | None = None
        self.asked: Asked | None = None
        self.keeps = False
        self.with_body = True


class Server:
    """Answers those whom ``peers`` admits. `wake` may be called from any thread and from signal handlers."""

    def __init__(self, listener: socket.socket, peers: Peers, pages: Pages, metrics: Metrics, log: Log) -> None:
        self._listener = listener
        self._peers = peers
        self._pages = pages
        self._metrics = metrics
        self._log = log
        self._poll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._open: dict[int, _Connection] = {}
        self._waiting: set[int] = set()
        self._most = _room()
        self._is_deaf = False
        self._swept = 0.0
        listener.setblocking(False)
        self._poll.register(listener, select.EPOLLIN)
        self._poll.register(self._bell, select.EPOLLIN)

    def wake(self) -> None:
        """Look anew at what those who wait are waiting for."""
        os.eventfd_write(self._bell, 1)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Answer until ``is_over`` says so after a `wake`."""
        while not is_over():
            for descriptor, events in self._poll.poll(_SWEEP if self._open or self._is_deaf else -1):
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor == self._bell:
                    self._ring()
                else:
                    self._serve(descriptor, events)
            now = lasting_clock()
            if now - self._swept >= _SWEEP:
                self._swept = now
                self._sweep(now)

    def close(self) -> None:
        """Hang up on everybody."""
        for connection in list(self._open.values()):
            self._drop(connection)
        self._poll.close()
        os.close(self._bell)

    def _accept(self) -> None:
        for _ in range(_TURN):
            try:
                accepted, _ = self._listener.accept()
            except OSError as error:
                if error.errno in _SHORT:
                    self._make_room()
                return
            self._metrics.connections += 1
            self._welcome(accepted)

    def _welcome(self, accepted: socket.socket) -> None:
        """Take a connection, and answer at once what is there already, as it is with nearly everybody."""
        try:
            found = peer(accepted)
        except OSError:
            accepted.close()
            return
        if not self._peers.admit(accepted, found):
            self._metrics.refused("peer")
            self._log.warning("refused", reason="another user", **found.told())
            accepted.close()
            return
        accepted.setblocking(False)
        connection = _Connection(accepted, found, lasting_clock())
        if len(self._open) >= self._most:
            self._make_room()
        self._open[accepted.fileno()] = connection
        self._metrics.open = len(self._open)
        self._poll.register(accepted, _READ)
        self._hear(connection)

    def _make_room(self) -> None:
        """Hang up on who has used the most time for nothing; where there is nobody, take no more for a moment."""
        self._metrics.refused("busy")
        victim = next((one for one in self._open.values() if one.asked is None and one.to_say is None), None)
        if victim is not None:
            self._drop(victim)
        elif not self._is_deaf:
            self._is_deaf = True
            self._poll.unregister(self._listener)

    def _serve(self, descriptor: int, events: int) -> None:
        connection = self._open.get(descriptor)
        if connection is None:
            return
        if events & _WRITE:
            if self._say(connection):
                self._read(connection)
        elif events & select.EPOLLIN:
            self._hear(connection)
        else:
            self._drop(connection)

    def _hear(self, connection: _Connection) -> None:
        try:
            part = connection.socket.recv(1 << 15)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            self._drop(connection)
            return
        connection.heard += part
        if connection.asked is not None:  # what comes behind a question waits; who sends much of it is not waited for
            if len(connection.heard) > 1 << 15:
                self._refuse(connection, BadRequest(400, "too much at once"))
            return
        self._read(connection)

    def _read(self, connection: _Connection) -> None:
        """Answer the requests that are complete, one after the other."""
        while connection.asked is None and connection.to_say is None:
            failure: BadRequest | None = None
            parsed: Parsed | None = None
            try:
                parsed = parse_head(connection.heard)
            except BadRequest as error:
                failure = error
            if failure is not None:
                self._refuse(connection, failure)
                return
            if parsed is None:
                return
            del connection.heard[: parsed.size]
            connection.keeps, connection.with_body = parsed.keeps, parsed.method != "HEAD"
            asked = self._pages.take(parsed.method, parsed.path, parsed.query, connection.who)
            reply = self._pages.answer(asked)
            if reply is None:
                self._park(connection, asked, is_new=parsed.is_new)
            elif not self._answer(connection, reply):
                return

    def _park(self, connection: _Connection, asked: Asked, *, is_new: bool) -> None:
        connection.asked = asked
        connection.ends = asked.ends
        self._waiting.add(connection.socket.fileno())
        if is_new:  # it hears that somebody is there, and at work
            try:
                connection.socket.send(INTERIM)
            except OSError:
                self._drop(connection)

    def _refuse(self, connection: _Connection, failure: BadRequest) -> None:
        self._metrics.refused("request")
        connection.keeps, connection.with_body = False, True
        self._answer(connection, refuse(failure.status, "request", str(failure)))

    def _answer(self, connection: _Connection, reply: Reply) -> bool:
        """Send ``reply``. Returns whether the connection goes on."""
        connection.asked = None
        self._waiting.discard(connection.socket.fileno())
        connection.to_say = memoryview(write_reply(reply, with_body=connection.with_body, keeps=connection.keeps))
        connection.ends = lasting_clock() + _PATIENCE
        return self._say(connection)

    def _say(self, connection: _Connection) -> bool:
        """Send what is left to say. Returns whether the connection goes on."""
        while connection.to_say:
            try:
                sent = connection.socket.send(connection.to_say)
            except BlockingIOError:
                if not connection.is_full:
                    connection.is_full = True
                    self._poll.modify(connection.socket, _WRITE)
                return True
            except OSError:
                self._drop(connection)
                return False
            connection.to_say = connection.to_say[sent:]
        connection.to_say = None
        if not connection.keeps:
            self._drop(connection)
            return False
        if connection.is_full:
            connection.is_full = False
            self._poll.modify(connection.socket, _READ)
        connection.ends = lasting_clock() + (_IDLE if not connection.heard else _PATIENCE)
        return True

    def _ring(self) -> None:
        """Answer those who wait, where there is an answer now."""
        os.eventfd_read(self._bell)
        for descriptor in list(self._waiting):
            self._try(self._open[descriptor])

    def _try(self, connection: _Connection) -> None:
        reply = self._pages.answer(connection.asked) if connection.asked is not None else None
        if reply is not None and self._answer(connection, reply):
            self._read(connection)

    def _sweep(self, now: float) -> None:
        """Answer those who have waited long enough, and hang up on those who let us wait."""
        for connection in [one for one in self._open.values() if one.ends <= now]:
            if connection.asked is not None:
                self._try(connection)
            else:
                if connection.heard or connection.to_say:
                    self._metrics.refused("slow")
                self._drop(connection)
        if self._is_deaf:
            self._is_deaf = False
            self._poll.register(self._listener, select.EPOLLIN)

    def _drop(self, connection: _Connection) -> None:
        descriptor = connection.socket.fileno()
        if self._open.pop(descriptor, None) is None:
            return
        self._waiting.discard(descriptor)
        self._metrics.open = len(self._open)
        connection.socket.close()  # which also takes it out of the poll


def _room() -> int:
    """Return how many connections there can be, after asking for as many file descriptors as we may have."""
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit

    soft, hard = getrlimit(RLIMIT_NOFILE)
    wanted = _MOST + _SPARE
    if soft < wanted and soft != RLIM_INFINITY:
        soft = wanted if hard == RLIM_INFINITY else min(hard, wanted)
        setrlimit(RLIMIT_NOFILE, (soft, hard))
    return _MOST if soft == RLIM_INFINITY else max(1, min(_MOST, soft - min(_SPARE, soft // 2)))
