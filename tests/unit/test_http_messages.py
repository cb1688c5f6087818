"""Requests: what is written, what cannot be, and that neither requests nor answers print what they carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.http import Answer, Call, Origin
from confsvc.http.messages import request_bytes, request_problem

ORIGIN = Origin("https", "vault.example.com", 8200)
CANARY = "hunter2canary"


def written(call: Call) -> list[bytes]:
    """Return the lines of ``call`` as it is sent."""
    return request_bytes([call], ORIGIN, "test/1").split(b"\r\n")


def test_a_read_is_its_line_and_a_few_headers() -> None:
    assert written(Call("GET", "/v1/a?x=%20", {"X-Vault-Token": "t"})) == [
        b"GET /v1/a?x=%20 HTTP/1.1",
        b"Host: vault.example.com:8200",
        b"User-Agent: test/1",
        b"Accept-Encoding: identity",
        b"X-Vault-Token: t",
        b"",
        b"",
    ]


def test_a_body_has_its_length_even_when_empty() -> None:
    assert written(Call("POST", "/", {}, b"{}"))[-3:] == [b"Content-Length: 2", b"", b"{}"]
    assert b"Content-Length: 0" in written(Call("PUT", "/"))


@pytest.mark.parametrize("name", ["host", "Content-Length", "TRANSFER-ENCODING", "Connection", "Accept-Encoding", "TE"])
def test_what_frames_a_request_cannot_be_set(name: str) -> None:
    assert CANARY.encode() not in request_bytes([Call("GET", "/", {name: CANARY})], ORIGIN, "test/1")


@pytest.mark.parametrize(
    "call",
    [
        Call("GET /x", "/"),
        Call("", "/"),
        Call("GET", CANARY),
        Call("GET", f"/{CANARY} HTTP/1.1\r\nX: y"),
        Call("GET", f"/{CANARY}#x"),
        Call("GET", f"/{CANARY}é"),
        Call("GET", "/", {f"X-{CANARY}:": "v"}),
        Call("GET", "/", {"": CANARY}),
        Call("GET", "/", {"X-Vault-Token": f"{CANARY}\n"}),
        Call("GET", "/", {"X-Vault-Token": f"{CANARY}\r\nX: y"}),
        Call("GET", "/", {"X-Vault-Token": f"{CANARY}\0"}),
        Call("GET", "/", {"X-Vault-Token": f"{CANARY}é"}),
    ],
)
def test_a_call_that_would_be_another_request_is_refused_without_repeating_it(call: Call) -> None:
    problem = request_problem(call)
    assert problem is not None
    assert CANARY not in f"{problem} {problem.hint}"


@given(value=st.text(max_size=20), path=st.text(max_size=20))
def test_a_call_is_one_request_or_a_problem(value: str, path: str) -> None:
    call = Call("GET", f"/{path}", {"X-A": value})
    if request_problem(call) is None:
        data = request_bytes([call], ORIGIN, "test/1")
        assert data.count(b"\r\n") == 6
        assert data.count(b"\n") == 6


def test_nothing_that_is_carried_is_printed() -> None:
    call = Call("GET", f"/v1/a?key={CANARY}", {"X-Vault-Token": CANARY}, CANARY.encode())
    answer = Answer(200, {"x-secret": CANARY}, CANARY.encode())
    assert CANARY not in f"{call!r} {call} {[call]} {answer!r} {answer} {[answer]}"
