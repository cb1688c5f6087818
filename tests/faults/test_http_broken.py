"""Backends that break: connections that fail, answers that are cut short, swollen, compressed or not HTTP."""

import socket
import struct
import time
from collections.abc import Callable

import pytest

from confsvc.adapter import Deadline
from confsvc.errors import Unavailable
from confsvc.http import Answer, Call, Client, Origin, RetryPolicy
from openbao import free_port

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]

QUICK = RetryPolicy(base=0.01)
CANARY = "hunter2canary"
OK = b"HTTP/1.1 200 OK\r\n"
GOOD = OK + b"Content-Length: 5\r\n\r\nhello"


def outcome_of(origin: Origin) -> object:
    """Return what a call to ``origin`` comes to, which must not take until the deadline."""
    client = Client(origin)
    started = time.monotonic()
    (outcome,) = client.send([Call("GET", "/v1/a", {"X-Vault-Token": CANARY})], deadline=Deadline(30), retry=QUICK)
    client.close()
    assert time.monotonic() - started < 15
    return outcome


def unavailable(outcome: object) -> str:
    """Return the message of ``outcome``, which is unavailable and holds nothing that was sent or received."""
    assert isinstance(outcome, Unavailable)
    assert outcome.exit_status == 69
    assert CANARY not in f"{outcome!r} {outcome} {outcome.hint} {vars(outcome)}"
    assert outcome.__context__ is None
    assert outcome.__cause__ is None
    return str(outcome)


def closing(data: bytes) -> Handle:
    """Return a server that sends ``data`` and closes."""

    def handle(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(data)
        connection.close()

    return handle


def resetting(data: bytes) -> Handle:
    """Return a server that sends ``data`` and resets the connection."""

    def handle(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return handle


def test_a_refused_connection_names_host_and_port() -> None:
    port = free_port()
    message = unavailable(outcome_of(Origin("http", "127.0.0.1", port)))
    assert message == f"`127.0.0.1:{port}` refused the connection"


@pytest.mark.parametrize(
    ("code", "problem", "tries"),
    [(socket.EAI_NONAME, "was not found", 1), (socket.EAI_AGAIN, "could not be looked up", 4)],
)
def test_a_name_without_an_address_is_named(
    monkeypatch: pytest.MonkeyPatch, code: int, problem: str, tries: int
) -> None:
    asked: list[object] = []

    def look_up(host: object, *_: object) -> list[object]:
        asked.append(host)
        raise socket.gaierror(code, CANARY)

    monkeypatch.setattr("_socket.getaddrinfo", look_up)
    message = unavailable(outcome_of(Origin("https", "vault.example.com", 443)))
    assert message == f"the name `vault.example.com` {problem}"
    assert len(asked) == tries


CUT_SHORT = {
    "nothing": b"",
    "status line": b"HTTP/1.1 20",
    "headers": OK + b"Content-Length: 5\r\n",
    "no body": OK + b"Content-Length: 5\r\n\r\n",
    "length": OK + b"Content-Length: 50\r\n\r\n" + CANARY.encode(),
    "no length": OK + b"\r\n" + CANARY.encode(),
    "old and no length": b"HTTP/1.0 200 OK\r\n\r\n" + CANARY.encode(),
    "chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\n" + CANARY.encode(),
    "no last chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "no end of the trailers": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    "surplus after a length": GOOD + CANARY.encode(),
    "surplus after the last chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nX",
    "two answers": GOOD + GOOD,
}


@pytest.mark.parametrize("end", [closing, resetting])
@pytest.mark.parametrize("case", CUT_SHORT)
def test_an_answer_that_is_not_exactly_whole_is_never_used(
    serve: Serve, case: str, end: Callable[[bytes], Handle]
) -> None:
    port, requests = serve(end(CUT_SHORT[case]))
    assert f"`127.0.0.1:{port}`" in unavailable(outcome_of(Origin("http", "127.0.0.1", port)))
    assert len(requests) == 4


@pytest.mark.parametrize("end", [closing, resetting])
@pytest.mark.parametrize("case", CUT_SHORT)
def test_an_answer_that_is_cut_short_is_asked_for_again(
    serve: Serve, case: str, end: Callable[[bytes], Handle]
) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        if len(requests) == 1:
            end(CUT_SHORT[case])(connection, request)
        else:
            connection.sendall(GOOD)

    port, requests = serve(handle)
    outcome = outcome_of(Origin("http", "127.0.0.1", port))
    assert isinstance(outcome, Answer)
    assert outcome.body == b"hello"


REFUSED = {
    "compressed": OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
    "larger than 4 MiB": OK + b"Content-Length: 5000000\r\n\r\n",
    "length in two ways": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length is not one number": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "malformed header": OK + b"X-A: 1\r\n " + CANARY.encode() + b"\r\nContent-Length: 5\r\n\r\nhello",
    "status line": b"SSH-2.0-OpenSSH_9.2 " + CANARY.encode() + b"\r\n\r\n",
    "headers are larger": OK + b"X-A: " + b"a" * 70000,
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_answer_that_is_not_believed_says_why_and_is_not_asked_for_again(serve: Serve, case: str) -> None:
    port, requests = serve(closing(REFUSED[case]))
    assert case in unavailable(outcome_of(Origin("http", "127.0.0.1", port)))
    assert len(requests) == 1


@pytest.mark.parametrize("start", [OK + b"Transfer-Encoding: chunked\r\n\r\n", OK + b"X-A: "])
def test_an_answer_without_end_is_cut_at_the_limit(serve: Serve, start: bytes) -> None:
    sent: list[int] = []

    def handle(connection: socket.socket, _request: bytes) -> None:
        piece = b"10000\r\n" + b"a" * 0x10000 + b"\r\n" if b"chunked" in start else b"a" * 65536
        connection.sendall(start)
        while True:
            connection.sendall(piece)
            sent.append(len(piece))

    port, _ = serve(handle)
    assert "larger than" in unavailable(outcome_of(Origin("http", "127.0.0.1", port)))
    assert sum(sent) < 32 * 1024 * 1024


def test_one_bad_answer_does_not_spoil_the_others(serve: Serve) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        connection.sendall(REFUSED["compressed"] if b"/bad" in request else GOOD)

    port, _ = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port), limit=2)
    names = ["a", "b", "bad", "c", "d"]
    outcomes = client.send([Call("GET", f"/{name}") for name in names], deadline=Deadline(10), retry=QUICK)
    client.close()
    assert [name for name, one in zip(names, outcomes, strict=True) if not isinstance(one, Answer)] == ["bad"]


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data":null}', b"[]", b"\xff\x00"])
def test_what_a_body_means_is_not_this_clients_business(serve: Serve, body: bytes) -> None:
    port, _ = serve(closing(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body))
    outcome = outcome_of(Origin("http", "127.0.0.1", port))
    assert isinstance(outcome, Answer)
    assert outcome.body == body


def test_a_call_that_cannot_be_written_as_http_is_not_sent(serve: Serve) -> None:
    port, requests = serve(closing(GOOD))
    client = Client(Origin("http", "127.0.0.1", port))
    (outcome,) = client.send([Call("GET", "/", {"X-Vault-Token": f"{CANARY}\n"})], deadline=Deadline(5))
    client.close()
    assert CANARY not in f"{outcome!r}"
    assert str(outcome) == "the request header `X-Vault-Token` holds a character that HTTP does not allow"
    assert requests == []
