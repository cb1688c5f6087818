"""A TCP proxy that makes a server on loopback as far away as one in another city: `python distance.py PORT SECONDS`.

Every round trip takes SECONDS longer, that of opening a connection too. It prints the port that it listens on.
"""

import asyncio
import contextlib
import sys

__all__ = ["main"]


async def _carry(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    half: float,
    extra: float,
    tasks: set[asyncio.Task[None]],
) -> None:
    """Pass on what comes, each piece half a round trip later than it came, and the first one `extra` later still."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    opened = loop.time() + extra

    async def deliver() -> None:
        while True:
            due, piece = await queue.get()
            await asyncio.sleep(due - loop.time())
            with contextlib.suppress(OSError):
                if not piece:
                    writer.close()
                    return
                writer.write(piece)

    task = asyncio.create_task(deliver())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    piece = b"first"
    while piece:
        try:
            piece = await reader.read(65536)
        except OSError:
            piece = b""
        queue.put_nowait((max(loop.time(), opened) + half, piece))
    await task


async def _serve(port: int, seconds: float) -> None:
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        # The kernel has taken the connection already, so its round trip is added to the first request.
        await asyncio.gather(
            _carry(reader, back, seconds / 2, seconds, tasks), _carry(there, writer, seconds / 2, 0.0, tasks)
        )

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Run until killed."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))


if __name__ == "__main__":
    main()
