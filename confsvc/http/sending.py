"""One round of calls: which is sent when, on which connection, and with which others."""

import time
from collections.abc import Sequence
from select import poll

from confsvc.adapter import Deadline
from confsvc.http.batches import connections_for, plan
from confsvc.http.connection import Connection
from confsvc.http.exchange import Exchange
from confsvc.http.failures import Failure
from confsvc.http.messages import request_bytes
from confsvc.http.origin import Origin
from confsvc.http.pool import Pool

__all__ = ["Sending"]

_FOREVER = float("inf")
_PATIENCE = 2.0  # seconds for an address to take a connection, before the next one, or another try


class Sending:
    """A round of calls to ``origin`` over connections of ``pool``, ``limit`` at most, with ``depth`` calls on each."""

    __slots__ = ("_active", "_deadline", "_depth", "_limit", "_origin", "_pool", "_user_agent", "_waiting")

    def __init__(
        self, pool: Pool, origin: Origin, deadline: Deadline, *, limit: int, depth: int, user_agent: str
    ) -> None:
        self._pool, self._origin, self._deadline = pool, origin, deadline
        self._limit, self._depth, self._user_agent = limit, depth, user_agent
        self._waiting: list[Exchange] = []
        self._active: list[tuple[Connection, Sequence[Exchange]]] = []

    def run(self, exchanges: Sequence[Exchange], *, expect: int = 0) -> None:
        """Bring ``exchanges`` to their outcomes, or to the deadline; meanwhile open connections for ``expect`` more."""
        self._waiting = [exchange for exchange in exchanges if exchange.is_fresh]
        try:
            while self._is_busy() and self._deadline.remaining():
                self._dispatch()
                self._warm_up(expect)
                expect = 0
                self._pool.prepare()
                if self._is_busy():
                    self._wait()
        finally:
            for connection, _ in self._active:
                connection.close()

    def open(self) -> None:
        """Open one connection, and leave it to the pool."""
        self._pool.check()
        self._add_connection()
        self._pool.prepare()
        try:
            while self._active and self._deadline.remaining():
                self._wait()
        finally:
            for connection, _ in self._active:
                connection.close()

    def _is_busy(self) -> bool:
        return bool(self._waiting) or any(batch for _, batch in self._active)

    def _warm_up(self, expect: int) -> None:
        """Open what ``expect`` calls after these are worth, while these wait for their answers."""
        here = len(self._active) + len(self._pool)
        if not expect or not self._active:
            return
        depth = self._depth if self._pool.pipelines else 1
        wanted = connections_for(expect, warm=here, free=self._limit, depth=depth)
        for _ in range(wanted - here):
            self._add_connection()

    def _add_connection(self) -> None:
        connection = self._pool.fresh(self._deadline)
        if isinstance(connection, Connection):
            connection.carry([], b"", until=self._deadline.at, patience=_PATIENCE)
            self._active.append((connection, []))

    def _dispatch(self) -> None:
        now = time.monotonic()
        ready = [exchange for exchange in self._waiting if exchange.ready_at <= now]
        if ready and len(self._active) < self._limit:
            self._pool.check()
            for batch in self._batches(ready):
                self._start(batch)

    def _batches(self, ready: Sequence[Exchange]) -> list[Sequence[Exchange]]:
        free = self._limit - len(self._active)
        singles = [exchange for exchange in ready if exchange.alone][:free]
        shared = [exchange for exchange in ready if not exchange.alone]
        warm = max(0, len(self._pool) - sum(exchange.repeatable for exchange in singles))
        depth = self._depth if self._pool.pipelines else 1
        return [[one] for one in singles] + plan(shared, warm=warm, free=free - len(singles), depth=depth)

    def _start(self, batch: Sequence[Exchange]) -> None:
        self._waiting = [exchange for exchange in self._waiting if exchange not in batch]
        for exchange in batch:
            exchange.attempts += 1
        connection = self._connection(repeatable=batch[0].repeatable)
        if isinstance(connection, Failure):
            self._fail(batch, connection)
            return
        calls = [exchange.call for exchange in batch]
        last = any(exchange.is_last_try for exchange in batch)
        # While another try is left, time is left for it, so that a server that went silent costs half of it at most.
        share = 1.0 if last or not batch[0].repeatable else 0.5
        connection.carry(
            calls,
            request_bytes(calls, self._origin, self._user_agent),
            until=time.monotonic() + self._deadline.remaining() * share,
            patience=_FOREVER if last else _PATIENCE,
        )
        self._active.append((connection, batch))

    def _connection(self, *, repeatable: bool) -> Connection | Failure:
        """Return a connection: a new one for what must not be sent twice, as an old one may be dead without a sign."""
        if repeatable and len(self._pool):
            return self._pool.take()
        if len(self._active) + len(self._pool) >= self._limit:
            self._pool.take().close()
        return self._pool.fresh(self._deadline)

    def _wait(self) -> None:
        """Let every connection do what it can, as soon as one can do anything."""
        poller = poll()
        for connection, _ in self._active:
            if not connection.done:
                poller.register(connection.fileno(), connection.events())
        happened = {descriptor for descriptor, _ in poller.poll(self._pause())}
        now = time.monotonic()
        for connection, _ in self._active:
            if connection.fileno() in happened:
                connection.advance()
            if not connection.done and now >= connection.next_check():
                connection.expire(now)
        finished = [one for one in self._active if one[0].done]
        self._active = [one for one in self._active if not one[0].done]
        for connection, batch in finished:
            self._finish(connection, batch)

    def _pause(self) -> float:
        """Return for how many milliseconds nothing needs to be done unless something happens."""
        now = time.monotonic()
        moments = [self._deadline.at, *(connection.next_check() for connection, _ in self._active)]
        if len(self._active) < self._limit:
            moments += [exchange.ready_at for exchange in self._waiting]
        if any(connection.done for connection, _ in self._active):
            return 0.0
        return max(0.0, min(moments) - now) * 1000 + 1

    def _finish(self, connection: Connection, batch: Sequence[Exchange]) -> None:
        if connection.failure and batch:
            connection.close()
            self._finish_broken(connection, batch, connection.failure)
            return
        for exchange, answer in zip(batch, connection.answers, strict=True):
            if exchange.hears_answer(answer):
                self._waiting.append(exchange)
        if connection.reusable:
            self._pool.keep(connection)
        else:
            connection.close()

    def _finish_broken(self, connection: Connection, batch: Sequence[Exchange], failure: Failure) -> None:
        if failure.local and self._active:
            self._limit = len(self._active)
            for exchange in batch:
                exchange.forget_attempt()
            self._waiting += batch
            return
        if failure.unsent:
            self._pool.doubt_addresses()
            self._fail(batch, failure)
        elif connection.reused and not connection.heard and not failure.silent:
            self._pool.close()
            self._spare(batch, failure)
        elif len(batch) == 1:
            self._fail(batch, failure)
        else:
            # Which call it was cannot be known, so each is sent again by itself.
            self._pool.pipelines = False
            end = self._spare if connection.left else self._fail
            end(batch, failure._replace(again=True))

    def _spare(self, batch: Sequence[Exchange], failure: Failure) -> None:
        spared = [exchange for exchange in batch if exchange.spare()]
        self._waiting += spared
        self._fail([exchange for exchange in batch if exchange not in spared], failure)

    def _fail(self, batch: Sequence[Exchange], failure: Failure) -> None:
        # One pause for all: what could not be sent together is sent together again.
        pause = max((exchange.pause() for exchange in batch), default=0.0)
        self._waiting += [exchange for exchange in batch if exchange.hears_failure(failure, pause)]
