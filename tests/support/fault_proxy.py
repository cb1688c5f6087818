"""A TCP proxy in front of a server on loopback whose faults can be switched while it runs.

It has the repertoire of toxiproxy (https://github.com/Shopify/toxiproxy#toxics): see `toxics`, and `refuse` for down.
"""

import asyncio
import math
import re
import socket
import struct
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress

from toxics import Toxic

__all__ = ["FaultProxy", "run_proxy"]

_REQUEST = re.compile(rb"([A-Z]+) (/\S*) HTTP/1\.1\r\n")
_NO_LINGER = struct.pack("ii", 1, 0)  # then a close is a reset: https://man7.org/linux/man-pages/man7/socket.7.html
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class FaultProxy:
    """Forwards connections to ``target``, a port of loopback. ``port`` is its own, and stays so while it refuses.

    ``connections`` counts those that came, ``first_at`` is when the first one did, on the monotonic clock (0 for
    never), and ``heard`` is what each of them sent.
    """

    def __init__(self, target: int, loop: asyncio.AbstractEventLoop) -> None:
        self.target = target
        self._place = _bound(0)  # not listening: nobody else gets the port while we refuse
        self.port: int = self._place.getsockname()[1]
        self._stalled: list[socket.socket] = []
        self.connections, self.first_at = 0, 0.0
        self.heard: list[bytearray] = []
        self._loop = loop
        self._server: asyncio.Server | None = None
        self._toxics: tuple[Toxic, ...] = ()
        self._times = math.inf
        self._since = 0
        self._changed = asyncio.Event()
        self._open: dict[_Connection, asyncio.Task[None]] = {}
        self.clear()

    def use(self, *toxics: Toxic, times: int | None = None) -> None:
        """Have ``toxics`` from now on, on the connections there are too; with ``times`` on so many new ones only."""
        self._await(self._set(toxics, times))

    def clear(self) -> None:
        """Have no toxic any more, and listen."""
        self._take_again()
        self._await(self._set((), None))
        self._await(self._listen())

    def refuse(self) -> None:
        """Be down: refuse connections, and close those there are."""
        self._await(self._close())
        self._take_again()

    def stall(self) -> None:
        """Answer no attempt to connect, neither yes nor no: the queue of the listener is full."""
        self.refuse()
        listener = _bound(self.port)
        listener.listen(0)
        self._stalled.append(listener)
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.port))
            self._stalled.append(one)

    def _take_again(self) -> None:
        """End what `stall` began."""
        for one in self._stalled:
            one.close()
        self._stalled = []

    def close(self) -> None:
        """Refuse, and give the port back."""
        self.refuse()
        self._place.close()

    def forget(self) -> None:
        """Count anew."""
        self.connections, self.first_at = 0, 0.0
        self.heard = []

    def requests(self) -> list[str]:
        """Return every HTTP request that came, as ``GET /path``."""
        found = [_REQUEST.findall(bytes(data)) for data in self.heard]
        return [f"{method.decode()} {path.decode()}" for one in found for method, path in one]

    def toxics_for(self, number: float) -> tuple[Toxic, ...]:
        """Return what holds for the connection that is ``number`` since `use`."""
        return self._toxics if number <= self._times else ()

    async def until_changed(self, seconds: float | None) -> bool:
        """Wait until other toxics hold, for ``seconds`` at most. Returns whether they do."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(self._changed.wait(), seconds)
        return False

    async def _set(self, toxics: tuple[Toxic, ...], times: int | None) -> None:
        self._toxics, self._times, self._since = toxics, math.inf if times is None else times, 0
        for connection in self._open:
            connection.number = 0 if times is None else math.inf
        self._changed.set()
        self._changed = asyncio.Event()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port, backlog=512)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._open.values())
        for connection in list(self._open):
            connection.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._since += 1
        self.first_at = self.first_at or time.monotonic()
        connection = _Connection(self, self._since, (reader, writer))
        self.heard.append(connection.heard)
        self._open[connection] = task = self._loop.create_task(connection.run())
        task.add_done_callback(lambda _: self._open.pop(connection))

    def _await(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


def _bound(port: int) -> socket.socket:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", port))
    return one


class _Connection:
    """One connection of a client, and ours to the server."""

    def __init__(self, proxy: FaultProxy, number: float, near: _Streams) -> None:
        self.proxy, self.number = proxy, number
        self.heard = bytearray()
        self._streams = [near]

    async def run(self) -> None:
        """Forward until both sides are done."""
        try:
            with suppress(OSError):
                self._streams.append(await asyncio.open_connection("127.0.0.1", self.proxy.target))
                (near_reader, near), (far_reader, far) = self._streams
                up, down = _Direction(self, "up", far), _Direction(self, "down", near)
                await asyncio.gather(up.run(near_reader), down.run(far_reader))
        finally:
            self.close()

    def close(self) -> None:
        """Close both sides."""
        for _, writer in self._streams:
            writer.close()

    def reset(self) -> None:
        """Reset the client's side, and close the server's."""
        for _, writer in self._streams:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()


class _Direction:
    """The bytes that go to ``writer``: a `Link` for toxics."""

    def __init__(self, connection: _Connection, side: str, writer: asyncio.StreamWriter) -> None:
        self.passed = 0
        self._connection, self._side, self._writer = connection, side, writer
        self.close, self.reset = connection.close, connection.reset
        self.until_changed = connection.proxy.until_changed

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Forward until the other side ends."""
        while piece := await reader.read(65536):
            if self._side == "up":
                self._connection.heard += piece
            await self._send(piece, self._toxics())
        for toxic in self._toxics():
            await toxic.closing(self)
        if not self._writer.is_closing():
            self._writer.write_eof()

    def _toxics(self) -> list[Toxic]:
        toxics = self._connection.proxy.toxics_for(self._connection.number)
        return [toxic for toxic in toxics if toxic.side == self._side]

    async def _send(self, piece: bytes, toxics: list[Toxic]) -> None:
        """Send what the first of ``toxics`` lets through to the next, and what they all do to the other side."""
        if toxics:
            async for part in toxics[0].pieces(self, piece):
                await self._send(part, toxics[1:])
        elif not self._writer.is_closing():
            self._writer.write(piece)
            await self._writer.drain()
            self.passed += len(piece)


@contextmanager
def run_proxy(target: int) -> Iterator[FaultProxy]:
    """Run a proxy in front of the port ``target``, in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fault-proxy", daemon=True)
    thread.start()
    proxy = FaultProxy(target, loop)
    try:
        yield proxy
    finally:
        proxy.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
