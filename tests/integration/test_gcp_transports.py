"""Both transports give the same results: gRPC through a server that passes on to drongo what Google's client sends."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import google.api_core.exceptions as google_errors
import grpc
import pytest
from google.cloud.secretmanager_v1 import types

from confsvc.adapter import Deadline, Document
from confsvc.errors import DeadlineError, Unavailable
from confsvc.reference import parse_reference
from confsvc_gcp.adapter import SecretManagerAdapter
from gcp import PROJECT, Gcp, fetch
from openbao import free_port

METHODS: dict[str, Any] = {
    "AccessSecretVersion": types.AccessSecretVersionRequest,
    "GetSecretVersion": types.GetSecretVersionRequest,
    "ListSecrets": types.ListSecretsRequest,
    "AddSecretVersion": types.AddSecretVersionRequest,
    "CreateSecret": types.CreateSecretRequest,
}
CODES = {400: grpc.StatusCode.FAILED_PRECONDITION, 404: grpc.StatusCode.NOT_FOUND, 409: grpc.StatusCode.ALREADY_EXISTS}


def handler(gcp: Gcp, name: str) -> Any:
    snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in name).strip("_")

    def call(request: Any, context: grpc.ServicerContext) -> Any:
        found: Any = None
        try:
            found = getattr(gcp.client, snake)(request, retry=None)
        except google_errors.GoogleAPICallError as error:
            context.abort(CODES.get(int(error.code or 0), grpc.StatusCode.UNKNOWN), "text of the server")
        if name == "ListSecrets":
            return types.ListSecretsResponse(secrets=list(found))
        return found

    def serialize(found: Any) -> bytes:
        return bytes(type(found).serialize(found))

    return grpc.unary_unary_rpc_method_handler(call, METHODS[name].deserialize, serialize)


@pytest.fixture(scope="module")
def channel(gcp: Gcp) -> Iterator[str]:
    """The address of a gRPC server with the same secrets."""
    server = grpc.server(ThreadPoolExecutor(8))
    handlers = {name: handler(gcp, name) for name in METHODS}
    service = "google.cloud.secretmanager.v1.SecretManagerService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture
def filled(gcp: Gcp) -> list[str]:
    """References to all kinds of things."""
    for text in (b"one", b'{"a": 1}'):
        gcp.put("transported", text)
    gcp.put("binary", b"\x00\xff")
    gcp.put("off", b"x")
    gcp.client.disable_secret_version(name=f"projects/{PROJECT}/secrets/off/versions/1")
    gcp.put("t-one", b"1", "transports")
    gcp.put("t-two", b"2", "transports")
    return [
        "gcp-sm:///transported",
        "gcp-sm:///transported?version=1",
        "gcp-sm:///binary",
        "gcp-sm:///nothing",
        "gcp-sm:///off?version=1",
        "gcp-sm://transports/",
        "gcp-sm://transports/?prefix=t-t",
    ]


def told(outcome: Any) -> Any:
    if isinstance(outcome, Document):
        return (outcome.content.reveal(), outcome.version)
    return (type(outcome), outcome.message, outcome.hint)


def test_they_read_the_same(gcp: Gcp, channel: str, filled: list[str]) -> None:
    rest = fetch(gcp.backend(), filled)
    over_grpc = fetch(gcp.backend(transport="grpc", endpoint=channel), filled)
    assert list(map(told, over_grpc)) == list(map(told, rest))


def test_they_tell_the_same(gcp: Gcp, channel: str, filled: list[str]) -> None:
    references = [parse_reference(text) for text in filled]
    found = []
    for options in ({}, {"transport": "grpc", "endpoint": channel}):
        adapter = SecretManagerAdapter(gcp.backend(**options))
        described = adapter.describe(references, deadline=Deadline(20))
        found.append([getattr(described[r], "version", None) or type(described[r]) for r in references])
        adapter.close()
    assert found[0] == found[1]


def test_both_store(gcp: Gcp, channel: str) -> None:
    adapter = SecretManagerAdapter(gcp.backend(transport="grpc", endpoint=channel))
    reference = parse_reference(f"gcp-sm:///stored-{free_port()}")
    assert adapter.store(reference, {"a": 1}, deadline=Deadline(20), expected="0") == "1"
    assert adapter.store(reference, {"a": 2}, deadline=Deadline(20), expected="1") == "2"
    adapter.close()
    assert fetch(gcp.backend(), [str(reference)])[0].content.reveal() == b'{"a":2}'


def test_grpc_keeps_the_deadline(gcp: Gcp) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        outcome: Any
        try:
            (outcome,) = fetch(gcp.backend(transport="grpc", endpoint=address), ["gcp-sm:///x"], seconds=1)
        except DeadlineError as error:
            outcome = error
        assert isinstance(outcome, DeadlineError | Unavailable)


def test_rest_works_after_a_fork(gcp: Gcp) -> None:
    gcp.put("forked", b"v")
    adapter = SecretManagerAdapter(gcp.backend())
    reference = parse_reference("gcp-sm:///forked")
    adapter.fetch([reference], deadline=Deadline(10))
    pid = os.fork()
    if pid == 0:
        found = adapter.fetch([reference], deadline=Deadline(10))[reference]
        os._exit(0 if isinstance(found, Document) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    adapter.close()
