"""One connection, and the batch of calls that it carries now. It never waits: `advance` does what can be done."""

import _socket
import time
from collections.abc import Callable, Sequence
from errno import EINPROGRESS, ENOTCONN
from select import POLLIN, POLLOUT

from confsvc.http.failures import Failure, of_answer, of_connecting, of_silence, of_surplus, of_transport
from confsvc.http.messages import Answer, Call
from confsvc.http.names import Address
from confsvc.http.origin import Origin
from confsvc.http.parsing import BadAnswer, Reading, answer_from, keeps_open
from confsvc.http.streams import PlainStream, Stream
from confsvc.http.tls import Secure, explain

__all__ = ["Connection"]

_FAREWELL = 0.5  # seconds to close a connection after the last answer
_CONNECTING, _SHAKING, _OPEN = range(3)


class Connection:
    """A connection to ``origin``, not opened yet.

    When a batch is ``done``, ``answers`` has one for each call, in order, unless there is a ``failure``: then no answer
    is to be used. ``left`` says that the server took its leave in due form before it had answered all.

    Answers say nothing of what they answer; only their number and order does. So a batch of several calls ends with
    the connection: when it closes after as many answers as there were calls, none was lost and none was added.
    """

    __slots__ = (
        "_addresses", "_buffer", "_calls", "_data", "_origin", "_patience", "_reading", "_secure", "_socket", "_stage",
        "_stream", "_turn", "answers", "done", "failure", "heard", "idle_since", "left", "reused", "until",
    )  # fmt: skip

    def __init__(self, origin: Origin, addresses: Sequence[Address], secure: Secure | None) -> None:
        self._origin, self._addresses, self._secure = origin, list(addresses), secure
        self._socket: _socket.socket | None = None
        self._stream: Stream | None = None
        self._stage = _CONNECTING
        self._buffer = bytearray()
        self._reading: Reading | None = None
        self._turn = self._patience = self.until = self.idle_since = 0.0
        self._calls: Sequence[Call] = ()
        self._data = b""
        self.answers: list[Answer] = []
        self.failure: Failure | None = None
        self.done = self.heard = self.left = self.reused = False

    def carry(self, calls: Sequence[Call], data: bytes, *, until: float, patience: float) -> None:
        """Start on a batch: ``calls``, whose bytes are ``data``, to be done by ``until`` on the monotonic clock.

        With no calls the connection is opened, no more.

        ``patience`` is how many seconds an address may take to answer at all, where they have to share the time, less.
        """
        self._calls, self._data, self.until = calls, data, until
        self.answers, self.failure, self.done, self.heard = [], None, False, False
        if self._stage == _CONNECTING:
            self._patience = min(patience, (until - time.monotonic()) / len(self._addresses))
            self._connect()
        else:
            self.reused = True
            self._guarded(self._send)

    @property
    def reusable(self) -> bool:
        """Whether the batch ended in a way that leaves the connection good for another one."""
        return (
            self.done
            and self.failure is None
            and len(self._calls) < 2
            and all(keeps_open(answer) for answer in self.answers[-1:])
            and self._stream is not None
            and not self._stream.unsent
        )

    def is_quiet(self) -> bool:
        """Tell whether the connection is still open, and nothing came on it that nobody asked for."""
        if self._stream is None:
            return False
        try:
            return self._stream.read(self._buffer) and not self._buffer
        except OSError:
            return False

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno() if self._socket else -1

    def events(self) -> int:
        """Return what to wait for."""
        if self._stage == _CONNECTING:
            return POLLOUT
        return POLLIN | POLLOUT if self._stream and self._stream.unsent else POLLIN

    def next_check(self) -> float:
        """Return when `expire` must be called, on the monotonic clock."""
        return min(self._turn, self.until) if self._stage == _CONNECTING else self.until

    def expire(self, now: float) -> None:
        """Give up what has taken too long at ``now``: an address, or the batch."""
        if now >= self.until:
            self._end(of_silence(self._origin, unsent=self._stage != _OPEN))
        elif self._stage == _CONNECTING and now >= self._turn:
            self._connect()

    def advance(self) -> None:
        """Do what the events waited for make possible."""
        self._guarded(self._progress)

    def close(self) -> None:
        """Let go of the descriptor. Nothing is sent: in a forked child the connection still is the parent's."""
        if self._socket:
            self._socket.close()
        self._socket = self._stream = None

    def _end(self, failure: Failure | None = None) -> None:
        self.failure, self.done = failure, True
        if self._secure and self._stream and not failure:
            self._secure.remember(self._stream)

    def _guarded(self, step: Callable[[], None]) -> None:
        failure = None
        try:
            step()
        except OSError as error:
            failure = self._reason(error)
        if failure:
            self._end(failure)

    def _reason(self, error: OSError) -> Failure:
        found = explain(error, self._origin, self._secure.tls) if self._secure else None
        return found or of_transport(self._origin, opening=self._stage != _OPEN, started=self.heard)

    def _connect(self, code: int = 0) -> None:
        """Try the next address; ``code`` is why the last one was of no use, zero if it said nothing."""
        while self._addresses:
            self.close()
            address = self._addresses.pop(0)
            code = self._try(address)
            if not code:
                self._turn = time.monotonic() + self._patience
                return
        self._end(of_connecting(code, self._origin) if code else of_silence(self._origin, unsent=True))

    def _try(self, address: Address) -> int:
        try:
            self._socket = _socket.socket(address.family, _socket.SOCK_STREAM)
            self._socket.setblocking(False)
            self._socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            code = self._socket.connect_ex(address.target)
        except OSError as error:
            code = error.errno or ENOTCONN
        return 0 if code == EINPROGRESS else code

    def _progress(self) -> None:
        if self._stage == _CONNECTING and not self._connected():
            return
        if self._stage == _SHAKING and not self._shaken():
            return
        self._exchange()

    def _connected(self) -> bool:
        if self._socket is None:
            return False
        code = self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if code:
            self._connect(code)
            return False
        self._stream = self._secure.dress(self._socket) if self._secure else PlainStream(self._socket)
        self._stage = _SHAKING
        return True

    def _shaken(self) -> bool:
        if self._stream is None or not self._stream.shake_hands():
            return False
        self._stage = _OPEN
        if not self._calls:
            self._end()
            return False
        self._send()
        return True

    def _send(self) -> None:
        if self._stream:
            self._stream.write(self._data)

    def _exchange(self) -> None:
        if self._stream is None:
            return
        self._stream.flush()
        is_open = self._stream.read(self._buffer)
        self.heard = self.heard or bool(self._buffer)
        self._parse()
        if self.done or is_open:
            return
        self.left = self._is_over and len(self.answers) < len(self._calls)
        if self._is_over and not self.left:
            self._end()
        else:
            self._end(of_transport(self._origin, opening=False, started=self.heard))

    @property
    def _is_over(self) -> bool:
        """Whether the server has nothing more to say: it answered everything, or said that it is leaving."""
        return bool(self.answers) and (len(self.answers) == len(self._calls) or not keeps_open(self.answers[-1]))

    def _parse(self) -> None:
        while not self._is_over and (answer := self._next_answer()):
            self.answers.append(answer)
        if self.done or not self._is_over:
            return
        if self._buffer:
            self._end(of_surplus(self._origin))
        elif len(self._calls) == 1:
            self._end()
        else:
            self.until = min(self.until, time.monotonic() + _FAREWELL)

    def _next_answer(self) -> Answer | None:
        """Return the next answer, or None: there is not enough of it yet, or it is none."""
        reading = self._reading or answer_from(self._buffer, self._calls[len(self.answers)].method)
        self._reading = None
        try:
            next(reading)
        except StopIteration as stop:
            answer: Answer = stop.value
            return answer
        except BadAnswer as bad:
            self._end(of_answer(self._origin, bad.reason, again=bad.again))
            return None
        self._reading = reading
        return None
