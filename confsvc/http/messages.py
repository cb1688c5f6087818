"""One request and one answer. Neither prints what it carries: tokens go out, secrets come in."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from confsvc.errors import Malformed
from confsvc.http.origin import Origin

__all__ = ["TOKEN", "Answer", "Call", "request_bytes", "request_problem"]

_NOTHING: Mapping[str, str] = MappingProxyType({})
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_VISIBLE = frozenset(map(chr, range(0x21, 0x7F)))
_PATH = _VISIBLE - {"#"}
_TEXT = _VISIBLE | {" ", "\t"}
# What frames a request is written here and nowhere else: two opinions about it are how requests are smuggled.
_OWN = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)


class Call(NamedTuple):
    """One request. ``path`` is absolute, with its query, already percent-encoded.

    The client writes ``Host``, ``User-Agent``, ``Accept-Encoding``, ``Content-Length`` and ``Connection`` itself; any
    that are in ``headers`` are left out. ``alone`` keeps it from sharing a connection with requests that wait behind
    it: right for whatever is slow to answer, such as a credential that is made on demand.
    """

    method: str
    path: str
    headers: Mapping[str, str] = _NOTHING
    body: bytes = b""
    alone: bool = False

    def __repr__(self) -> str:
        return f"Call({self.method!r}, {self.path.partition('?')[0]!r}, headers={sorted(self.headers)})"


class Answer(NamedTuple):
    """One whole answer. The names of ``headers`` are lower case; one sent twice is joined with a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Answer({self.status}, headers={sorted(self.headers)})"


def request_problem(call: Call) -> Malformed | None:
    """Return what HTTP does not allow in ``call``, without the text of it, or None."""
    if not _is_token(call.method):
        return Malformed("the method of a request holds a character that HTTP does not allow")
    if not call.path.startswith("/") or not _PATH.issuperset(call.path):
        return Malformed("the path of a request is not absolute and percent-encoded")
    for name, value in call.headers.items():
        if not _is_token(name):
            return Malformed("the name of a request header holds a character that HTTP does not allow")
        if not _TEXT.issuperset(value):
            return Malformed(
                f"the request header `{name}` holds a character that HTTP does not allow",
                hint="a line break at the end of a token file is the usual cause",
            )
    return None


def _is_token(text: str) -> bool:
    return bool(text) and TOKEN.issuperset(text)


def request_bytes(calls: Sequence[Call], origin: Origin, user_agent: str) -> bytes:
    """Return the bytes of ``calls``, one after the other.

    The last of several asks the server to close behind it: only the end of the connection proves that there were as
    many answers as calls, so that each is the answer to its own.
    """
    common = f"Host: {origin.authority}\r\nUser-Agent: {user_agent}\r\nAccept-Encoding: identity\r\n"
    if len(calls) > 1:
        return b"".join(_one(call, common) for call in calls[:-1]) + _one(calls[-1], f"{common}Connection: close\r\n")
    return b"".join(_one(call, common) for call in calls)


def _one(call: Call, common: str) -> bytes:
    own = "".join(f"{name}: {value}\r\n" for name, value in call.headers.items() if name.lower() not in _OWN)
    length = f"Content-Length: {len(call.body)}\r\n" if call.body or call.method in {"POST", "PUT", "PATCH"} else ""
    return f"{call.method} {call.path} HTTP/1.1\r\n{common}{own}{length}\r\n".encode("ascii") + call.body
