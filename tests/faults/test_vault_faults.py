"""The vault adapter against servers that are not well: what is said, what is sent, and how long it takes."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from confsvc.adapter import Backend, Document
from confsvc.errors import (
    AdapterError,
    ConfsvcError,
    DeadlineError,
    Denied,
    Malformed,
    NotFound,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from openbao import free_port
from vaulting import backend_for, fetch, fetch_one

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]
Reply = bytes | Callable[[], bytes]

TOKEN = "cnry-token-83b1f0"
CANARY = "cnry-value-51c9aa"
REFERENCE = "vault://secret/shop/db"
MOUNT = {"data": {"path": "secret/", "type": "kv", "options": {"version": "2"}}}
METADATA = {"version": 1, "created_time": "", "deletion_time": "", "destroyed": False}


def reply(status: int, body: object = None, *headers: str) -> bytes:
    """Return an answer with `body` as JSON."""
    text = b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} x", "Content-Type: application/json", f"Content-Length: {len(text)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + text


SECRET = reply(200, {"data": {"data": {"password": CANARY}, "metadata": METADATA}})
LOGIN = reply(200, {"auth": {"client_token": TOKEN, "lease_duration": 600, "renewable": True}})


def vault(**paths: Reply) -> Handle:
    """Return a server: each of `paths` is the end of a path, with `_` for `/`, and what is answered there."""
    table: dict[str, Reply] = {"ui_mounts_secret_shop_db": reply(200, MOUNT), "data_shop_db": SECRET, **paths}

    def handle(connection: socket.socket, request: bytes) -> None:
        path = request.split(b" ")[1].decode().partition("?")[0].replace("/", "_").replace("-", "_")
        found = next((answer for end, answer in table.items() if path.endswith(end)), reply(403, {"errors": ["no"]}))
        connection.sendall(found() if callable(found) else found)

    return handle


def given(port: int, **options: Any) -> Backend:
    """Return a backend with the token in a variable."""
    return backend_for(f"http://127.0.0.1:{port}", {"VAULT_TOKEN": TOKEN}, **options)


def logging_in(port: int, **options: Any) -> Backend:
    """Return a backend that logs in with AppRole."""
    environ = {"VAULT_ROLE_ID": "shop", "VAULT_SECRET_ID": CANARY}
    return backend_for(f"http://127.0.0.1:{port}", environ, auth={"method": "approle"}, **options)


def is_silent(error: ConfsvcError) -> bool:
    """Tell whether neither token nor value can be had from `error`."""
    everything = f"{error!r} {error} {error.hint} {vars(error)} {error.problems}"
    chained = error.__cause__ or error.__context__ or error.__traceback__
    return TOKEN not in everything and CANARY not in everything and chained is None


def in_turn(*answers: bytes) -> Callable[[], bytes]:
    """Return answers one after the other, the last one for ever."""
    left = list(answers)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_a_secret_is_read_in_two_round_trips(serve: Serve) -> None:
    port, requests = serve(vault())
    outcome = fetch_one(given(port), REFERENCE)
    assert isinstance(outcome, Document)
    assert [request.split(b" ")[1] for request in requests] == [
        b"/v1/sys/internal/ui/mounts/secret/shop/db",
        b"/v1/secret/data/shop/db",
    ]


def test_after_a_login_the_usual_mount_is_read_while_it_is_asked_about(serve: Serve) -> None:
    port, requests = serve(vault(approle_login=LOGIN, revoke_self=reply(204)))
    assert isinstance(fetch_one(logging_in(port), REFERENCE), Document)
    assert len(requests) == 4
    assert sum(b" /v1/secret/data/shop/db " in request for request in requests) == 1


def test_a_wrong_guess_about_the_mount_is_not_looked_at(serve: Serve) -> None:
    mount = {"data": {"path": "secret/", "type": "kv", "options": None}}
    plain = reply(200, {"data": {"password": "of version 1"}})
    port, _ = serve(
        vault(
            approle_login=LOGIN,
            revoke_self=reply(204),
            ui_mounts_secret_shop_db=reply(200, mount),
            secret_shop_db=plain,
        )
    )
    outcome = fetch_one(logging_in(port), REFERENCE)
    assert isinstance(outcome, Document)
    assert outcome.content.reveal() == {"password": "of version 1"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Malformed),
        (401, Unauthenticated),
        (404, Unavailable),  # not as the server says it: a proxy's
        (405, Malformed),
        (412, Unavailable),
        (418, Unavailable),
        (429, Throttled),
        (472, Unavailable),
        (473, Unavailable),
        (500, Unavailable),
        (501, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
    ],
)
def test_every_status_has_its_error(serve: Serve, status: int, kind: type[AdapterError]) -> None:
    port, _ = serve(vault(data_shop_db=reply(status, [CANARY])))
    outcome = fetch_one(given(port), REFERENCE)
    assert type(outcome) is kind
    assert is_silent(outcome)


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"data": None}, {"data": []}, {"data": {"data": [1], "metadata": METADATA}}, "text", {"data": 1}],
)
def test_an_answer_that_is_none_is_malformed(serve: Serve, body: object) -> None:
    port, _ = serve(vault(data_shop_db=reply(200, body)))
    assert isinstance(fetch_one(given(port), REFERENCE), Malformed)


def test_json_that_can_be_read_two_ways_is_refused(serve: Serve) -> None:
    text = b'{"data": {"data": {"a": "1", "a": "2"}, "metadata": {"version": 1}}}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
    port, _ = serve(vault(data_shop_db=answer))
    assert isinstance(fetch_one(given(port), REFERENCE), Malformed)


def test_what_gets_better_is_tried_again(serve: Serve) -> None:
    busy = in_turn(reply(502), reply(500), SECRET)
    port, requests = serve(vault(data_shop_db=busy))
    assert isinstance(fetch_one(given(port), REFERENCE), Document)
    assert len(requests) == 4


def test_a_server_that_is_busy_is_not_taken_for_a_sealed_one(serve: Serve) -> None:
    status = reply(200, {"sealed": False, "initialized": True})
    port, _ = serve(vault(data_shop_db=in_turn(reply(503), reply(503), SECRET), seal_status=status))
    assert isinstance(fetch_one(given(port), REFERENCE), Document)


@pytest.mark.parametrize("backend", [given, logging_in])
def test_a_sealed_server_is_not_asked_again(serve: Serve, backend: Callable[[int], Backend]) -> None:
    sealed = {"errors": ["Vault is sealed"]}
    status = reply(200, {"sealed": True, "initialized": True})
    port, requests = serve(lambda c, r: c.sendall(status if b"seal-status" in r else reply(503, sealed)))
    outcome = fetch_one(backend(port), REFERENCE)
    assert isinstance(outcome, Unavailable)
    assert "is sealed" in outcome.message
    assert "unseal" in outcome.hint
    assert len(requests) == 2


def test_a_wait_longer_than_there_is_time_is_said_at_once(serve: Serve) -> None:
    port, requests = serve(vault(data_shop_db=reply(429, {"errors": []}, "Retry-After: 86400")))
    started = time.monotonic()
    outcome = fetch_one(given(port), REFERENCE)
    assert isinstance(outcome, Throttled)
    assert time.monotonic() - started < 10
    assert len(requests) == 2


def test_a_short_wait_is_waited_for(serve: Serve) -> None:
    port, _ = serve(vault(data_shop_db=in_turn(reply(429, None, "Retry-After: 1"), SECRET)))
    started = time.monotonic()
    assert isinstance(fetch_one(given(port), REFERENCE), Document)
    assert time.monotonic() - started >= 1


def test_an_answer_cut_short_is_never_used(serve: Serve) -> None:
    def cut(connection: socket.socket, request: bytes) -> None:
        whole = SECRET if b"/data/" in request else reply(200, MOUNT)
        connection.sendall(whole[:-5] if b"/data/" in request else whole)
        if b"/data/" in request:
            connection.close()

    port, _ = serve(cut)
    outcome = fetch_one(given(port), REFERENCE)
    assert isinstance(outcome, Unavailable)
    assert is_silent(outcome)


@pytest.mark.parametrize("backend", [given, logging_in])
def test_a_server_that_never_answers_ends_with_the_deadline(serve: Serve, backend: Callable[[int], Backend]) -> None:
    port, _ = serve(lambda _connection, _request: None)
    started = time.monotonic()
    outcome = fetch_one(backend(port), REFERENCE, seconds=0.6)
    assert isinstance(outcome, DeadlineError)
    assert time.monotonic() - started < 5
    assert is_silent(outcome)


def test_the_time_for_one_round_can_be_less(serve: Serve) -> None:
    port, _ = serve(lambda _connection, _request: None)
    backend = backend_for(f"http://127.0.0.1:{port}", {"VAULT_TOKEN": TOKEN, "VAULT_CLIENT_TIMEOUT": "500ms"})
    started = time.monotonic()
    assert isinstance(fetch_one(backend, REFERENCE, seconds=60), DeadlineError)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("backend", [given, logging_in])
def test_an_answer_that_drips_does_not_outlive_the_deadline(serve: Serve, backend: Callable[[int], Backend]) -> None:
    def drip(connection: socket.socket, _request: bytes) -> None:
        for byte in SECRET:
            connection.sendall(bytes((byte,)))
            time.sleep(0.05)

    port, _ = serve(drip)
    started = time.monotonic()
    assert isinstance(fetch_one(backend(port), REFERENCE, seconds=0.6), DeadlineError)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("backend", [given, logging_in])
def test_nobody_there_is_unavailable_and_named(backend: Callable[[int], Backend]) -> None:
    port = free_port()
    outcome = fetch_one(backend(port), REFERENCE)
    assert isinstance(outcome, Unavailable)
    assert f"`127.0.0.1:{port}` refused" in outcome.message
    assert is_silent(outcome)


@pytest.mark.parametrize("backend", [given, logging_in])
def test_a_redirect_elsewhere_takes_nothing_along(serve: Serve, backend: Callable[[int], Backend]) -> None:
    other, heard = serve(vault())
    away = reply(307, None, f"Location: http://127.0.0.1:{other}/v1/secret/data/shop/db")
    port, _ = serve(lambda connection, _request: connection.sendall(away))
    outcome = fetch_one(backend(port), REFERENCE)
    assert isinstance(outcome, Unavailable)
    assert f"`http://127.0.0.1:{other}`" in outcome.message
    assert heard == []


@pytest.mark.parametrize("backend", [given, logging_in])
def test_a_redirect_to_a_listed_origin_is_followed(serve: Serve, backend: Callable[..., Backend]) -> None:
    other, heard = serve(vault(approle_login=LOGIN, revoke_self=reply(204)))

    def standby(connection: socket.socket, request: bytes) -> None:
        path = request.split(b" ")[1].decode()
        connection.sendall(reply(307, None, f"Location: http://127.0.0.1:{other}{path}"))

    port, _ = serve(standby)
    outcome = fetch_one(backend(port, redirect_origins=[f"http://127.0.0.1:{other}"]), REFERENCE)
    assert isinstance(outcome, Document)
    assert all(f"Host: 127.0.0.1:{other}".encode() in request for request in heard)


def test_only_one_step_of_a_redirect_is_followed(serve: Serve) -> None:
    ports: list[int] = []
    bounce: Handle = lambda c, _: c.sendall(reply(307, None, f"Location: http://127.0.0.1:{ports[1]}/"))  # noqa: E731
    ports += [serve(bounce)[0] for _ in range(2)]
    backend = given(ports[0], redirect_origins=[f"http://127.0.0.1:{ports[1]}"])
    outcome = fetch_one(backend, REFERENCE)
    assert isinstance(outcome, Unavailable)
    assert "one step is followed" in outcome.message


@pytest.mark.parametrize("location", ["", "/v1/sys/mounts", "ftp://x", "http://user:pw@127.0.0.1/", "http://[::"])
def test_a_redirect_to_nowhere_is_not_followed(serve: Serve, location: str) -> None:
    port, requests = serve(lambda c, _: c.sendall(reply(302, None, f"Location: {location}")))
    assert isinstance(fetch_one(given(port), REFERENCE), Unavailable)
    assert len(requests) == 1


@pytest.mark.parametrize("backend", [given, logging_in])
def test_no_proxy_and_no_netrc_is_listened_to(
    serve: Serve, backend: Callable[[int], Backend], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy, heard = serve(vault())
    port, requests = serve(vault(approle_login=LOGIN, revoke_self=reply(204)))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
    (tmp_path / ".netrc").write_text("default login someone password else\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    assert isinstance(fetch_one(backend(port), REFERENCE), Document)
    assert heard == []
    assert not any(b"authorization:" in request.lower() for request in requests)
    assert all(b"accept-encoding: identity" in request.lower() for request in requests)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
    ],
    ids=["too large", "compressed"],
)
def test_a_login_keeps_the_same_rules_as_a_read(serve: Serve, answer: bytes) -> None:
    port, _ = serve(lambda connection, _request: connection.sendall(answer))
    outcome = fetch_one(logging_in(port), REFERENCE)
    assert isinstance(outcome, Unavailable)
    assert "cannot be used" in outcome.message


@pytest.mark.parametrize("body", [None, [], {"auth": None}, {"auth": {"client_token": ""}}, {"auth": []}, "<html>"])
def test_a_login_that_brings_no_token_is_none(serve: Serve, body: object) -> None:
    port, _ = serve(vault(approle_login=reply(200, body)))
    outcome = fetch_one(logging_in(port), REFERENCE)
    assert isinstance(outcome, Unavailable)
    assert is_silent(outcome)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Unauthenticated), (403, Unauthenticated), (404, Unauthenticated), (405, Malformed), (429, Throttled),
     (500, Unavailable), (501, Unavailable), (502, Unavailable), (504, Unavailable)],
)  # fmt: skip
def test_a_login_that_fails_has_its_error(serve: Serve, status: int, kind: type[AdapterError]) -> None:
    port, _ = serve(vault(approle_login=reply(status, {"errors": [CANARY]})))
    outcome = fetch_one(logging_in(port), REFERENCE)
    assert type(outcome) is kind
    assert is_silent(outcome)


def test_a_token_that_is_refused_after_a_new_login_too_is_denied(serve: Serve) -> None:
    port, requests = serve(vault(approle_login=LOGIN, data_shop_db=reply(403, {"errors": ["permission denied"]})))
    outcome = fetch_one(logging_in(port), REFERENCE)
    assert isinstance(outcome, Denied)
    assert sum(b"approle/login" in request for request in requests) == 2


def test_a_token_that_has_ended_is_not_tried_on_every_path(serve: Serve) -> None:
    port, requests = serve(lambda connection, _: connection.sendall(reply(403, {"errors": ["permission denied"]})))
    outcomes = fetch(given(port), *(f"vault://secret/shop/{number}" for number in range(50)))
    assert all(isinstance(outcome, Unauthenticated) for outcome in outcomes)
    assert len(requests) < 10


def test_a_token_is_given_back_even_if_reading_failed(serve: Serve) -> None:
    port, requests = serve(vault(approle_login=LOGIN, data_shop_db=reply(404, {"errors": []}), revoke_self=reply(204)))
    assert isinstance(fetch_one(logging_in(port), REFERENCE), NotFound)
    assert b"/v1/auth/token/revoke-self" in requests[-1]


def test_a_server_that_does_not_take_a_token_back_harms_nothing(serve: Serve) -> None:
    port, _ = serve(vault(approle_login=LOGIN, revoke_self=b""))
    assert isinstance(fetch_one(logging_in(port), REFERENCE), Document)


def test_reads_go_side_by_side_up_to_the_bound(serve: Serve) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def slow(connection: socket.socket, request: bytes) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        connection.sendall(reply(200, MOUNT) if b"/mounts/" in request else SECRET)

    port, _ = serve(slow)
    texts = [f"vault://secret/shop/{number}" for number in range(24)]
    assert all(isinstance(one, Document) for one in fetch(given(port, connections=3), *texts))
    assert most == [3]


@pytest.mark.parametrize("backend", [given, logging_in])
def test_no_library_logs_what_must_not_be_seen(
    serve: Serve, backend: Callable[[int], Backend], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    port, _ = serve(vault(approle_login=LOGIN, revoke_self=reply(204)))
    assert isinstance(fetch_one(backend(port), REFERENCE), Document)
    assert CANARY not in caplog.text
    assert TOKEN not in caplog.text


def test_one_document_is_read_once_however_it_is_spelt(serve: Serve) -> None:
    port, requests = serve(vault(mounts_secret_data_shop_db=reply(200, MOUNT)))
    outcomes = fetch(given(port), REFERENCE, "vault://secret/data/shop/db", "vault:///secret/shop/db")
    assert all(isinstance(outcome, Document) for outcome in outcomes)
    assert sum(b"GET /v1/secret/data/shop/db " in request for request in requests) == 1


@pytest.mark.parametrize(
    ("address", "options", "words"),
    [
        ("127.0.0.1:8200", {}, "no scheme"),
        ("http://vault.example.com:8200", {}, "plain `http`"),
        ("https://user:pw@vault.example.com", {}, "user name or a password"),
        ("", {}, "no address"),
        ("http://127.0.0.1:1", {"redirect_origins": ["vault"]}, "no scheme"),
        ("http://127.0.0.1:1", {"environ": {"VAULT_SKIP_VERIFY": "maybe"}}, "VAULT_SKIP_VERIFY"),
        ("http://127.0.0.1:1", {"environ": {"VAULT_CLIENT_TIMEOUT": "soon"}}, "VAULT_CLIENT_TIMEOUT"),
        ("http://127.0.0.1:1", {"namespace": {"env": "NOT_SET"}}, "`NOT_SET`"),
        ("http://127.0.0.1:1", {"namespace": {"env": "A", "file": "b"}}, "{ env = … }"),
        ("https://127.0.0.1:1", {"ca_file": "nonexistent.pem"}, "nonexistent.pem"),
    ],
)
def test_a_table_that_cannot_be_used_is_the_manifests_fault(address: str, options: dict[str, Any], words: str) -> None:
    outcome = fetch_one(backend_for(address, **options), REFERENCE)
    assert isinstance(outcome, ConfsvcError)
    assert outcome.exit_status == 78
    assert words in outcome.message
    assert "pw" not in outcome.message
