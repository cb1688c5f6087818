"""What Google does on a bad day, answered by a small server as the API's documentation says."""

import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import google.api_core.exceptions as google_errors
import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.adapter import Document
from confsvc.errors import (
    AdapterError,
    DeadlineError,
    Denied,
    Malformed,
    NotFound,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from confsvc.testing import find_leaks, make_canary
from confsvc_gcp import payload
from confsvc_gcp.errors import CODES, error_of, kind_of
from confsvc_gcp.grpc_store import failure_of_exception
from gcp import backend_for, fetch

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]


def reply(body: Any, status: int = 200) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


def said(status: int, code: str, message: str = "no", reason: str = "") -> bytes:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return reply({"error": {"code": status, "message": message, "status": code, "details": details}}, status)


def good(data: bytes = b"v", checksum: int | None = None) -> bytes:
    crc = google_crc32c.value(data) if checksum is None else checksum
    found = {"data": b64encode(data).decode(), "dataCrc32c": str(crc)}
    return reply({"name": "projects/1/secrets/x/versions/4", "payload": found})


def answers(serve: Serve, *replies: bytes) -> tuple[str, list[bytes]]:
    """Run a server that gives ``replies`` in turn, the last one for ever. Returns its address."""
    left = list(replies)

    def handle(connection: socket.socket, request: bytes) -> None:
        del request
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    port, requests = serve(handle)
    return f"http://127.0.0.1:{port}", requests


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "PERMISSION_DENIED", Denied),
        (404, "NOT_FOUND", NotFound),
        (400, "FAILED_PRECONDITION", Malformed),
        (400, "INVALID_ARGUMENT", Malformed),
        (401, "UNAUTHENTICATED", Unauthenticated),
        (429, "RESOURCE_EXHAUSTED", Throttled),
        (503, "UNAVAILABLE", Unavailable),
        (504, "DEADLINE_EXCEEDED", Unavailable),
        (500, "INTERNAL", Unavailable),
        (418, "SOMETHING_NEW", Malformed),
        (403, "", Denied),
        (502, "", Unavailable),
    ],
)
def test_each_code_is_what_it_says(status: int, code: str, kind: type[AdapterError], serve: Serve) -> None:
    canary = make_canary()
    address, _ = answers(serve, said(status, code, canary))
    (found,) = fetch(backend_for(address), ["gcp-sm://p/x"], seconds=2)
    assert type(found) in {kind, DeadlineError}
    assert type(found) is kind
    assert find_leaks(canary, found) == []


@pytest.mark.parametrize(
    ("reason", "word"), [("SERVICE_DISABLED", "not turned on"), ("CONSUMER_INVALID", "no such project"), ("", "roles/")]
)
def test_a_denial_says_what_to_do(reason: str, word: str, serve: Serve) -> None:
    address, _ = answers(serve, said(403, "PERMISSION_DENIED", reason=reason))
    (found,) = fetch(backend_for(address), ["gcp-sm://p/x"])
    assert word in found.message + found.hint


def exceptions() -> Iterator[type[Any]]:
    for name in dir(google_errors):
        one = getattr(google_errors, name)
        if isinstance(one, type) and issubclass(one, google_errors.GoogleAPICallError):
            yield one


@pytest.mark.parametrize("kind", list(exceptions()), ids=lambda kind: kind.__name__)
def test_every_exception_of_googles_library_has_an_outcome(kind: type[Any]) -> None:
    failure = failure_of_exception(kind("text of the server"))
    assert not failure.code or failure.code in CODES
    found = error_of(failure, "p/x")
    assert type(found) is kind_of(failure)
    same = {
        "Forbidden": Denied,
        "PermissionDenied": Denied,
        "NotFound": NotFound,
        "FailedPrecondition": Malformed,
        "ResourceExhausted": Throttled,
        "TooManyRequests": Throttled,
        "ServiceUnavailable": Unavailable,
        "DeadlineExceeded": Unavailable,
        "Unauthenticated": Unauthenticated,
        "Unauthorized": Unauthenticated,
    }
    assert type(found) is same.get(kind.__name__, type(found))
    assert "text of the server" not in str(found)


def test_a_payload_that_was_damaged_is_read_once_more(serve: Serve) -> None:
    address, requests = answers(serve, good(b"v", checksum=1), good(b"v"))
    (found,) = fetch(backend_for(address), ["gcp-sm://p/x"])
    assert isinstance(found, Document)
    assert found.version == "4"
    assert len(requests) == 2


def test_a_payload_that_stays_damaged_is_no_value(serve: Serve) -> None:
    canary = make_canary()
    address, _ = answers(serve, good(canary.encode(), checksum=1))
    (found,) = fetch(backend_for(address), ["gcp-sm://p/x"])
    assert isinstance(found, Unavailable)
    assert "CRC-32C" in found.message
    assert find_leaks(canary, found) == []


def test_a_payload_without_a_sum_is_taken(serve: Serve) -> None:
    body = {"name": "projects/1/secrets/x/versions/4", "payload": {"data": "dg=="}}
    address, _ = answers(serve, reply(body))
    assert isinstance(fetch(backend_for(address), ["gcp-sm://p/x"])[0], Document)


