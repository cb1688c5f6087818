"""Writing one file: whole or not at all, for its owner alone, and never through a link that somebody planted."""

import errno
import os
from secrets import token_hex
from stat import S_ISREG

from confsvc.errors import OutputError

__all__ = ["write_file"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_file(path: str, data: bytes, *, mode: int = 0o600) -> None:
    """Put ``data`` into the file at ``path``, replacing a regular file of that name.

    A new file is written beside it and takes its place in one step, so a reader finds the old one or the new one.

    Raises:
        OutputError: it cannot be written; then nothing has changed.

    """
    folder, name = os.path.split(path)
    failure = _reason(name)
    if not failure:
        try:
            handle = os.open(folder or ".", _FOLDER)
        except OSError as error:
            failure = f"its folder: {_lower(error)}"
        else:
            try:
                failure = _replace(handle, name, data, mode)
            finally:
                os.close(handle)
    if failure:
        raise OutputError(f"`{path}` cannot be written: {failure}")


def _reason(name: str) -> str:
    if not name or name in {".", ".."}:
        return "it is a folder"
    return "its name holds a NUL" if "\0" in name else ""


def _replace(folder: int, name: str, data: bytes, mode: int) -> str:
    """Return why it failed, or an empty string."""
    temporary = f".confsvc-{token_hex(8)}"
    try:
        if not _is_replaceable(folder, name):
            return "something that is not a regular file is in its place"
        handle = os.open(temporary, _NEW, mode=0o600, dir_fd=folder)
    except OSError as error:
        return _lower(error)
    try:
        try:
            _write(handle, data)
            os.fchmod(handle, mode)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except OSError as error:
        _remove(folder, temporary)
        return _lower(error)
    return ""


def _is_replaceable(folder: int, name: str) -> bool:
    try:
        return S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return True


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _remove(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


def _lower(error: OSError) -> str:
    text = os.strerror(error.errno or errno.EIO)
    return text[:1].lower() + text[1:]
