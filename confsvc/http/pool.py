"""The connections to one origin that have nothing to do, and what new ones need."""

import os
import time

from confsvc.adapter import Deadline
from confsvc.http.connection import Connection
from confsvc.http.failures import Failure
from confsvc.http.names import Address, addresses_of
from confsvc.http.origin import Origin
from confsvc.http.tls import Secure, Tls

__all__ = ["Pool"]

_LONGEST_REST = 30.0  # seconds; servers and firewalls forget idle connections after 60 at the earliest, mostly


class Pool:
    """Connections to ``origin``. ``pipelines`` turns false once the server is seen not to take several calls."""

    __slots__ = ("_addresses", "_idle", "_origin", "_owner", "_secure", "_tls", "pipelines")

    def __init__(self, origin: Origin, tls: Tls) -> None:
        self._origin, self._tls = origin, tls
        self._idle: list[Connection] = []
        self._addresses: list[Address] = []
        self._secure: Secure | None = None
        self._owner = 0
        self.pipelines = True

    def __len__(self) -> int:
        return len(self._idle)

    def check(self) -> None:
        """Drop every idle connection that is of no use: closed by the server, too old, or of a parent process.

        After a fork both processes hold the same descriptors, and two that write to one would get each other's secrets.
        """
        if self._owner != os.getpid():
            self.close()
            self._owner = os.getpid()
        oldest = time.monotonic() - _LONGEST_REST
        alive = [one for one in self._idle if one.idle_since > oldest and one.is_quiet()]
        for connection in self._idle:
            if connection not in alive:
                connection.close()
        self._idle = alive

    def take(self) -> Connection:
        """Return the idle connection used last."""
        return self._idle.pop()

    def fresh(self, deadline: Deadline) -> Connection | Failure:
        """Return a new connection, not opened yet, or why the host has no address."""
        if self._origin.scheme == "https" and self._secure is None:
            self._secure = Secure(self._origin, self._tls)
        if not self._addresses:
            found = addresses_of(self._origin, deadline)
            if isinstance(found, Failure):
                return found
            self._addresses = found
        return Connection(self._origin, self._addresses, self._secure)

    def prepare(self) -> None:
        """Load what TLS needs, which takes as long as the network takes to make a connection: so do both at once.

        Raises:
            ManifestError: a file with certificates cannot be used.

        """
        if self._secure:
            self._secure.context()

    def keep(self, connection: Connection) -> None:
        """Take back a connection that is reusable."""
        connection.idle_since = time.monotonic()
        self._idle.append(connection)

    def doubt_addresses(self) -> None:
        """Look the name up again before the next connection: none was made to what is known."""
        self._addresses = []

    def close(self) -> None:
        """Close every idle connection."""
        for connection in self._idle:
            connection.close()
        self._idle = []
