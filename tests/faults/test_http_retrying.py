"""What is tried again, how often, and how long a server that asks for patience is left alone."""

import socket
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate

import pytest

from confsvc.adapter import Deadline
from confsvc.errors import AdapterError, DeadlineError, Throttled, Unavailable
from confsvc.http import Answer, Call, Client, Origin, RetryPolicy
from openbao import free_port

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]
Outcome = Answer | AdapterError | DeadlineError

GET = Call("GET", "/v1/a")
POST = Call("POST", "/v1/auth/login", {}, b"{}")
QUICK = RetryPolicy(base=0.01)


def reply(status: int, *headers: str) -> bytes:
    """Return an answer with ``status``, and ``headers``."""
    lines = "".join(f"{line}\r\n" for line in headers)
    return f"HTTP/1.1 {status} X\r\n{lines}Content-Length: 2\r\n\r\nok".encode()


class Script:
    """A server that answers with ``replies`` one after the other, the last one for ever. ``times`` is when."""

    def __init__(self, serve: Serve, replies: Sequence[bytes]) -> None:
        self.replies = replies
        self.times: list[float] = []
        self.port, self.requests = serve(self.handle)

    def handle(self, connection: socket.socket, _request: bytes) -> None:
        self.times.append(time.monotonic())
        connection.sendall(self.replies[min(len(self.times), len(self.replies)) - 1])

    def ask(self, call: Call = GET, *, seconds: float = 10, retry: RetryPolicy = QUICK) -> Outcome:
        """Return what ``call`` comes to."""
        client = Client(Origin("http", "127.0.0.1", self.port))
        (outcome,) = client.send([call], deadline=Deadline(seconds), retry=retry)
        client.close()
        return outcome


def status_of(outcome: Outcome) -> int:
    """Return the status of an outcome that is an answer."""
    assert isinstance(outcome, Answer)
    return outcome.status


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("times", [1, 3])
def test_a_status_that_may_pass_is_tried_again(serve: Serve, status: int, times: int) -> None:
    script = Script(serve, [reply(status)] * times + [reply(200)])
    assert status_of(script.ask()) == 200
    assert len(script.requests) == times + 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_call_is_sent_four_times_at_most_and_the_last_answer_decides(serve: Serve, status: int) -> None:
    script = Script(serve, [reply(502)] * 3 + [reply(status)])
    assert status_of(script.ask()) == status
    assert len(script.requests) == 4


@pytest.mark.parametrize("status", [200, 204, 301, 307, 400, 401, 403, 404, 412, 501])
def test_a_status_that_will_not_pass_is_the_answer(serve: Serve, status: int) -> None:
    body = b"HTTP/1.1 204 X\r\n\r\n" if status == 204 else reply(status, "Location: http://127.0.0.1:1/")
    script = Script(serve, [body])
    assert status_of(script.ask()) == status
    assert len(script.requests) == 1


def test_the_caller_may_know_that_it_will_not_pass(serve: Serve) -> None:
    script = Script(serve, [reply(503)])
    assert status_of(script.ask(retry=QUICK._replace(veto=lambda answer: answer.body == b"ok"))) == 503
    assert len(script.requests) == 1


def test_what_may_change_something_is_not_sent_again(serve: Serve) -> None:
    script = Script(serve, [reply(503)])
    assert status_of(script.ask(POST)) == 503
    assert len(script.requests) == 1


def test_what_may_change_something_is_not_sent_again_when_its_answer_is_lost(serve: Serve) -> None:
    port, requests = serve(lambda connection, _: connection.close())
    client = Client(Origin("http", "127.0.0.1", port))
    (outcome,) = client.send([POST], deadline=Deadline(10), retry=QUICK)
    client.close()
    assert isinstance(outcome, Unavailable)
    assert len(requests) == 1


