"""Bytes in and out of a socket that never waits, plain or through TLS. Both have the same five methods."""

import _socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl

__all__ = ["PlainStream", "Stream", "TlsStream"]

_PIECE = 64 * 1024


class Stream(Protocol):
    """What a connection needs of one. Every method may raise `OSError`, and returns at once."""

    def shake_hands(self) -> bool:
        """Go on with what comes before the first request; true when it is over."""
        ...

    def write(self, data: bytes) -> None:
        """Take ``data`` to be sent, and send what can be sent now."""
        ...

    def flush(self) -> None:
        """Send more of what was taken."""
        ...

    def read(self, buffer: bytearray) -> bool:
        """Add what has come to ``buffer``; false when the other side has finished."""
        ...

    @property
    def unsent(self) -> bool:
        """Whether something taken is still to be sent."""
        ...


class PlainStream:
    """Bytes as they are."""

    __slots__ = ("_out", "_socket")

    def __init__(self, socket: _socket.socket) -> None:
        self._socket = socket
        self._out = bytearray()

    def shake_hands(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        self._out += data
        self.flush()

    def flush(self) -> None:
        while self._out:
            try:
                sent = self._socket.send(self._out)
            except BlockingIOError:
                return
            del self._out[:sent]

    def read(self, buffer: bytearray) -> bool:
        try:
            piece = self._socket.recv(_PIECE)
        except BlockingIOError:
            return True
        buffer += piece
        return bool(piece)

    @property
    def unsent(self) -> bool:
        return bool(self._out)


class TlsStream:
    """Bytes through TLS, which works in memory: what the network sees goes through a `PlainStream`."""

    __slots__ = ("_incoming", "_outgoing", "_plain", "_tls")

    def __init__(
        self, socket: _socket.socket, context: "ssl.SSLContext", name: str, session: "ssl.SSLSession | None"
    ) -> None:
        import ssl

        self._plain = PlainStream(socket)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # As bytes, or Python loads its tables of international names first.
        host = name.encode("ascii")
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host, session=session)

    def shake_hands(self) -> bool:
        import ssl

        if not self._receive():
            raise ConnectionResetError
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            # Also the alert that tells the server why we leave.
            self.flush()
        return True

    def write(self, data: bytes) -> None:
        self._tls.write(data)
        self.flush()

    def flush(self) -> None:
        if self._outgoing.pending:
            self._plain.write(self._outgoing.read())
        else:
            self._plain.flush()

    def read(self, buffer: bytearray) -> bool:
        import ssl

        is_open = self._receive()
        try:
            while piece := self._tls.read(_PIECE):
                buffer += piece
        except ssl.SSLWantReadError:
            self.flush()  # an answer to a change of keys
            return is_open
        return False

    def _receive(self) -> bool:
        piece = bytearray()
        is_open = self._plain.read(piece)
        self._incoming.write(piece)
        return is_open

    @property
    def unsent(self) -> bool:
        return self._plain.unsent or bool(self._outgoing.pending)

    @property
    def session(self) -> "ssl.SSLSession | None":
        """What a later connection can start from, so that certificates are not sent and checked again."""
        return self._tls.session
