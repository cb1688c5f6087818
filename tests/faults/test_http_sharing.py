"""Connections that are kept, shared by several calls, lost and inherited: no call ever gets another one's answer."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from confsvc.adapter import Deadline
from confsvc.errors import AdapterError, DeadlineError
from confsvc.http import Answer, Call, Client, Origin, RetryPolicy

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]
Outcome = Answer | AdapterError | DeadlineError

QUICK = RetryPolicy(base=0.01)


def echo(request: bytes, *headers: bytes) -> bytes:
    """Return an answer whose body is the path of ``request``."""
    path = request.split(b" ", 2)[1]
    lines = b"".join(line + b"\r\n" for line in headers)
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (lines, len(path), path)


def ask(client: Client, count: int) -> list[Outcome]:
    """Send ``count`` reads, each of a path of its own."""
    return client.send([Call("GET", f"/{n}") for n in range(count)], deadline=Deadline(10), retry=QUICK)


def bodies(outcomes: list[Outcome]) -> list[bytes]:
    """Return the bodies of answers."""
    return [one.body for one in outcomes if isinstance(one, Answer)]


def paths(count: int) -> list[bytes]:
    """Return what `ask` must get."""
    return [b"/%d" % n for n in range(count)]


def peers(seen: set[object]) -> Handle:
    """Return a server that answers, and adds the port of every client's connection to ``seen``."""

    def handle(connection: socket.socket, request: bytes) -> None:
        seen.add(connection.getpeername())
        connection.sendall(echo(request))

    return handle


@pytest.mark.parametrize("count", [1, 7, 100, 300])
@pytest.mark.parametrize("depth", [1, 8])
@pytest.mark.parametrize("limit", [1, 16])
def test_every_call_gets_its_own_answer_over_few_connections(serve: Serve, count: int, depth: int, limit: int) -> None:
    seen: set[object] = set()
    port, requests = serve(peers(seen))
    client = Client(Origin("http", "127.0.0.1", port), limit=limit, depth=depth)
    assert bodies(ask(client, count)) == paths(count)
    assert len(requests) == count
    assert depth > 1 or len(seen) <= limit
    assert depth == 1 or len(seen) <= max(count / 4, limit)
    client.close()


def test_connections_are_kept_between_sends(serve: Serve) -> None:
    seen: set[object] = set()
    port, _ = serve(peers(seen))
    client = Client(Origin("http", "127.0.0.1", port), limit=2, depth=1)
    rounds = [bodies(ask(client, 8)) for _ in range(5)]
    client.close()
    assert rounds == [paths(8)] * 5
    assert len(seen) <= 2


def test_a_connection_that_was_shared_is_closed_behind_the_last_answer(serve: Serve) -> None:
    seen: set[object] = set()
    port, requests = serve(peers(seen))
    client = Client(Origin("http", "127.0.0.1", port), limit=1)
    rounds = [bodies(ask(client, 8)) for _ in range(2)]
    client.close()
    assert rounds == [paths(8)] * 2
    assert len(seen) == 2
    assert [b"Connection: close" in request for request in requests] == ([False] * 7 + [True]) * 2


@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_an_answer_too_many_is_noticed_however_late_it_comes(serve: Serve, pause: float) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        if len(requests) == 2:
            connection.sendall(echo(b"GET /someone-elses HTTP/1.1"))
        if len(requests) == 6:
            time.sleep(pause)
        connection.sendall(echo(request))

    port, requests = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port), limit=1)
    outcomes = ask(client, 6)
    client.close()
    assert bodies(outcomes) == paths(6)


def test_a_server_that_does_not_close_when_asked_is_asked_one_by_one() -> None:
    requests: list[bytes] = []

    def answer_all(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                for request in data.split(b"\r\n\r\n")[:-1]:
                    requests.append(request)
                    connection.sendall(echo(request))

    def accept() -> None:
        for _ in range(2):
            threading.Thread(target=answer_all, args=(listener.accept()[0],)).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = threading.Thread(target=accept)
        worker.start()
        client = Client(Origin("http", "127.0.0.1", listener.getsockname()[1]), limit=1)
        outcomes = ask(client, 3)
        client.close()
        worker.join()
    assert bodies(outcomes) == paths(3)
    assert len(requests) == 6


def test_connections_for_calls_to_come_are_opened_meanwhile(serve: Serve) -> None:
    connections: set[object] = set()

    def handle(connection: socket.socket, request: bytes) -> None:
        if b"POST" in request:
            time.sleep(0.2)
        connections.add(connection.getpeername())
        connection.sendall(echo(request))

    port, requests = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port), limit=4)
    (login,) = client.send([Call("POST", "/login", {}, b"{}")], deadline=Deadline(10), expect=100)
    assert isinstance(login, Answer)
    outcomes = ask(client, 16)
    client.close()
    assert bodies(outcomes) == paths(16)
    assert len(connections) == 4
    assert len(requests) == 17


