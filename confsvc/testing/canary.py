"""Looking for a value where it must not be: in text and in exceptions, whatever it was encoded as."""

import traceback
from base64 import b64encode
from json import dumps
from secrets import token_hex
from urllib.parse import quote

__all__ = ["encodings_of", "find_leaks", "make_canary"]

_MARGIN = 3  # base64 mixes the first and the last characters with their neighbours


def make_canary() -> str:
    """Return a value that stands nowhere else, with characters that every encoding changes."""
    return f"cnry {token_hex(8)}/+%\"'é"


def encodings_of(value: str) -> dict[str, bytes]:
    """Return ``value`` as it could appear: raw, quoted, hexadecimal, and in base64 at each of three offsets."""
    data = value.encode()
    found = {
        "raw": data,
        "json": dumps(value)[1:-1].encode(),
        "json utf-8": dumps(value, ensure_ascii=False)[1:-1].encode(),
        "repr": repr(value)[1:-1].encode(),
        "repr of bytes": repr(data)[2:-1].encode(),
        "url": quote(value, safe="").encode(),
        "url path": quote(value).encode(),
        "hex": data.hex().encode(),
    }
    for offset in range(3):
        encoded = b64encode(b"\0" * offset + data)
        found[f"base64 at {offset}"] = encoded[4 if offset else 0 : -4]
    return found


def find_leaks(value: str, *places: object) -> list[str]:
    """Return the encodings in which ``value`` stands in any of ``places``: text, bytes, or exceptions.

    An exception is searched with its arguments, attributes, causes, contexts, and the locals of its frames.
    """
    haystack = b"\n".join(_bytes_of(place) for place in places)
    return [name for name, needle in encodings_of(value).items() if needle in haystack]


def _bytes_of(place: object) -> bytes:
    if isinstance(place, bytes):
        return place
    if isinstance(place, BaseException):
        return _text_of(place).encode(errors="surrogateescape")
    return str(place).encode(errors="surrogateescape")


def _text_of(error: BaseException) -> str:
    seen: list[str] = []
    todo: list[BaseException | None] = [error]
    known: set[int] = set()
    while todo:
        current = todo.pop()
        if current is None or id(current) in known:
            continue
        known.add(id(current))
        seen += [str(current), repr(current), repr(current.args), repr(getattr(current, "__dict__", ""))]
        todo += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            todo += current.exceptions
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join([*seen, *shown.format()])
