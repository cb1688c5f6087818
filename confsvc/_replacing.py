"""A file that is replaced in one step, in a folder that is open: whole or not at all, and past no link."""

import errno
import os
from stat import S_ISREG

__all__ = ["FOLDER", "NEW", "PREFIX", "put", "replace", "why"]

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PREFIX = ".confsvc-"  # of what is not whole yet


def replace(folder: int, name: str, data: bytes, mode: int) -> str:
    """Put ``data`` into the file ``name``. Returns why that failed, or an empty string.

    It is on the disk before it takes its place, and has it for good before this returns.
    """
    try:
        put(folder, name, data, mode)
    except FileExistsError:
        return "something that is not a regular file is in its place"
    except OSError as error:
        return why(error)
    return ""


def put(folder: int, name: str, data: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Do what `replace` does. The file is this process's, or of the user and the group in ``owner``.

    Raises:
        FileExistsError: something that is not a regular file is in its place.
        OSError: it cannot be written; then nothing has changed.

    """
    if not _is_replaceable(folder, name):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    temporary = f"{PREFIX}{os.urandom(8).hex()}"
    handle = os.open(temporary, NEW, mode=0o600, dir_fd=folder)
    try:
        try:
            _write(handle, data)
            _own(handle, owner)
            os.fchmod(handle, mode)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except OSError:
        _remove(folder, temporary)
        raise


def why(error: OSError) -> str:
    """Return what the system says, beginning with a small letter."""
    text = os.strerror(error.errno or errno.EIO)
    return text[:1].lower() + text[1:]


def _is_replaceable(folder: int, name: str) -> bool:
    try:
        return S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return True


def _own(handle: int, owner: tuple[int, int] | None) -> None:
    found = os.fstat(handle)
    if owner is not None and owner != (found.st_uid, found.st_gid):
        os.fchown(handle, *owner)


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _remove(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