def test_a_kept_connection_that_was_closed_is_replaced_without_a_word(serve: Serve) -> None:
    closed = threading.Event()

    def handle(connection: socket.socket, request: bytes) -> None:
        connection.sendall(echo(request))
        if len(requests) == 1:
            connection.close()
            closed.set()

    port, requests = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port))
    assert bodies(ask(client, 1)) == paths(1)
    assert closed.wait(20)
    outcomes = ask(client, 1)
    client.close()
    assert bodies(outcomes) == paths(1)
    assert len(requests) == 2


def test_a_kept_connection_that_dies_under_a_call_costs_no_attempt(serve: Serve) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        if len(requests) == 2:
            connection.close()
        else:
            connection.sendall(echo(request))

    port, requests = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port))
    once = QUICK._replace(attempts=1)
    for _ in range(2):
        (outcome,) = client.send([Call("GET", "/0")], deadline=Deadline(10), retry=once)
        assert isinstance(outcome, Answer)
    client.close()
    assert len(requests) == 3


def test_what_may_change_something_never_goes_over_a_kept_connection(serve: Serve) -> None:
    seen: list[object] = []

    def handle(connection: socket.socket, request: bytes) -> None:
        seen.append(connection.getpeername())
        connection.sendall(echo(request))

    port, _ = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port), limit=1)
    for _ in range(2):
        (outcome,) = client.send([Call("POST", "/0")], deadline=Deadline(10))
        assert isinstance(outcome, Answer)
    client.close()
    assert len(set(seen)) == 2


def test_bytes_that_nobody_asked_for_make_a_kept_connection_useless(serve: Serve) -> None:
    written = threading.Event()

    def handle(connection: socket.socket, request: bytes) -> None:
        connection.sendall(echo(request))
        if len(requests) == 1:
            time.sleep(0.1)
            connection.sendall(echo(b"GET /someone-elses HTTP/1.1"))
            written.set()

    port, requests = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port))
    assert bodies(ask(client, 1)) == paths(1)
    assert written.wait(20)
    outcomes = ask(client, 1)
    client.close()
    assert bodies(outcomes) == paths(1)


def leaving(after: int) -> Handle:
    """Return a server that says goodbye with each answer but the first ``after`` ones of a connection."""
    counts: dict[object, int] = {}

    def handle(connection: socket.socket, request: bytes) -> None:
        peer = connection.getpeername()
        counts[peer] = counts.get(peer, 0) + 1
        connection.sendall(echo(request, *([b"Connection: close"] if counts[peer] > after else [])))
        if counts[peer] > after:
            connection.shutdown(socket.SHUT_WR)
            connection.close()

    return handle


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_server_that_leaves_in_the_middle_is_asked_for_the_rest_elsewhere(serve: Serve, after: int) -> None:
    port, requests = serve(leaving(after))
    client = Client(Origin("http", "127.0.0.1", port), limit=4)
    once = QUICK._replace(attempts=1)
    outcomes = client.send([Call("GET", f"/{n}") for n in range(30)], deadline=Deadline(10), retry=once)
    client.close()
    assert bodies(outcomes) == paths(30)
    assert len(requests) >= 30


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_server_that_breaks_off_is_asked_one_by_one(serve: Serve, number: int) -> None:
    broken: set[object] = set()

    def handle(connection: socket.socket, request: bytes) -> None:
        if len(requests) == number + 1 and not broken:
            broken.add(connection)
            connection.close()
        else:
            connection.sendall(echo(request))

    port, requests = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port), limit=1)
    outcomes = ask(client, 6)
    client.close()
    assert bodies(outcomes) == paths(6)


