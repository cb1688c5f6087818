"""Backends that are slow, or never done: everything ends by the one deadline, whatever it waits for."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from confsvc.adapter import Deadline
from confsvc.errors import DeadlineError
from confsvc.http import Answer, Call, Client, Origin

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]

SECONDS = 0.6
TOLERANCE = 2.0
GET = Call("GET", "/v1/secret/data/a")


def outcome_of(origin: Origin, call: Call = GET, *, seconds: float = SECONDS) -> tuple[object, float]:
    """Return what a call to ``origin`` comes to, and after how many seconds."""
    client = Client(origin)
    started = time.monotonic()
    (outcome,) = client.send([call], deadline=Deadline(seconds))
    client.close()
    return outcome, time.monotonic() - started


def drip(*data: bytes) -> Handle:
    """Return a server that sends ``data`` a byte at a time, each soon enough for any timeout between two bytes."""

    def handle(connection: socket.socket, _request: bytes) -> None:
        for one in b"".join(data):
            connection.sendall(bytes([one]))
            time.sleep(0.05)

    return handle


def hang(after: bytes) -> Handle:
    """Return a server that sends ``after``, and then nothing until the client leaves."""

    def handle(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(after)
        connection.recv(1)

    return handle


OK = b"HTTP/1.1 200 OK\r\n"
SILENCES = {
    "first byte": hang(b""),
    "in the status line": hang(b"HTTP/1.1 2"),
    "in the headers": hang(OK + b"Content-"),
    "before the body": hang(OK + b"Content-Length: 9\r\n\r\n"),
    "in the body": hang(OK + b"Content-Length: 9\r\n\r\nabc"),
    "in a chunk": hang(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
    "before the last chunk": hang(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"),
    "drip in the status line": drip(b"HTTP/1.1 200 " + b"O" * 1000),
    "drip in a header": drip(OK, b"X-A: " + b"a" * 1000),
    "drip in the body": drip(OK, b"Content-Length: 999\r\n\r\n", b"a" * 999),
    "drip of interim answers": drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
}


@pytest.mark.parametrize("case", SILENCES)
def test_silence_and_drips_end_by_the_deadline(serve: Serve, case: str) -> None:
    port, _ = serve(SILENCES[case])
    outcome, elapsed = outcome_of(Origin("http", "127.0.0.1", port))
    assert isinstance(outcome, DeadlineError)
    assert outcome.exit_status == 75
    assert str(outcome) == f"no answer from `127.0.0.1:{port}` within 0.6 s"
    assert elapsed < SECONDS + TOLERANCE


def test_what_may_not_be_sent_twice_is_waited_for_once(serve: Serve) -> None:
    port, requests = serve(hang(b""))
    outcome, elapsed = outcome_of(Origin("http", "127.0.0.1", port), Call("POST", "/v1/auth/approle/login"))
    assert isinstance(outcome, DeadlineError)
    assert elapsed < SECONDS + TOLERANCE
    assert len(requests) == 1


def test_a_server_that_is_silent_once_leaves_time_for_another_try(serve: Serve) -> None:
    def handle(connection: socket.socket, _request: bytes) -> None:
        if len(requests) == 1:
            connection.recv(1)
        else:
            connection.sendall(OK + b"Content-Length: 5\r\n\r\nhello")

    port, requests = serve(handle)
    outcome, _ = outcome_of(Origin("http", "127.0.0.1", port), seconds=4)
    assert isinstance(outcome, Answer)
    assert outcome.body == b"hello"


@pytest.fixture
def full() -> Iterator[int]:
    """Return a port that answers no attempt to connect: the queue of its listener is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(address)
        yield address[1]
        for one in waiting:
            one.close()


def test_a_connection_that_nobody_takes_ends_by_the_deadline(full: int) -> None:
    outcome, elapsed = outcome_of(Origin("http", "127.0.0.1", full))
    assert isinstance(outcome, DeadlineError)
    assert elapsed < SECONDS + TOLERANCE


def test_an_address_that_nobody_answers_at_is_left_for_the_next(
    full: int, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, _ = serve(lambda connection, _: connection.sendall(OK + b"Content-Length: 0\r\n\r\n"))
    family, kind = socket.AF_INET, socket.SOCK_STREAM
    found = [(family, kind, 6, "", ("127.0.0.1", full)), (family, kind, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr("_socket.getaddrinfo", lambda *_: found)
    outcome, _ = outcome_of(Origin("http", "vault.example.com", port), seconds=4)
    assert isinstance(outcome, Answer)


def test_name_servers_that_never_answer_end_by_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def look_up(*_: object) -> list[object]:
        release.wait(30)
        return []

    monkeypatch.setattr("_socket.getaddrinfo", look_up)
    outcome, elapsed = outcome_of(Origin("https", "vault.example.com", 443))
    release.set()
    assert isinstance(outcome, DeadlineError)
    assert elapsed < SECONDS + TOLERANCE


def test_tls_that_never_shakes_hands_ends_by_the_deadline(serve: Serve) -> None:
    port, _ = serve(hang(b""))
    outcome, elapsed = outcome_of(Origin("https", "127.0.0.1", port))
    assert isinstance(outcome, DeadlineError)
    assert elapsed < SECONDS + TOLERANCE


def test_one_slow_call_does_not_take_the_others_with_it(serve: Serve) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        if b"/slow" in request:
            connection.recv(1)
        else:
            connection.sendall(OK + b"Content-Length: 4\r\n\r\nfast")

    port, _ = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port))
    calls = [Call("GET", f"/{name}", alone=name == "slow") for name in ("a", "slow", "b")]
    first, slow, last = client.send(calls, deadline=Deadline(2))
    client.close()
    assert isinstance(slow, DeadlineError)
    assert isinstance(first, Answer)
    assert isinstance(last, Answer)


def test_a_slow_call_in_a_shared_connection_is_found_out_in_time(serve: Serve) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        if b"/slow" in request:
            connection.recv(65536)
            connection.recv(1)
        else:
            connection.sendall(OK + b"Content-Length: 4\r\n\r\nfast")

    port, _ = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port), limit=1)
    outcomes = client.send([Call("GET", f"/{name}") for name in ("a", "b")], deadline=Deadline(4))
    slow = client.send([Call("GET", f"/{name}") for name in ("a", "b", "slow", "c")], deadline=Deadline(4))
    client.close()
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    assert [isinstance(outcome, Answer) for outcome in slow] == [True, True, False, True]


def test_with_no_time_left_nothing_is_sent(serve: Serve) -> None:
    port, requests = serve(hang(b""))
    outcome, _ = outcome_of(Origin("http", "127.0.0.1", port), seconds=0)
    assert isinstance(outcome, DeadlineError)
    assert requests == []