def test_what_may_change_something_is_sent_when_nobody_was_there_at_first(serve: Serve) -> None:
    """The name leads to a closed port at first, and to a server when it is looked up again."""
    script = Script(serve, [reply(200)])
    closed = free_port()
    ports = iter([closed, script.port])
    family, kind = socket.AF_INET, socket.SOCK_STREAM
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("_socket.getaddrinfo", lambda *_: [(family, kind, 6, "", ("127.0.0.1", next(ports)))])
        client = Client(Origin("http", "vault.example.com", closed))
        (outcome,) = client.send([POST], deadline=Deadline(10), retry=QUICK)
        client.close()
    assert status_of(outcome) == 200
    assert len(script.requests) == 1


def test_a_read_that_is_sent_with_post_can_be_declared_one(serve: Serve) -> None:
    script = Script(serve, [reply(503), reply(200)])
    assert status_of(script.ask(POST, retry=QUICK._replace(methods=frozenset({"POST"})))) == 200
    assert len(script.requests) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_nothing_is_sent_before_the_server_wants_it(serve: Serve, status: int) -> None:
    script = Script(serve, [reply(status, "Retry-After: 1"), reply(200)])
    assert status_of(script.ask()) == 200
    assert script.times[1] - script.times[0] >= 1


def test_a_date_to_come_back_at_is_kept_by_the_servers_clock(serve: Serve) -> None:
    now, then = formatdate(1000000000, usegmt=True), formatdate(1000000001, usegmt=True)
    script = Script(serve, [reply(429, f"Date: {now}", f"Retry-After: {then}"), reply(200)])
    assert status_of(script.ask()) == 200
    assert script.times[1] - script.times[0] >= 1


@pytest.mark.parametrize("text", ["0", "-1", "soon", "", "Sun, 06 Nov 1994 08:49:37 GMT"])
def test_no_sensible_time_to_wait_is_a_short_wait(serve: Serve, text: str) -> None:
    script = Script(serve, [reply(429, f"Retry-After: {text}"), reply(200)])
    assert status_of(script.ask()) == 200
    assert len(script.requests) == 2


@pytest.mark.parametrize("text", ["86400", "9" * 300, "Fri, 31 Dec 2399 23:59:59 GMT"])
def test_patience_beyond_the_deadline_is_answered_at_once(serve: Serve, text: str) -> None:
    script = Script(serve, [reply(429, f"Retry-After: {text}")])
    started = time.monotonic()
    outcome = script.ask(seconds=30)
    assert time.monotonic() - started < 15
    assert isinstance(outcome, Throttled)
    assert outcome.exit_status == 75
    assert len(script.requests) == 1


def test_a_server_that_is_away_for_longer_is_not_waited_for(serve: Serve) -> None:
    script = Script(serve, [reply(503, "Retry-After: 86400")])
    assert status_of(script.ask(seconds=30)) == 503
    assert len(script.requests) == 1


def test_a_call_without_an_answer_in_the_end_keeps_the_last_it_had(serve: Serve) -> None:
    def handle(connection: socket.socket, _request: bytes) -> None:
        if len(requests) == 1:
            connection.sendall(reply(503))
        else:
            connection.recv(1)

    port, requests = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port))
    (outcome,) = client.send([GET], deadline=Deadline(3), retry=QUICK)
    client.close()
    assert status_of(outcome) == 503


def test_many_calls_that_fail_now_and_then_all_arrive_in_order(serve: Serve) -> None:
    seen: dict[bytes, int] = {}

    def handle(connection: socket.socket, request: bytes) -> None:
        name = request.split(b" ", 2)[1]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] == 1 and int(name[1:]) % 3 == 0:
            connection.sendall(reply(503))
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(name) + name)

    port, requests = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port))
    outcomes = client.send([Call("GET", f"/{n}") for n in range(60)], deadline=Deadline(10), retry=QUICK)
    client.close()
    assert [one.body for one in outcomes if isinstance(one, Answer)] == [b"/%d" % n for n in range(60)]
    assert len(requests) == 80