@pytest.mark.parametrize("number", range(1, 7))
def test_a_server_that_forgets_a_call_gives_no_call_the_wrong_answer(serve: Serve, number: int) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        if len(requests) != number:
            connection.sendall(echo(request))

    port, requests = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port), limit=1)
    outcomes = client.send([Call("GET", f"/{n}") for n in range(6)], deadline=Deadline(3), retry=QUICK)
    client.close()
    assert bodies(outcomes) == paths(6)


@pytest.mark.parametrize("number", range(1, 7))
def test_a_server_that_answers_once_too_often_gives_no_call_the_wrong_answer(serve: Serve, number: int) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        connection.sendall(echo(request) * (1 + (len(requests) == number)))

    port, requests = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port), limit=1)
    outcomes = ask(client, 6)
    client.close()
    assert bodies(outcomes) == paths(6)


def test_a_large_body_comes_back_byte_for_byte(serve: Serve) -> None:
    body = bytes(range(256)) * 16 * 1024
    port, _ = serve(
        lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    )
    client = Client(Origin("http", "127.0.0.1", port))
    outcomes = client.send([Call("GET", "/")] * 5, deadline=Deadline(20))
    client.close()
    assert bodies(outcomes) == [body] * 5


def test_a_large_request_arrives_whole(serve: Serve) -> None:
    body = bytes(range(256)) * 16 * 1024

    def handle(connection: socket.socket, request: bytes) -> None:
        same = request.endswith(b"\r\n\r\n" + body)
        connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % (200 if same else 400))

    port, _ = serve(handle)
    client = Client(Origin("http", "127.0.0.1", port))
    (outcome,) = client.send([Call("POST", "/", {}, body)], deadline=Deadline(20))
    client.close()
    assert isinstance(outcome, Answer)
    assert outcome.status == 200


FORKED = """
import os, sys
from confsvc.adapter import Deadline
from confsvc.http import Call, Client, Origin
client = Client(Origin("http", "127.0.0.1", int(sys.argv[1])), limit=2, depth=1)
def ask():
    outcomes = client.send([Call("GET", f"/{n}") for n in range(8)], deadline=Deadline(20))
    return [one.body for one in outcomes] == [b"/%d" % n for n in range(8)]
assert ask()
child = os.fork()
if not child:
    os._exit(0 if ask() and ask() else 1)
for _ in range(20):
    assert ask()
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_child_opens_connections_of_its_own(serve: Serve) -> None:
    seen: set[object] = set()
    port, _ = serve(peers(seen))
    subprocess.run([sys.executable, "-c", FORKED, str(port)], check=True)
    assert len(seen) == 4


def test_a_client_works_again_after_close(serve: Serve) -> None:
    port, _ = serve(peers(set()))
    client = Client(Origin("http", "127.0.0.1", port))
    client.close()
    assert bodies(ask(client, 3)) == paths(3)
    client.close()
    assert bodies(ask(client, 3)) == paths(3)
    client.close()
    client.close()


def test_no_calls_are_no_work() -> None:
    assert Client(Origin("http", "127.0.0.1", 9)).send([], deadline=Deadline(1)) == []


FEW = """
import resource, sys
from confsvc.adapter import Deadline
from confsvc.http import Call, Client, Origin, RetryPolicy
port, count = map(int, sys.argv[1:])
client = Client(Origin("http", "127.0.0.1", port), depth=2)
resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
for outcome in client.send(
    [Call("GET", f"/{n}") for n in range(60)], deadline=Deadline(20), retry=RetryPolicy(base=0.01)
):
    print(getattr(outcome, "body", outcome))
"""


def with_descriptors(port: int, count: int) -> list[str]:
    """Return what 60 reads come to in a process that may open ``count`` descriptors, its standard three included."""
    done = subprocess.run([sys.executable, "-c", FEW, str(port), str(count)], capture_output=True, check=True)
    return done.stdout.decode().splitlines()


def test_too_few_descriptors_make_it_slower_not_wrong(serve: Serve) -> None:
    port, _ = serve(peers(set()))
    assert with_descriptors(port, 8) == [str(path) for path in paths(60)]


def test_no_free_descriptor_at_all_is_said(serve: Serve) -> None:
    port, _ = serve(peers(set()))
    assert set(with_descriptors(port, 3)) == {f"this machine has no free socket for `127.0.0.1:{port}`"}
