"""The forms in which a value can appear in text: what a search for leaks looks for, and what a mask covers."""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from html import escape
from json import dumps
from urllib.parse import quote, quote_plus

__all__ = ["encodings_of", "to_bytes"]


def encodings_of(value: str) -> dict[str, bytes]:
    """Return ``value`` as it could appear: raw, quoted, hexadecimal, and in base64 at each of three offsets.

    Raises:
        ValueError: ``value`` is empty, which is everywhere.

    """
    if not value:
        message = "an empty value is everywhere"
        raise ValueError(message)
    data = to_bytes(value)
    texts = {
        "json": dumps(value)[1:-1],
        "json utf-8": dumps(value, ensure_ascii=False)[1:-1],
        "repr": repr(value)[1:-1],
        "ascii": ascii(value)[1:-1],
        "repr of bytes": repr(data)[2:-1],
        "html": escape(value),
        "url": quote(data, safe=""),
        "url path": quote(data),
        "form": quote_plus(data),
        "hex": data.hex(),
        "upper-case hex": data.hex().upper(),
    }
    found = {"raw": data} | {name: to_bytes(text) for name, text in texts.items()}
    found["lower-case url"] = re.sub(rb"%..", lambda match: match[0].lower(), found["url"])
    for offset in range(3):
        found[f"base64 at {offset}"] = _in_base64(data, offset, b64encode)
        found[f"url-safe base64 at {offset}"] = _in_base64(data, offset, urlsafe_b64encode)
    return {name: needle for name, needle in found.items() if needle}


def to_bytes(text: str) -> bytes:
    """Return UTF-8. Bytes that were no UTF-8 when they were read become themselves again."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")


def _in_base64(data: bytes, offset: int, encode: Callable[[bytes], bytes]) -> bytes:
    """Return the characters that stand for ``data`` alone when ``offset`` bytes stand before it, and any after it."""
    whole = (offset + len(data)) * 8 // 6
    return encode(b"\0" * offset + data)[(0, 2, 3)[offset] : whole]
