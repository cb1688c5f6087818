"""The key of the cache: given in a file, else in the desktop's keyring, else in a file that is made once."""

import hmac
import os
import stat
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from confsvc._replacing import why
from confsvc.cache.places import Folder, cache_path, state_path
from confsvc.discovery import display
from confsvc.errors import CacheError
from confsvc.secret import Secret

__all__ = ["SIZE", "GivenKeys", "Key", "KeySource", "StateKeys", "key_sources", "read_key_file"]

SIZE = 32  # bytes
_LARGEST = 256  # bytes of a file with a key
_MAKE, _CLOSE = "head -c 32 /dev/urandom > FILE; chmod 0400 FILE", "chmod 0400"  # what helps
_SHARED = "others than its owner may read or write it"
_NAME, _NEXT = "cache.key", "cache.key.next"


class Key(NamedTuple):
    """A key, and the place it is kept in, as people are told."""

    data: Secret[bytes]
    place: str

    @property
    def id(self) -> str:
        """A name for it that tells nothing of it."""
        return hmac.digest(self.data.reveal(), b"confsvc cache key", "sha256")[:8].hex()


class KeySource(Protocol):
    """One place for keys. All methods raise CacheError where it cannot be used."""

    place: str

    def current(self, *, make: bool) -> Key | None:
        """Return the key; where there is none, make it or return None."""
        ...

    def following(self, *, make: bool) -> Key | None:
        """Return the key that is going to take the current one's place."""
        ...

    def advance(self) -> None:
        """Let it take the current one's place."""
        ...


def key_sources(environ: Mapping[str, str]) -> list[KeySource]:
    """Return where keys are, the one to write with first. What is in the others is read too.

    Raises:
        CacheError: this user has no home, and nothing is named.

    """
    given = environ.get("CONFSVC_CACHE_KEY_FILE", "")
    folder = cache_path(environ)
    if given:
        return [GivenKeys(os.path.abspath(given), folder)]
    sources: list[KeySource] = [StateKeys(state_path(environ), folder)]
    if _has_desktop(environ):
        from confsvc.cache.desktop import find_keyring

        keyring = find_keyring()
        sources = [keyring, *sources] if keyring else sources
    return sources


class GivenKeys:
    """The file that CONFSVC_CACHE_KEY_FILE names. Whoever names it puts another key there."""

    def __init__(self, path: str, cache: str) -> None:
        self.place = path
        self._cache = cache

    def current(self, *, make: bool) -> Key | None:
        """See `KeySource`."""
        del make
        _refuse_inside(self.place, self._cache)
        return read_key_file(self.place)

    def following(self, *, make: bool) -> Key | None:
        """See `KeySource`."""
        del make
        return None

    def advance(self) -> None:
        """See `KeySource`."""


class StateKeys:
    """A file in the state folder, readable by this user alone."""

    def __init__(self, folder: str, cache: str) -> None:
        self.place = os.path.join(folder, _NAME)
        self._folder = folder
        self._cache = cache

    def current(self, *, make: bool) -> Key | None:
        """See `KeySource`."""
        return self._take(_NAME, make=make)

    def following(self, *, make: bool) -> Key | None:
        """See `KeySource`."""
        return self._take(_NEXT, make=make)

    def advance(self) -> None:
        """See `KeySource`."""
        with self._open(make=True) or _gone(self._folder) as folder:
            folder.rename(_NEXT, _NAME)

    def _take(self, name: str, *, make: bool) -> Key | None:
        _refuse_inside(self.place, self._cache)
        folder = self._open(make=make)
        if folder is None:
            return None
        with folder:
            data = folder.read(name)
            if data is None and make:
                data = _make(folder, name)
            return None if data is None else Key(Secret(_checked(data, self.place)), self.place)

    def _open(self, *, make: bool) -> Folder | None:
        return Folder.open(self._folder, make=make)


def read_key_file(path: str) -> Key:
    """Return the key in the file ``path``: 32 bytes, or their base64. Links lead to it, as in a mounted Secret.

    Raises:
        CacheError: there is none, or others may read it.

    """
    failure = hint = ""
    data = b""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            failure = _complaint(os.fstat(file.fileno()))
            data = b"" if failure else file.read(_LARGEST)
            hint = _CLOSE if failure == _SHARED else ""
    except OSError as error:
        failure = why(error)
        hint = _MAKE if isinstance(error, FileNotFoundError) else ""
    except ValueError:
        failure = "its path holds a NUL"
    if failure:
        raise CacheError(f"the key in `{display(path)}` is not used: {failure}", reason="key", hint=hint)
    return Key(Secret(_checked(data, path)), path)


def _has_desktop(environ: Mapping[str, str]) -> bool:
    """Tell whether somebody sits in front of this: a server has nobody who could open a keyring."""
    import sys

    on_screen = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return sys.platform == "darwin" or bool(on_screen and environ.get("DBUS_SESSION_BUS_ADDRESS"))


def _complaint(found: os.stat_result) -> str:
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid not in {0, os.geteuid()}:
        return "it belongs to another user"
    # Kubernetes gives a Secret volume to root and, for a pod with an fsGroup, lets the group read it.
    shared = 0o037 if found.st_uid == 0 else 0o077
    return _SHARED if found.st_mode & shared else ""


def _checked(data: bytes, place: str) -> bytes:
    if len(data) == SIZE:
        return data
    from base64 import b64decode

    failed = False
    decoded = b""
    try:
        decoded = b64decode(data.strip().replace(b"-", b"+").replace(b"_", b"/"), validate=True)
    except ValueError:
        failed = True
    if failed or len(decoded) != SIZE:
        raise CacheError(
            f"the key in `{display(place)}` is not {SIZE} bytes, nor their base64", reason="key", hint=_MAKE
        )
    return decoded


def _make(folder: Folder, name: str) -> bytes:
    """Make a key, and return it, or the one that somebody else has made meanwhile."""
    fresh = f"{name}.{os.urandom(8).hex()}"
    folder.write(fresh, os.urandom(SIZE), mode=0o400)
    try:
        folder.link(fresh, name)
    finally:
        folder.remove(fresh)
    return folder.read(name) or b""


def _refuse_inside(path: str, cache: str) -> None:
    """A key beside what it opens protects nothing."""
    inside = os.path.realpath(cache) + os.sep
    if os.path.realpath(path).startswith(inside) or os.path.abspath(path).startswith(inside):
        raise CacheError(
            f"the key `{display(path)}` is in the folder of the cache, where it protects nothing", reason="key"
        )


def _gone(path: str) -> Folder:
    raise CacheError(f"the folder `{display(path)}` is gone", reason="folder")
