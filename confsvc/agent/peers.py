"""Who may ask: by what the kernel says of the other side, as it was when it connected."""

import socket
import struct
from typing import NamedTuple

from confsvc.thin.place import peer_of

__all__ = ["Peer", "Peers", "peer"]

_GROUPS = 59  # SO_PEERGROUPS of <asm-generic/socket.h>, which Python has no name for
_MOST = 1024  # supplementary groups
_NUMBER = struct.Struct("=I")


class Peer(NamedTuple):
    """The other side of a connection."""

    pid: int
    uid: int
    gid: int

    def told(self) -> dict[str, object]:
        """Return it for the log."""
        return {"pid": self.pid, "uid": self.uid}


class Peers(NamedTuple):
    """Who is let in: by user, or by group."""

    uids: frozenset[int]
    gids: frozenset[int] = frozenset()

    @property
    def is_wide(self) -> bool:
        """Whether others than one user are let in, so that the socket must be open to them."""
        return len(self.uids) > 1 or bool(self.gids)

    def admit(self, connection: socket.socket, found: Peer) -> bool:
        """Whether the other side of ``connection`` is let in."""
        if found.uid in self.uids or found.gid in self.gids:
            return True
        return bool(self.gids) and not self.gids.isdisjoint(_groups(connection))


def peer(connection: socket.socket) -> Peer:
    """Return the other side of ``connection``. Raises OSError where the kernel does not tell."""
    return Peer(*peer_of(connection))


def _groups(connection: socket.socket) -> set[int]:
    try:
        told = connection.getsockopt(socket.SOL_SOCKET, _GROUPS, _MOST * _NUMBER.size)
    except OSError:
        return set()
    return {number for (number,) in _NUMBER.iter_unpack(told)}
