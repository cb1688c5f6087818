"""Both transports give the same results: gRPC through a server that passes on to drongo what Google's client sends."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import google.api_core.exceptions as google_errors
import google_crc32c
import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud.secretmanager_v1 import types

from certificates import Authority
from confsvc.adapter import Deadline, Document
from confsvc.errors import DeadlineError, ManifestError, Throttled, Unavailable
from confsvc.reference import parse_reference
from confsvc_gcp.adapter import SecretManagerAdapter
from confsvc_gcp.errors import CODES as KINDS
from gcp import PROJECT, Gcp, backend_for, fetch
from openbao import free_port
from supervised import until

METHODS: dict[str, Any] = {
    "AccessSecretVersion": types.AccessSecretVersionRequest,
    "GetSecretVersion": types.GetSecretVersionRequest,
    "ListSecrets": types.ListSecretsRequest,
    "AddSecretVersion": types.AddSecretVersionRequest,
    "CreateSecret": types.CreateSecretRequest,
}
SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
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
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(None)


class Scripted:
    """A gRPC server that answers each method with what ``says`` has in turn, the last one for ever."""

    def __init__(self, says: Sequence[Any]) -> None:
        self.left = list(says)
        self.calls = 0
        self.metadata: dict[str, Any] = {}

    def answer(self, request: Any, context: grpc.ServicerContext) -> Any:
        del request
        self.calls += 1
        self.metadata = dict(context.invocation_metadata())
        said = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(said, grpc.StatusCode):
            context.abort(said, "text of the server")
        return said


Script = Callable[..., tuple[Scripted, str]]


@pytest.fixture
def script() -> Iterator[Script]:
    """A function that starts such a server, which may show a certificate. Returns it, and its address."""
    servers: list[Any] = []

    def start(*says: Any, shows: tuple[Path, Path] | None = None) -> tuple[Scripted, str]:
        one = Scripted(says)
        server = grpc.server(ThreadPoolExecutor(4))
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                one.answer, METHODS[name].deserialize, lambda found: bytes(type(found).serialize(found))
            )
            for name in METHODS
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        scheme = "https" if shows else "http"
        if shows:
            certificate, key = (file.read_bytes() for file in shows)
            credentials = grpc.ssl_server_credentials([(key, certificate)])
            port = server.add_secure_port("127.0.0.1:0", credentials)
        else:
            port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return one, f"{scheme}://127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(None)


def payload(data: bytes, checksum: int) -> Any:
    """Return the answer to an access."""
    name = f"projects/{PROJECT}/secrets/x/versions/4"
    return types.AccessSecretVersionResponse(name=name, payload={"data": data, "data_crc32c": checksum})


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
        described = adapter.describe(references, deadline=Deadline(60))
        found.append([getattr(described[r], "version", None) or type(described[r]) for r in references])
        adapter.close()
    assert found[0] == found[1]


def test_both_store(gcp: Gcp, channel: str) -> None:
    adapter = SecretManagerAdapter(gcp.backend(transport="grpc", endpoint=channel))
    reference = parse_reference(f"gcp-sm:///stored-{free_port()}")
    assert adapter.store(reference, {"a": 1}, deadline=Deadline(60), expected="0") == "1"
    assert adapter.store(reference, {"a": 2}, deadline=Deadline(60), expected="1") == "2"
    adapter.close()
    assert fetch(gcp.backend(), [str(reference)])[0].content.reveal() == b'{"a":2}'


def pausing(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have ``seconds`` between two tries."""
    monkeypatch.setattr("confsvc_gcp.grpc_store.wait_before", lambda *_: seconds)


@pytest.mark.parametrize("code", sorted(KINDS))
def test_each_code_is_over_grpc_what_it_is_over_rest(
    code: str, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    pausing(monkeypatch, 0.0)
    _, address = script(grpc.StatusCode[code])
    (found,) = fetch(backend_for(address, transport="grpc"), ["gcp-sm:///x"])
    assert type(found) is KINDS[code]
    assert "text of the server" not in f"{found!r} {found.message} {found.hint}"


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE])
def test_what_is_busy_is_asked_again_over_grpc_too(code: grpc.StatusCode, script: Script) -> None:
    server, address = script(code, code, payload(b"v", google_crc32c.value(b"v")))
    (found,) = fetch(backend_for(address, transport="grpc"), ["gcp-sm:///x"])
    assert told(found) == (b"v", "4")
    assert server.calls == 3


