"""Servers that misbehave, on loopback, in threads of the test."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from servers import bao, gcp, moto

__all__ = ["bao", "gcp", "moto"]

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]


def read_request(connection: socket.socket, buffer: bytearray) -> bytes:
    """Return the next whole request, empty when the client has gone."""
    while b"\r\n\r\n" not in buffer:
        piece = connection.recv(65536)
        if not piece:
            return b""
        buffer += piece
    head = bytes(buffer[: buffer.index(b"\r\n\r\n") + 4])
    length = head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
    size = len(head) + int(length or 0)
    while len(buffer) < size:
        piece = connection.recv(65536)
        if not piece:
            return b""
        buffer += piece
    request = bytes(buffer[:size])
    del buffer[:size]
    return request


def converse(connection: socket.socket, handle: Handle, requests: list[bytes]) -> None:
    """Let ``handle`` answer one request after the other, until it or the client closes, or asks to close."""
    buffer = bytearray()
    # The client may close, or `handle` may; both end the conversation, whoever came first.
    with suppress(OSError), connection:
        while connection.fileno() >= 0 and (request := read_request(connection, buffer)):
            requests.append(request)
            handle(connection, request)
            if b"\r\nconnection: close\r\n" in request.lower():
                return


def accept(listener: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    """Take connections until ``listener`` is shut down, each in a thread of its own."""
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that starts a server: ``handle(connection, request)`` answers each request as it likes.

    The function returns the port, and the list that every request that comes is added to.
    """
    listeners: list[socket.socket] = []

    def start(handle: Handle) -> tuple[int, list[bytes]]:
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        listeners.append(listener)
        requests: list[bytes] = []
        answer = partial(converse, handle=handle, requests=requests)
        threading.Thread(target=accept, args=(listener, answer), daemon=True).start()
        return listener.getsockname()[1], requests

    yield start
    for listener in listeners:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def echo() -> Iterator[int]:
    """Return the port of a server that sends back what it hears, whatever it is."""

    def answer(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        threading.Thread(target=accept, args=(listener, answer), daemon=True).start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
