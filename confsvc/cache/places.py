"""Where the cache and its key are: folders that belong to this user alone."""

import fcntl
import os
import stat
import sys
import time
from collections.abc import Callable, Mapping
from typing import Self, TypeVar

from confsvc._replacing import FOLDER, PREFIX, replace, why
from confsvc.discovery import display
from confsvc.errors import CacheError

__all__ = ["Folder", "cache_path", "state_path"]

_T = TypeVar("_T")

_LARGEST = 64 * 1024 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_STEP = 0.01


def cache_path(environ: Mapping[str, str]) -> str:
    """Return the folder of the cache: CONFSVC_CACHE_DIR, else one in the platform's folder for such.

    Raises:
        CacheError: there is none, as this user has no home.

    """
    written = environ.get("CONFSVC_CACHE_DIR", "")
    if written:
        return os.path.abspath(written)
    return _platform_path(environ, "XDG_CACHE_HOME", ".cache", "Library/Caches")


def state_path(environ: Mapping[str, str]) -> str:
    """Return the folder for what is made once and kept. Raises as `cache_path`."""
    return _platform_path(environ, "XDG_STATE_HOME", ".local/state", "Library/Application Support")


def _platform_path(environ: Mapping[str, str], variable: str, usual: str, on_mac: str) -> str:
    base = environ.get(variable, "")
    if not os.path.isabs(base):  # what is not absolute is to be ignored, says XDG
        base = os.path.join(_home(environ), on_mac if sys.platform == "darwin" else usual)
    return os.path.join(base, "confsvc")


def _home(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME", "")
    if not os.path.isabs(home):
        import pwd

        try:
            home = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:
            home = ""
    if not os.path.isabs(home):
        raise CacheError("this user has no home", reason="folder", hint="name a folder in CONFSVC_CACHE_DIR")
    return home


class Folder:
    """An open folder that is this user's own. Nothing in it is reached through a link."""

    def __init__(self, path: str, handle: int) -> None:
        self.path = path
        self._handle = handle

    @classmethod
    def open(cls, path: str, *, make: bool = False) -> "Folder | None":
        """Open the folder at ``path``. Returns None where there is none, unless it is to be made.

        Raises:
            CacheError: it cannot be opened or made, or others may write in it.

        """
        failure = hint = ""
        try:
            if make:
                os.makedirs(path, mode=0o700, exist_ok=True)
            handle = os.open(path, FOLDER)
        except ValueError:
            failure = "its path holds a NUL"
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not make:
                return None
            failure = why(error)
        else:
            found = os.fstat(handle)
            if found.st_uid == os.geteuid() and not found.st_mode & 0o022:
                return cls(path, handle)
            os.close(handle)
            failure = "others may write in it" if found.st_uid == os.geteuid() else "it belongs to another user"
            hint = (
                f"one in it, which is made where it is not there, would be this user's own: `{display(path)}/confsvc`"
            )
        raise CacheError(f"the folder `{display(path)}` is not used: {failure}", reason="folder", hint=hint)

    def close(self) -> None:
        """Close it."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def read(self, name: str) -> bytes | None:
        """Return what the file ``name`` holds, None where there is none.

        Raises:
            CacheError: it cannot be read, or others may read it, or write it.

        """
        failure = ""
        try:
            handle = os.open(name, _READ, dir_fd=self._handle)
        except FileNotFoundError:
            return None
        except OSError as error:
            failure = "it is a link" if os.path.islink(os.path.join(self.path, name)) else why(error)
        else:
            data, failure = _contents(handle)
            if not failure:
                return data
        raise CacheError(f"`{display(os.path.join(self.path, name))}` is not used: {failure}", reason="file")

    def write(self, name: str, data: bytes, mode: int = 0o600) -> None:
        """Put ``data`` into the file ``name``, whole or not at all. Raises CacheError where that does not work."""
        failure = replace(self._handle, name, data, mode)
        if failure:
            raise CacheError(f"`{display(os.path.join(self.path, name))}` cannot be written: {failure}", reason="write")

    def rename(self, name: str, to: str) -> None:
        """Give the file ``name`` another name. Raises CacheError where that does not work."""
        self._do(name, lambda: os.rename(name, to, src_dir_fd=self._handle, dst_dir_fd=self._handle))

    def link(self, name: str, to: str) -> bool:
        """Give the file ``name`` a second name. Returns whether it was free. Raises CacheError for anything else."""

        def do() -> bool:
            try:
                os.link(name, to, src_dir_fd=self._handle, dst_dir_fd=self._handle, follow_symlinks=False)
            except FileExistsError:
                return False
            return True

        return self._do(to, do)

    def remove(self, name: str) -> None:
        """Remove the file ``name``, if it is there. Raises CacheError where that does not work."""

        def do() -> None:
            try:
                os.unlink(name, dir_fd=self._handle)
            except FileNotFoundError:
                return

        self._do(name, do)

    def names(self) -> list[str]:
        """Return the names of everything in it, sorted."""
        return sorted(os.listdir(self._handle))

    def lock(self, patience: float) -> bool:
        """Keep others out until it is closed. Returns False where somebody is in it for longer than ``patience`` s."""
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    return False
                time.sleep(_STEP)
            except OSError:  # a file system without locks: what is written takes its place in one step all the same
                return True
            else:
                return True

    def sweep(self) -> None:
        """Remove what was left half written. To be called with the lock held: nobody is writing then."""
        for name in self.names():
            if name.startswith(PREFIX):
                self.remove(name)

    def _do(self, name: str, work: Callable[[], _T]) -> _T:
        try:
            done = work()
            os.fsync(self._handle)
        except OSError as error:
            failure = why(error)
        else:
            return done
        raise CacheError(f"`{display(os.path.join(self.path, name))}` cannot be changed: {failure}", reason="write")


def _contents(handle: int) -> tuple[bytes, str]:
    """Return what an open file holds, and close it; or why it is not to be read."""
    try:
        failure = _complaint(os.fstat(handle))
        if failure:
            return b"", failure
        with open(handle, "rb", closefd=False) as file:
            return file.read(_LARGEST), ""
    except OSError as error:
        return b"", why(error)
    finally:
        os.close(handle)


def _complaint(found: os.stat_result) -> str:
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    if found.st_mode & 0o077:
        return "others may read or write it"
    return "it is too large" if found.st_size >= _LARGEST else ""
