"""The key in the desktop's keyring, where the library `keyring` is installed and finds a real one.

A keyring may ask somebody to open it, and may hang: each call gets two seconds, in a thread that holds up nobody.
"""

import os
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from confsvc.cache.keys import SIZE, Key
from confsvc.errors import CacheError
from confsvc.secret import Secret

__all__ = ["DesktopKeys", "find_keyring"]

_SERVICE = "confsvc"
_NAME, _NEXT = "cache key", "next cache key"
_PATIENCE = 2.0  # seconds
_REAL = 1  # the least priority of a keyring that keeps secrets: what keeps none, or in clear, has less


def find_keyring() -> "DesktopKeys | None":
    """Return the keyring; None where there is none that can be used now."""
    if find_spec("keyring") is None:
        return None
    keys: DesktopKeys | None = None
    try:
        keys = bounded(_load)
        if keys is not None:
            keys.current(make=False)
    except CacheError:
        return None
    return keys


def _load() -> "DesktopKeys | None":
    ring: Any = import_module("keyring").get_keyring()
    return DesktopKeys(ring) if float(ring.priority) >= _REAL else None


class DesktopKeys:
    """Keys in a keyring. See `confsvc.cache.keys.KeySource`."""

    place = "the desktop's keyring"

    def __init__(self, ring: Any) -> None:
        self._ring = ring

    def current(self, *, make: bool) -> Key | None:
        """See `KeySource`."""
        return self._take(_NAME, make=make)

    def following(self, *, make: bool) -> Key | None:
        """See `KeySource`."""
        return self._take(_NEXT, make=make)

    def advance(self) -> None:
        """See `KeySource`."""
        bounded(lambda: self._ring.set_password(_SERVICE, _NAME, self._ring.get_password(_SERVICE, _NEXT)))
        bounded(lambda: self._ring.delete_password(_SERVICE, _NEXT))

    def _take(self, name: str, *, make: bool) -> Key | None:
        text = bounded(lambda: self._ring.get_password(_SERVICE, name))
        if text is None and make:
            fresh = b64encode(os.urandom(SIZE)).decode()
            bounded(lambda: self._ring.set_password(_SERVICE, name, fresh))
            text = bounded(lambda: self._ring.get_password(_SERVICE, name))  # somebody else's, if that was later
        return None if text is None else self._key(str(text))

    def _key(self, text: str) -> Key:
        try:
            data = b64decode(text, validate=True)
        except ValueError:
            data = b""
        if len(data) != SIZE:
            raise CacheError("what is in the desktop's keyring is no key", reason="key")
        return Key(Secret(data), self.place)


def bounded(call: Callable[[], Any]) -> Any:
    """Return what ``call`` returns.

    Raises:
        CacheError: it fails, or takes too long.

    """
    done: list[Any] = []

    def work() -> None:
        try:
            done.append(call())
        except BaseException:  # noqa: BLE001 - a keyring's errors are its own, and may hold what it was given
            return

    worker = threading.Thread(target=work, name="confsvc-keyring", daemon=True)
    worker.start()
    worker.join(_PATIENCE)
    if not done:
        raise CacheError("the desktop's keyring does not answer", reason="key")
    return done[0]
