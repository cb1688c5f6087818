"""Opening a connection before there is anything to ask."""

import socket
import time
from collections.abc import Callable

from confsvc.adapter import Deadline
from confsvc.errors import Unavailable
from confsvc.http import Answer, Call, Client, Origin
from openbao import free_port

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]


def test_the_first_call_finds_the_connection_that_was_opened(serve: Serve) -> None:
    peers: list[object] = []

    def handle(connection: socket.socket, _request: bytes) -> None:
        peers.append(connection.getpeername())
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    port, requests = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port), limit=1)
    client.open(deadline=Deadline(10))
    assert requests == []
    outcomes = [client.send([Call("GET", "/")], deadline=Deadline(10))[0] for _ in range(2)]
    client.close()
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    assert len(set(peers)) == 1


def test_where_nobody_is_the_first_call_says_so() -> None:
    client = Client(Origin("http", "127.0.0.1", free_port()))
    started = time.monotonic()
    client.open(deadline=Deadline(10))
    assert time.monotonic() - started < 5
    assert isinstance(client.send([Call("GET", "/")], deadline=Deadline(10))[0], Unavailable)
    client.close()
