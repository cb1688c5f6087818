"""From what is kept to bytes that only the key opens, and back: AES-256-GCM over a header that anybody may read.

Every file has a key of its own, made of the key and a random salt (HKDF-Expand of RFC 5869, whose input is a uniform
key already), so that no nonce is ever used twice with the same one, whatever becomes of a machine's random numbers.
"""

import hmac
import os
from json import dumps, loads
from typing import Any, NamedTuple

from confsvc.cache.identity import Identity
from confsvc.cache.keys import Key
from confsvc.cache.moments import Moment
from confsvc.cache.refusal import Refusal
from confsvc.errors import CacheError

__all__ = ["Header", "Sealed", "parse", "seal"]

FORMAT = 1
_MAGIC = b"confsvc cache "
_LONGEST = 16 * 1024  # bytes of a header


class Header(NamedTuple):
    """What can be read without the key, and not be changed without it: whose it is, and from when.

    ``manifest`` and ``backends`` are digests; ``key`` names the key, and tells nothing of it.
    """

    project: str
    environment: str
    manifest: str
    backends: str
    user: int
    machine: str
    wall: float
    boot: str
    lasting: float
    key: str
    salt: str
    nonce: str

    @property
    def identity(self) -> Identity:
        """Whose it is."""
        return Identity(self.project, self.environment, self.manifest, self.backends, self.user, self.machine)

    @property
    def moment(self) -> Moment:
        """When the stores were read."""
        return Moment(self.wall, self.boot, self.lasting)


class Sealed(NamedTuple):
    """A file of the cache, taken apart. ``clear`` is authenticated with the rest."""

    header: Header
    clear: bytes
    rest: bytes

    def open(self, key: Key) -> bytes | None:
        """Return what is inside; None where it was changed, or sealed with another key."""
        cipher = _cipher(_file_key(key, self.header.salt))
        from cryptography.exceptions import InvalidTag

        try:
            opened: bytes = cipher.decrypt(bytes.fromhex(self.header.nonce), self.rest, self.clear)
        except InvalidTag:
            return None
        return opened


def seal(header: Header, body: bytes, key: Key) -> bytes:
    """Return the file with ``body`` inside. The header's key, salt and nonce are filled in here.

    Raises:
        CacheError: cryptography is not installed.

    """
    nonce = os.urandom(12)
    header = header._replace(key=key.id, salt=os.urandom(32).hex(), nonce=nonce.hex())
    clear = b"%b%d\n%b\n" % (_MAGIC, FORMAT, dumps(header._asdict(), sort_keys=True).encode())
    return clear + bytes(_cipher(_file_key(key, header.salt)).encrypt(nonce, body, clear))


def parse(data: bytes) -> Sealed | Refusal:
    """Take a file apart. Nothing in it is to be believed before it is opened."""
    first, _, after = data.partition(b"\n")
    if not first.startswith(_MAGIC) or not first[len(_MAGIC) :].isdigit():
        return _corrupt()
    if first != b"%b%d" % (_MAGIC, FORMAT):
        return Refusal("newer", "it was written by another version of confsvc, in a format that this one does not know")
    written, _, rest = after.partition(b"\n")
    header = _header(written) if len(written) <= _LONGEST else None
    return Sealed(header, data[: len(data) - len(rest)], rest) if header else _corrupt()


def _header(written: bytes) -> Header | None:
    try:
        fields = loads(written)
        header = Header(**fields)
        nonce, salt = bytes.fromhex(header.nonce), bytes.fromhex(header.salt)
    except (ValueError, TypeError, RecursionError):
        return None
    kinds = {name: kind if kind is not float else (int, float) for name, kind in Header.__annotations__.items()}
    is_typed = all(isinstance(fields[name], kind) for name, kind in kinds.items())
    return header if is_typed and len(nonce) == 12 and len(salt) == 32 else None  # noqa: PLR2004 - as `seal` makes them


def _corrupt() -> Refusal:
    return Refusal("corrupt", "it is damaged, or was changed")


def _file_key(key: Key, salt: str) -> bytes:
    return hmac.digest(key.data.reveal(), b"confsvc cache file" + bytes.fromhex(salt) + b"\x01", "sha256")


def _cipher(key: bytes) -> Any:
    cipher = _cipher_class()
    if cipher is None:
        raise CacheError("cryptography is not installed", reason="extra", hint="pip install 'confsvc[cache]'")
    return cipher(key)


def _cipher_class() -> Any:
    """Return AESGCM itself: the package around it takes three times as long to import."""
    try:
        from cryptography.hazmat.bindings._rust import openssl
    except ImportError:
        return None
    try:
        return openssl.aead.AESGCM
    except AttributeError:  # another version has it elsewhere
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM
