"""Reading one answer from bytes as they come.

Strict on purpose. An answer that two programs could read in two ways, or whose end is not marked, is refused: it may
be half of a secret, or someone else's.
"""

from collections.abc import Generator, Mapping

from confsvc.http.messages import TOKEN, Answer

__all__ = ["BODY_LIMIT", "HEAD_LIMIT", "BadAnswer", "answer_from", "keeps_open"]

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 4 * 1024 * 1024
_LINE_LIMIT = 1024  # of a chunk's size with its extensions

_CONTROLS = frozenset(map(chr, range(0x20))) - {"\t"} | {"\x7f"}
_DIGITS = frozenset("0123456789")
_LINE = frozenset(range(0x20, 0x100)) - {0x7F} | {0x09}
_HEX = frozenset(b"0123456789abcdefABCDEF")

Reading = Generator[None, None, Answer]


class BadAnswer(Exception):
    """What came is not an answer. ``reason`` is words of ours; ``again`` says whether another try may bring one."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again


def answer_from(buffer: bytearray, method: str) -> Reading:
    """Take one answer to a ``method`` request off the front of ``buffer``.

    A generator: it yields whenever it needs more bytes in ``buffer``, and returns the answer.

    Raises:
        BadAnswer: it breaks the rules, or is larger than the limits above.

    """
    left = HEAD_LIMIT
    while True:
        head = yield from _until(buffer, b"\r\n\r\n", left, "its headers are larger than 64 KiB")
        left -= len(head)
        status, headers = _parsed_head(head)
        if status >= 200:
            break
        if status == 101:
            raise BadAnswer("it switches to another protocol")
    if method == "HEAD" or status in {204, 304}:
        return Answer(status, headers, b"")
    body = yield from _body(buffer, headers)
    return Answer(status, headers, bytes(body))


def keeps_open(answer: Answer) -> bool:
    """Tell whether the server leaves the connection open after ``answer``."""
    return "close" not in _options(answer.headers)


def _options(headers: Mapping[str, str]) -> set[str]:
    return {option.strip(" \t").lower() for option in headers.get("connection", "").split(",")}


def _until(buffer: bytearray, mark: bytes, limit: int, reason: str) -> Generator[None, None, bytes]:
    seen = 0
    while (end := buffer.find(mark, seen, limit)) < 0:
        if len(buffer) >= limit:
            raise BadAnswer(reason)
        seen = max(0, len(buffer) - len(mark) + 1)
        yield
    taken = bytes(buffer[:end])
    del buffer[: end + len(mark)]
    return taken


def _exactly(buffer: bytearray, count: int) -> Generator[None, None, bytes]:
    while len(buffer) < count:
        yield
    taken = bytes(buffer[:count])
    del buffer[:count]
    return taken


def _parsed_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    code, _, reason = rest.partition(" ")
    if version not in {"HTTP/1.1", "HTTP/1.0"} or len(code) != 3 or not _DIGITS.issuperset(code) or code[0] == "0":
        raise BadAnswer("it does not start with an HTTP/1.1 status line")
    if not _CONTROLS.isdisjoint(reason):
        raise BadAnswer("its status line holds a control character")
    headers = _headers(lines)
    if version == "HTTP/1.0":
        if "transfer-encoding" in headers:
            raise BadAnswer("it has an unknown transfer encoding")
        if "keep-alive" not in _options(headers):
            headers["connection"] = "close"
    return int(code), headers


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        # White space in front is a folded line, white space before the colon hides a header from others.
        if not colon or not name or not TOKEN.issuperset(name):
            raise BadAnswer("it has a malformed header line")
        if not _CONTROLS.isdisjoint(value):
            raise BadAnswer("it has a control character in a header")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _body(buffer: bytearray, headers: Mapping[str, str]) -> Generator[None, None, bytes]:
    if headers.get("content-encoding"):
        raise BadAnswer("it is compressed, which was not asked for")
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if length is not None:
            raise BadAnswer("it says its length in two ways")
        if coding.lower() != "chunked":
            raise BadAnswer("it has an unknown transfer encoding")
        return (yield from _chunks(buffer))
    if length is None:
        raise BadAnswer("nothing marks its end, so it may be cut short", again=True)
    return (yield from _exactly(buffer, _length(length)))


def _length(text: str) -> int:
    found = {one.strip(" \t") for one in text.split(",")}
    one = found.pop()
    if found or not one or not _DIGITS.issuperset(one):
        raise BadAnswer("its length is not one number")
    if len(one.lstrip("0")) > 10 or int(one) > BODY_LIMIT:
        raise BadAnswer("it is larger than 4 MiB")
    return int(one)


def _chunks(buffer: bytearray) -> Generator[None, None, bytes]:
    body = bytearray()
    while size := _chunk_size((yield from _until(buffer, b"\r\n", _LINE_LIMIT, "it has a malformed chunk"))):
        if len(body) + size > BODY_LIMIT:
            raise BadAnswer("it is larger than 4 MiB")
        body += yield from _exactly(buffer, size)
        if (yield from _exactly(buffer, 2)) != b"\r\n":
            raise BadAnswer("it has a malformed chunk")
    left = HEAD_LIMIT
    while line := (yield from _until(buffer, b"\r\n", left, "its trailers are larger than 64 KiB")):
        left -= len(line) + 2
        _headers([line.decode("latin-1")])
    return bytes(body)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].rstrip(b" \t")
    if not digits or len(digits) > 16 or not _HEX.issuperset(digits) or not _LINE.issuperset(line):
        raise BadAnswer("it has a malformed chunk")
    return int(digits, 16)
