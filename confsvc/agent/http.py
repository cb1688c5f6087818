"""HTTP as far as the agent speaks it: requests without a body in, answers of a known length out."""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from confsvc.agent.pages import Reply

__all__ = ["HEAD", "INTERIM", "BadRequest", "Parsed", "parse_head", "parse_target", "write_reply"]

HEAD = 16 * 1024  # bytes of a request, at most
INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"
_FIELDS = 64  # lines
_PARAMETERS = 8
_END = b"\r\n\r\n"
_TOKEN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class BadRequest(Exception):
    """What was sent is no request that anybody answers. ``status`` says which kind of none."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Parsed(NamedTuple):
    """A request. ``fields`` are by their lower-case names; ``size`` is how many bytes it took."""

    method: str
    path: str
    query: Mapping[str, str]
    fields: Mapping[bytes, bytes]
    is_new: bool
    keeps: bool
    size: int


def parse_head(data: bytes | bytearray) -> Parsed | None:
    """Return the first request in ``data``; None where it is not complete.

    Raises:
        BadRequest: it will never be one.

    """
    end = data.find(_END)
    if end < 0 or end > HEAD:
        if len(data) > HEAD:
            raise BadRequest(431, "the request is too large")
        return None
    return _parse(bytes(data[:end]))


@lru_cache(maxsize=64)  # clients of one kind all say the same
def _parse(head: bytes) -> Parsed:
    lines = head.split(b"\r\n")
    words = lines[0].split(b" ")
    if len(words) != 3 or words[2] not in {b"HTTP/1.1", b"HTTP/1.0"} or not _TOKEN.issuperset(words[0]):  # noqa: PLR2004
        raise BadRequest(400, "this is not HTTP/1.1")
    fields = _fields(lines[1:])
    if b"transfer-encoding" in fields or fields.get(b"content-length", b"0") != b"0":
        raise BadRequest(413, "a request has no body here")
    path, query = parse_target(words[1])
    is_new = words[2] == b"HTTP/1.1"
    wish = fields.get(b"connection", b"").lower()
    return Parsed(
        words[0].decode(), path, query, fields, is_new, is_new and b"close" not in wish, len(head) + len(_END)
    )


def write_reply(reply: Reply, *, with_body: bool, keeps: bool) -> bytes:
    """Return what is sent for ``reply``."""
    extra = f"Confsvc-Outage: {reply.outage}\r\n" if reply.outage >= 0 else ""
    head = (
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
        f"Content-Type: {reply.kind}\r\nContent-Length: {len(reply.body)}\r\nCache-Control: no-store\r\n"
        f"{extra}Connection: {'keep-alive' if keeps else 'close'}\r\n\r\n"
    ).encode()
    return head + reply.body if with_body else head


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    if len(lines) > _FIELDS:
        raise BadRequest(431, "the request has too many fields")
    found: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or name.lower() in found:
            raise BadRequest(400, "a field is malformed, or there twice")
        found[name.lower()] = value.strip()
    return found


def parse_target(target: bytes) -> tuple[str, dict[str, str]]:
    """Return the path and the parameters of a request. Raises BadRequest."""
    from urllib.parse import parse_qsl

    if not target.startswith(b"/") or not target.isascii():
        raise BadRequest(400, "the path is malformed")
    path, _, query = target.decode().partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_PARAMETERS, errors="surrogateescape")
    except ValueError:
        raise BadRequest(400, "the query is malformed") from None
    if len(dict(pairs)) != len(pairs):
        raise BadRequest(400, "a parameter is there twice")
    return path, dict(pairs)