@given(st.binary(max_size=300))
def test_our_own_sum_is_googles(data: bytes) -> None:
    assert payload.in_python(data) == google_crc32c.value(data) == payload.checksum(data)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"text",
        b'{"payload": 5}',
        b'{"name": "a/1", "payload": {"data": 7}}',
        b'{"name": "a/1", "payload": {"data": "*"}}',
    ],
)
def test_an_answer_that_is_none_is_no_value(body: bytes, serve: Serve) -> None:
    address, _ = answers(serve, reply(body))
    (found,) = fetch(backend_for(address), ["gcp-sm://p/x"])
    assert isinstance(found, Malformed)


def test_what_is_busy_is_asked_again(serve: Serve) -> None:
    busy = said(503, "UNAVAILABLE")
    address, requests = answers(serve, busy, said(429, "RESOURCE_EXHAUSTED"), good())
    assert isinstance(fetch(backend_for(address), ["gcp-sm://p/x"])[0], Document)
    assert len(requests) == 3


def test_a_503_without_end_ends_at_the_deadline(serve: Serve) -> None:
    address, _ = answers(serve, said(503, "UNAVAILABLE"))
    began = time.monotonic()
    (found,) = fetch(backend_for(address), ["gcp-sm://p/x"], seconds=1)
    assert isinstance(found, Unavailable | DeadlineError)
    assert time.monotonic() - began < 4


def test_secrets_are_read_side_by_side_over_no_more_connections_than_are_allowed(serve: Serve) -> None:
    """No answer comes before each of the connections has asked for something."""
    together = threading.Barrier(3)
    asked: dict[object, int] = {}

    def handle(connection: socket.socket, request: bytes) -> None:
        peer = connection.getpeername()
        asked[peer] = asked.get(peer, 0) + 1
        if asked[peer] == 1:
            together.wait(20)
        connection.sendall(good(path_of(request).split("/")[5].encode()))

    port, requests = serve(handle)
    backend = backend_for(f"http://127.0.0.1:{port}", connections=3)
    found = fetch(backend, [f"gcp-sm://p/s-{number}" for number in range(18)], seconds=30)
    assert [one.content.reveal() for one in found] == [f"s-{number}".encode() for number in range(18)]
    assert len(asked) == 3
    assert len(requests) == 18


def path_of(request: bytes) -> str:
    return request.split(b" ")[1].decode()


def test_all_pages_of_a_project_are_read_with_its_filter(serve: Serve) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        path = path_of(request)
        if ":access" in path:
            name = path.split("/")[5]
            connection.sendall(good(name.encode()))
            return
        page = int(path.partition("pageToken=")[2] or 0)
        secrets = [{"name": f"projects/1/secrets/s-{page}-{n}"} for n in range(3)]
        connection.sendall(reply({"secrets": secrets, **({"nextPageToken": str(page + 1)} if page < 4 else {})}))

    port, requests = serve(handle)
    (tree,) = fetch(backend_for(f"http://127.0.0.1:{port}"), ["gcp-sm://p/?filter=labels.env%3Dprod"])
    assert isinstance(tree, Document)
    assert len(tree.content.reveal()) == 15
    lists = [path_of(one) for one in requests if ":access" not in path_of(one)]
    assert len(lists) == 5
    assert all("filter=labels.env%3Dprod" in path for path in lists)


def test_pages_that_go_round_in_a_circle_are_noticed(serve: Serve) -> None:
    page = {"secrets": [{"name": "projects/1/secrets/a"}], "nextPageToken": "again"}
    address, requests = answers(serve, reply(page))
    (found,) = fetch(backend_for(address), ["gcp-sm://p/"])
    assert isinstance(found, Malformed)
    assert len(requests) == 2


def test_a_secret_that_cannot_be_read_fails_the_whole_project(serve: Serve) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        path = path_of(request)
        if "/bad/" in path:
            connection.sendall(said(400, "FAILED_PRECONDITION"))
        elif ":access" in path:
            connection.sendall(good())
        else:
            connection.sendall(
                reply({"secrets": [{"name": "projects/1/secrets/a"}, {"name": "projects/1/secrets/bad"}]})
            )

    port, _ = serve(handle)
    (found,) = fetch(backend_for(f"http://127.0.0.1:{port}"), ["gcp-sm://p/"])
    assert isinstance(found, Malformed)
    assert "p/bad" in found.message


def test_a_filter_that_google_does_not_take_says_so(serve: Serve) -> None:
    address, _ = answers(serve, said(400, "INVALID_ARGUMENT"))
    (found,) = fetch(backend_for(address), ["gcp-sm://p/?filter=7"])
    assert isinstance(found, Malformed)


def test_a_region_has_its_own_address_and_path(serve: Serve) -> None:
    from confsvc_gcp.rest import endpoint_of

    backend = backend_for("")._replace(options={"project": "p"})
    assert endpoint_of(backend, "europe-west1") == "https://secretmanager.europe-west1.rep.googleapis.com"
    address, requests = answers(serve, good())
    texts = ["gcp-sm://p/x?location=europe-west1", "gcp-sm://projects/p/locations/europe-west3/secrets/x"]
    fetch(backend_for(address), texts)
    fetch(backend_for(address, location="us-east1"), ["gcp-sm://p/x"])
    assert [path_of(one).split("/secrets")[0] for one in requests] == [
        "/v1/projects/p/locations/europe-west1",
        "/v1/projects/p/locations/europe-west3",
        "/v1/projects/p/locations/us-east1",
    ]
