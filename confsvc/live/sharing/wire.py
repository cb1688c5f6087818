"""What is said between processes: frames that only those who know the same secret can make."""

import hmac
import os
import socket
import struct
from json import dumps, loads
from typing import Any, NamedTuple

__all__ = ["Channel", "WireError"]

_LENGTH = struct.Struct("!I")
_LARGEST = 64 * 1024 * 1024
_NONCE = 16
_DIGEST = 32


class WireError(Exception):
    """The other side is gone, or is not one of us."""


class Channel(NamedTuple):
    """A connection on which both sides show that they know ``key`` with each thing they say.

    ``ours`` and ``theirs`` are what each has thrown in, so that nothing said elsewhere can be said again here.
    """

    connection: socket.socket
    key: bytes
    ours: bytes
    theirs: bytes

    @classmethod
    def open(cls, connection: socket.socket, key: bytes) -> "Channel":
        """Begin. Raises WireError."""
        ours = os.urandom(_NONCE)
        try:
            connection.sendall(ours)
        except OSError:
            raise WireError from None
        return cls(connection, key, ours, _receive(connection, _NONCE))

    def say(self, message: object) -> None:
        """Send ``message``, which JSON can hold. Raises WireError."""
        body = dumps(message).encode()
        digest = self._digest(self.ours, self.theirs, body)
        try:
            self.connection.sendall(_LENGTH.pack(len(body)) + digest + body)
        except OSError:
            raise WireError from None

    def hear(self) -> Any:
        """Return what the other side says. Raises WireError."""
        (length,) = _LENGTH.unpack(_receive(self.connection, _LENGTH.size))
        if length > _LARGEST:
            raise WireError
        digest = _receive(self.connection, _DIGEST)
        body = _receive(self.connection, length)
        if not hmac.compare_digest(digest, self._digest(self.theirs, self.ours, body)):
            raise WireError
        return loads(body)

    def _digest(self, speaker: bytes, listener: bytes, body: bytes) -> bytes:
        return hmac.digest(self.key, speaker + listener + body, "sha256")


def _receive(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        try:
            part = connection.recv(min(length - len(parts), 1 << 16))
        except OSError:
            raise WireError from None
        if not part:
            raise WireError
        parts += part
    return bytes(parts)
