"""A TCP proxy that makes a server on loopback as far away as one in another city: `python distance.py PORT SECONDS`.

Every round trip takes SECONDS longer, that of opening a connection too. It prints the port that it listens on.
"""

import asyncio
import contextlib
import sys

__all__ = ["main"]


class _Side(asyncio.Protocol):
    """One of the two connections. What comes here leaves on the other side half a round trip later."""

    def __init__(self, half: float) -> None:
        self._half = half
        self._loop = asyncio.get_running_loop()
        self._last = 0.0
        self._wire: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self.other: _Side | None = None
        self.not_before = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport
        for piece in self._waiting:
            self.send(piece)

    def data_received(self, data: bytes) -> None:
        self._later(data)

    def eof_received(self) -> bool:
        self._later(b"")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._later(b"")

    def send(self, piece: bytes) -> None:
        """Send ``piece`` on this side; an empty one closes it."""
        if self._wire is None:
            self._waiting.append(piece)
        elif piece:
            self._wire.write(piece)
        else:
            self._wire.close()

    def _later(self, piece: bytes) -> None:
        # Two timers for the same moment would be unordered.
        self._last = max(self._loop.time() + self._half, self.not_before + self._half, self._last + 1e-6)
        if self.other:
            self._loop.call_at(self._last, self.other.send, piece)


async def _serve(port: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    opening: set[asyncio.Task[object]] = set()

    def accepted() -> _Side:
        near, far = _Side(seconds / 2), _Side(seconds / 2)
        near.other, far.other = far, near
        # The kernel has taken the connection already, so its round trip is added to the first request.
        near.not_before = loop.time() + seconds
        task: asyncio.Task[object] = loop.create_task(_open(loop, far, port))
        opening.add(task)
        task.add_done_callback(opening.discard)
        return near

    server = await loop.create_server(accepted, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _open(loop: asyncio.AbstractEventLoop, side: _Side, port: int) -> None:
    await loop.create_connection(lambda: side, "127.0.0.1", port)


def main() -> None:
    """Run until killed."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))


if __name__ == "__main__":
    main()
