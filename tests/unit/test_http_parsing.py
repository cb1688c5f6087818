"""Reading an answer: whole and unambiguous, or not at all."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.http.messages import Answer
from confsvc.http.parsing import BODY_LIMIT, HEAD_LIMIT, BadAnswer, answer_from

OK = b"HTTP/1.1 200 OK\r\n"
PLAIN = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: t\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + PLAIN
WHOLE = [PLAIN, CHUNKED, INTERIM]


def read(pieces: list[bytes], method: str = "GET") -> tuple[Answer | None, bytes]:
    """Return the answer that ``pieces`` hold, None if it is not whole, and what is left over."""
    buffer = bytearray()
    reading = answer_from(buffer, method)
    for piece in pieces:
        buffer += piece
        try:
            next(reading)
        except StopIteration as stop:
            return stop.value, bytes(buffer)
    return None, bytes(buffer)


@pytest.mark.parametrize("data", WHOLE)
def test_an_answer_has_its_status_and_its_body(data: bytes) -> None:
    answer, rest = read([data])
    assert answer is not None
    assert (answer.status, answer.body, rest) == (200, b"hello", b"")


@given(data=st.sampled_from(WHOLE), cuts=st.lists(st.integers(0, 140), max_size=6))
def test_how_the_bytes_are_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(data)]
    answer, rest = read([data[a:b] for a, b in pairwise(edges)])
    assert answer is not None
    assert (answer.body, rest) == (b"hello", b"")


@pytest.mark.parametrize("data", WHOLE)
def test_no_part_of_an_answer_is_an_answer(data: bytes) -> None:
    for end in range(len(data)):
        assert read([data[:end]])[0] is None


@pytest.mark.parametrize("data", WHOLE)
def test_what_follows_is_left_alone(data: bytes) -> None:
    assert read([data + PLAIN])[1] == PLAIN


@pytest.mark.parametrize(
    ("data", "method"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", "GET"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET"),
        (OK + b"Content-Length: 9\r\n\r\n", "HEAD"),
    ],
)
def test_some_answers_have_no_body_whatever_they_say(data: bytes, method: str) -> None:
    answer, rest = read([data], method)
    assert answer is not None
    assert (answer.body, rest) == (b"", b"")


def test_header_names_are_lower_case_and_repeated_ones_joined() -> None:
    answer, _ = read([OK + b"X-A: 1\r\nx-a:\t2 \r\nContent-Length: 0\r\n\r\n"])
    assert answer is not None
    assert answer.headers == {"x-a": "1, 2", "content-length": "0"}


def test_an_http_1_0_answer_closes_unless_it_says_otherwise() -> None:
    for extra, expected in ((b"", "close"), (b"Connection: Keep-Alive\r\n", "Keep-Alive")):
        answer, _ = read([b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n" + extra + b"\r\n"])
        assert answer is not None
        assert answer.headers["connection"] == expected


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/2 200 OK\r\n",
        b"HTTP/1.2 200 OK\r\n",
        b"http/1.1 200 OK\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 099 OK\r\n",
        b"HTTP/1.1 2x0 OK\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n",
        b"HTTP/1.1 200 O\rK\r\n",
        b"HTTP/1.1 200 OK\nX: y\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n",
        b" HTTP/1.1 200 OK\r\n",
        b"<html>\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n",
    ]
    + [
        OK + line
        for line in (
            b"X-A: 1\r\n folded\r\n",
            b"X-A: 1\r\n\tfolded\r\n",
            b" X-A: 1\r\n",
            b"X-A : 1\r\n",
            b"X A: 1\r\n",
            b"no colon\r\n",
            b": no name\r\n",
            b"X-A: a\0b\r\n",
            b"X-A: a\rb\r\n",
            b"X-A: a\nContent-Length: 5\r\n",
            b"X-\xe9: a\r\n",
            b"Content-Length: 5\r\nContent-Length: 6\r\n",
            b"Content-Length: 5, 6\r\n",
            b"Content-Length: -5\r\n",
            b"Content-Length: +5\r\n",
            b"Content-Length: 5.0\r\n",
            b"Content-Length: 0x5\r\n",
            b"Content-Length: \xb2\r\n",
            b"Content-Length:\r\n",
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: gzip, chunked\r\n",
            b"Transfer-Encoding: chunked, chunked\r\n",
            b"Transfer-Encoding: identity\r\n",
            b"Transfer-Encoding:\r\n",
            b"Content-Length: 5\r\nContent-Encoding: gzip\r\n",
            b"Content-Length: 5\r\nContent-Encoding: br\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Encoding: identity\r\n",
        )
    ],
)
def test_an_answer_that_can_be_read_in_two_ways_is_refused(head: bytes) -> None:
    with pytest.raises(BadAnswer) as caught:
        read([head + b"\r\nhello"])
    assert not caught.value.again


@pytest.mark.parametrize(
    "chunks",
    [
        b"5 hello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b"5;" + b"x" * 2000 + b"\r\nhello\r\n0\r\n\r\n",
        b"00000000000000005\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n bad trailer\r\n\r\n",
        b"ffffffffffffffff\r\nhello",
    ],
)
def test_malformed_chunks_are_refused(chunks: bytes) -> None:
    with pytest.raises(BadAnswer):
        read([OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks])


def test_an_answer_whose_end_nothing_marks_is_refused_and_worth_another_try() -> None:
    with pytest.raises(BadAnswer) as caught:
        read([OK + b"\r\nhel"])
    assert caught.value.again


@pytest.mark.parametrize(
    "data",
    [
        OK + b"X: " + b"a" * HEAD_LIMIT,
        b"HTTP/1.1 100 Continue\r\n\r\n" * (HEAD_LIMIT // 20),
        OK + b"Content-Length: %d\r\n\r\n" % (BODY_LIMIT + 1),
        OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + (b"100000\r\n" + b"a" * 0x100000 + b"\r\n") * 5,
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * HEAD_LIMIT,
    ],
    ids=["header", "interim", "length", "digits", "chunks", "trailers"],
)
def test_an_answer_over_the_limits_is_refused(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        read([data])


def test_an_answer_at_the_limit_is_taken() -> None:
    answer, _ = read([OK + b"Content-Length: %d\r\n\r\n" % BODY_LIMIT, b"a" * BODY_LIMIT])
    assert answer is not None
    assert len(answer.body) == BODY_LIMIT


@given(data=st.binary(max_size=200), start=st.sampled_from([b"", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n"]))
def test_any_bytes_are_an_answer_a_part_of_one_or_refused(data: bytes, start: bytes) -> None:
    try:
        answer, _ = read([start + data])
    except BadAnswer as refused:
        assert refused.reason.isascii()
    else:
        assert answer is None or 200 <= answer.status <= 999