@pytest.mark.parametrize(("pause", "calls"), [(0.0, 6), (600.0, 1)])
def test_what_stays_busy_is_told_within_the_deadline_over_grpc_too(
    pause: float, calls: int, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    pausing(monkeypatch, pause)
    server, address = script(grpc.StatusCode.RESOURCE_EXHAUSTED)
    (found,) = fetch(backend_for(address, transport="grpc"), ["gcp-sm:///x"])
    assert isinstance(found, Throttled)
    assert server.calls == calls


def test_a_payload_that_was_damaged_is_read_once_more_over_grpc_too(script: Script) -> None:
    server, address = script(payload(b"v", 1), payload(b"v", google_crc32c.value(b"v")))
    (found,) = fetch(backend_for(address, transport="grpc"), ["gcp-sm:///x"])
    assert told(found) == (b"v", "4")
    assert server.calls == 2
    _, address = script(payload(b"v", 1))
    (found,) = fetch(backend_for(address, transport="grpc"), ["gcp-sm:///x"])
    assert isinstance(found, Unavailable)
    assert "CRC-32C" in found.message


def test_what_may_have_been_written_is_not_written_twice(script: Script) -> None:
    server, address = script(grpc.StatusCode.UNAVAILABLE)
    adapter = SecretManagerAdapter(backend_for(address, transport="grpc"))
    with pytest.raises(Unavailable):
        adapter.store(parse_reference("gcp-sm:///x"), {"a": 1}, deadline=Deadline(60))
    adapter.close()
    assert server.calls == 1


def test_over_grpc_a_token_goes_to_whom_the_backend_trusts_and_to_nobody_else(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    good = payload(b"v", google_crc32c.value(b"v"))
    server, address = script(good, shows=authority.issue("127.0.0.1"))
    options: dict[str, Any] = {
        "transport": "grpc",
        "auth": {"method": "service-account", "file": service_account(tmp_path)},
    }
    (found,) = fetch(backend_for(address, ca_file=str(authority.file), **options), ["gcp-sm:///x"])
    assert told(found) == (b"v", "4")
    assert server.metadata["authorization"].count(".") == 2  # a token that the key itself has signed
    pausing(monkeypatch, 0.0)
    (found,) = fetch(backend_for(address, **options), ["gcp-sm:///x"])
    assert isinstance(found, Unavailable)
    assert server.calls == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_over_grpc_a_file_of_authorities_that_is_none_is_the_manifests_fault(
    content: str | None, script: Script, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    server, address = script(payload(b"v", 0), shows=Authority(tmp_path).issue("127.0.0.1"))
    with pytest.raises(ManifestError, match=r"ca\.pem"):
        fetch(backend_for(address, transport="grpc", ca_file=str(file)), ["gcp-sm:///x"])
    assert server.calls == 0


def service_account(folder: Path) -> str:
    """Write the file of a service account. Returns its path."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    found = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "1",
        "private_key": key.decode(),
        "client_email": "robot@example.com",
        "token_uri": "http://127.0.0.1:9/token",
    }
    (folder / "account.json").write_text(json.dumps(found))
    return str(folder / "account.json")


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
    adapter.fetch([reference], deadline=Deadline(60))
    pid = os.fork()
    if pid == 0:
        found = adapter.fetch([reference], deadline=Deadline(60))[reference]
        os._exit(0 if isinstance(found, Document) else 1)
    try:
        until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
    finally:
        os.kill(pid, signal.SIGKILL)  # one that hangs must not hang us
        status = os.waitpid(pid, 0)[1]
    assert os.waitstatus_to_exitcode(status) == 0
    adapter.close()
