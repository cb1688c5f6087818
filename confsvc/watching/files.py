"""Noticing that files change: by their signature, and at once where the system tells."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from confsvc._light import import_submodule

__all__ = ["FileAlarm", "Signature", "signature"]

Signature = tuple[object, ...]

# Two writes within one tick of the file system's clock look like one, so what is this fresh is looked at again.
_TICK = 0.05
_STEP = 400  # milliseconds that an alarm may be late: each look at the queue costs a little


def signature(paths: Iterable[str]) -> Signature | None:
    """Return what changes when one of ``paths`` does; None where one is so fresh that nobody can tell."""
    parts = [part for path in paths for part in _parts(path)]
    now = time.time()
    is_fresh = any(isinstance(part, tuple) and now - part[1] / 1e9 < _TICK for part in parts)
    return None if is_fresh else tuple(parts)


def _parts(path: str) -> list[tuple[str, int, int, int, int] | str]:
    try:
        found: list[tuple[str, int, int, int, int] | str] = [_of(path, os.stat(path))]
        if os.path.isdir(path):
            with os.scandir(path) as entries:
                found += sorted(_of(entry.name, entry.stat()) for entry in entries)
    except (OSError, ValueError):  # not there, or not for us: then reading it says what
        return [path]
    return found


def _of(name: str, found: os.stat_result) -> tuple[str, int, int, int, int]:
    return (name, max(found.st_mtime_ns, found.st_ctime_ns), found.st_ino, found.st_dev, found.st_size)


class FileAlarm:
    """Calls ``ring`` soon after something happens to a file, or in a folder, of ``paths``.

    It needs watchfiles, and folders that are there: `is_set` tells whether it works; who needs to know looks at the
    signatures otherwise.
    """

    def __init__(self, paths: Iterable[str], ring: Callable[[], None]) -> None:
        self._ring = ring
        self._stop = threading.Event()
        self._watch = _watch(sorted({folder for path in paths for folder in _folders(path)}))
        self.is_set = self._watch is not None
        if self.is_set:
            threading.Thread(target=self._listen, name="confsvc-files", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()

    def _listen(self) -> None:
        while isinstance(self._watch.watch(_STEP, _STEP, 0, self._stop), set):  # else it is a word for why it ends
            self._ring()
        self._watch.close()


def _watch(folders: list[str]) -> Any:
    if not folders or not all(os.path.isdir(folder) for folder in folders):
        return None
    try:
        (native,) = import_submodule("watchfiles", "_rust_notify")
        return native.RustNotify(folders, False, False, 0, False, False)  # its own parameters' names differ by version
    except (ImportError, OSError, RuntimeError):
        return None


def _folders(path: str) -> set[str]:
    """Return the folders in which something happens when ``path`` changes: also where its links lead."""
    found = set()
    for one in {path, os.path.realpath(path)}:
        found.add(one if os.path.isdir(one) else os.path.dirname(one))
        found.add(os.path.dirname(one.rstrip("/")))
    return found
