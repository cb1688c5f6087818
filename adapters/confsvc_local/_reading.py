"""Reading one regular file, whatever stands where it should be."""

import errno
import os
from collections.abc import Sequence
from stat import S_ISDIR, S_ISREG

from confsvc.adapter import Backend, Deadline, Description
from confsvc.errors import AdapterError, Denied, Malformed, NotFound, Unavailable

__all__ = ["LIMIT", "NO_PATH", "error_of", "look_at", "modified_at", "read_file", "resolve_path"]

# Larger than any secret, small enough that reading a device by mistake ends.
LIMIT = 4 * 1024 * 1024

NO_PATH = "`CREDENTIALS_DIRECTORY` is not set, and the reference names no folder"

_BY_ERRNO: dict[int, tuple[type[AdapterError], str]] = {
    errno.ENOENT: (NotFound, "no such file"),
    errno.ENOTDIR: (NotFound, "no such file: a part of the path is not a folder"),
    errno.EACCES: (Denied, "this user may not read it"),
    errno.EPERM: (Denied, "this user may not read it"),
    errno.EISDIR: (Malformed, "it is a folder, not a file"),
    errno.ELOOP: (Malformed, "its links go round in a circle"),
    errno.ENAMETOOLONG: (Malformed, "its path is too long"),
    errno.ENXIO: (Malformed, "it is not a regular file"),
}


def resolve_path(backend: Backend, path: str) -> str:
    """Return the absolute path that ``path`` means: relative ones are relative to the backend's folder."""
    return os.path.join(backend.directory, path)


def error_of(error: OSError) -> AdapterError:
    """Return ours for the operating system's, by number."""
    kind, message = _BY_ERRNO.get(error.errno or 0, (Unavailable, f"reading failed: {os.strerror(error.errno or 0)}"))
    return kind(message)


def look_at(paths: Sequence[str], *, folders: bool) -> Description | AdapterError:
    """Tell of the file, or folder, at the first of ``paths``, whether it is there, without opening it."""
    if not paths:
        return NotFound(NO_PATH)
    try:
        found = os.stat(paths[0])
    except OSError as error:
        return error_of(error)
    except ValueError:
        return Malformed("its path holds a NUL")
    if folders:
        return Description("", _time(found)) if S_ISDIR(found.st_mode) else Malformed("it is not a folder")
    if S_ISDIR(found.st_mode):
        return Malformed("it is a folder, not a file")
    return Description("", _time(found)) if S_ISREG(found.st_mode) else Malformed("it is not a regular file")


def _time(found: os.stat_result) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(found.st_mtime), UTC).isoformat().replace("+00:00", "Z")


def read_file(path: str, deadline: Deadline, *, folder: int | None = None) -> bytes | AdapterError:
    """Return the bytes of the regular file at ``path``, at most 4 MiB, or why they cannot be had.

    A relative ``path`` is relative to the open folder ``folder``, where one is given.
    """
    deadline.check()
    try:
        # Without O_NONBLOCK a FIFO in the file's place would hang here.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        return error_of(error)
    except ValueError:
        return Malformed("its path holds a NUL")
    try:
        mode = os.fstat(handle).st_mode
        if S_ISDIR(mode):
            return Malformed("it is a folder, not a file")
        if not S_ISREG(mode):
            return Malformed("it is not a regular file")
        return _read_all(handle)
    except OSError as error:
        return error_of(error)
    finally:
        os.close(handle)


def modified_at(path: str) -> float | None:
    """Return when the file at ``path`` was last written, in seconds since the epoch; None where that is not told."""
    try:
        return os.stat(path).st_mtime
    except (OSError, ValueError):
        return None


def _read_all(handle: int) -> bytes | AdapterError:
    chunks, size = [], 0
    while chunk := os.read(handle, 1024 * 1024):
        chunks.append(chunk)
        size += len(chunk)
        if size > LIMIT:
            return Malformed("it is larger than 4 MiB")
    return b"".join(chunks)
