"""What is in a version, checked against the sum that Google sends with it."""

from base64 import b64decode

from confsvc.adapter import Document
from confsvc.errors import Malformed

__all__ = ["checked", "checksum", "document_of", "in_python"]

_POLYNOMIAL = 0x82F63B78  # CRC-32C, reflected: RFC 3720, appendix B.4
_table: list[int] = []


def document_of(text: object, expected: object, version: str, what: str) -> Document | Malformed | None:
    """Return the document for a payload in base64, None where it was damaged on its way.

    ``expected`` is its CRC-32C as decimal text, if there is one.
    """
    if not isinstance(text, str):
        return Malformed(f"the answer about `{what}` holds no payload")
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        return Malformed(f"the payload of `{what}` is not base64")
    return checked(data, expected, version)


def checked(data: bytes, expected: object, version: str) -> Document | None:
    """Return the document for ``data``, None where its sum is another than ``expected``, which may be empty.

    https://cloud.google.com/secret-manager/docs/data-integrity says what to do then: ask again.
    """
    if str(expected or "").isdecimal() and int(str(expected)) != checksum(data):
        return None
    return Document(data, version=version)


def checksum(data: bytes) -> int:
    """Return the CRC-32C of ``data``, by Google's library where it is there."""
    try:
        from google_crc32c import value
    except ImportError:
        return in_python(data)
    return int(value(data))


def in_python(data: bytes) -> int:
    """Return the CRC-32C of ``data``, where Google's library is not there."""
    if not _table:
        for number in range(256):
            for _ in range(8):
                number = number >> 1 ^ (_POLYNOMIAL if number & 1 else 0)  # noqa: PLW2901 - eight steps of one value
            _table.append(number)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
