"""Which calls share a connection.

A read on a connection that is open already costs one round trip, on a new one two, or three with TLS. Several reads
that are sent in one go cost one together, but a slow one holds up those behind it.
"""

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["connections_for", "plan"]

T = TypeVar("T")

_SHARE = 4  # calls on a new connection: fewer mean more handshakes, more mean longer queues


def connections_for(calls: int, *, warm: int, free: int, depth: int) -> int:
    """Return how many connections ``calls`` are worth: the ``warm`` ones alone if they suffice, never over ``free``."""
    if calls <= depth * warm:
        return min(warm, free, calls)
    return min(free, max(warm, -(-calls // min(_SHARE, depth))))


def plan(calls: Sequence[T], *, warm: int, free: int, depth: int) -> list[Sequence[T]]:
    """Split ``calls``, or the first of them, into batches of at most ``depth``, at most one per connection.

    There are ``free`` connections, ``warm`` of which are open.
    """
    count = connections_for(len(calls), warm=min(warm, free), free=free, depth=depth)
    if not count:
        return []
    size = min(depth, -(-len(calls) // count))
    return [calls[at : at + size] for at in range(0, min(len(calls), size * count), size)]
