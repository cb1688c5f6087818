"""Changing one file among writers: under a lock on its folder, in one step, and never through a link."""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from stat import S_IMODE, S_ISLNK

from confsvc._replacing import FOLDER, put
from confsvc.adapter import Deadline
from confsvc.errors import AdapterError, ConfsvcError, Denied, Malformed, NotFound, Unavailable
from confsvc_local._reading import read_file

__all__ = ["change_file", "opened"]

_PAUSE = 0.005  # seconds between two looks at the lock
_NEW = 0o600

_BY_ERRNO: dict[int, tuple[type[AdapterError], str]] = {
    errno.ENOENT: (NotFound, "its folder is not there"),
    errno.ENOTDIR: (Malformed, "a part of its path is not a folder"),
    errno.EACCES: (Denied, "this user may not write it"),
    errno.EPERM: (Denied, "this user may not write it"),
    errno.EROFS: (Denied, "it is on a file system that cannot be written, such as a mounted volume"),
    errno.EEXIST: (Malformed, "something that is not a regular file is in its place"),
    errno.ENAMETOOLONG: (Malformed, "its name is too long"),
    errno.ENOSPC: (Unavailable, "the disk is full"),
    errno.EDQUOT: (Unavailable, "the quota of this user is used up"),
}


def change_file(path: str, change: Callable[[bytes], bytes], deadline: Deadline) -> None:
    """Replace the content of the file at ``path`` by what ``change`` makes of it; of no bytes where there is none.

    Its mode and owner stay; a new one is for its owner alone.

    Raises:
        AdapterError: it was not written. What ``change`` raises passes.
        DeadlineError: somebody else holds the lock.

    """
    folder, name = os.path.split(path)
    if "\0" in path or name in {"", ".", ".."}:
        raise Malformed("its path holds a NUL" if "\0" in path else "it is a folder, not a file")
    with opened(folder, deadline) as handle:
        _replace(handle, name, change, deadline)


@contextmanager
def opened(folder: str, deadline: Deadline) -> Iterator[int]:
    """Open and lock ``folder``. What goes wrong with a file in it is raised as ours."""
    failure: ConfsvcError | None = None
    try:
        handle = os.open(folder or ".", FOLDER)
        try:
            _lock(handle, deadline)
            yield handle
        finally:
            os.close(handle)
    except OSError as error:
        kind, message = _BY_ERRNO.get(
            error.errno or 0, (Unavailable, f"writing failed: {os.strerror(error.errno or 0).lower()}")
        )
        failure = kind(message)
    if failure:
        raise failure


def _lock(handle: int, deadline: Deadline) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            deadline.check()
            time.sleep(_PAUSE)
        else:
            return


def _replace(folder: int, name: str, change: Callable[[bytes], bytes], deadline: Deadline) -> None:
    try:
        found: os.stat_result | None = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        found = None
    if found is not None and S_ISLNK(found.st_mode):
        raise Malformed("it is a link, which is not written through", hint="name the file that it leads to")
    before = read_file(name, deadline, folder=folder) if found else b""
    if isinstance(before, AdapterError):
        raise before
    after = change(before)
    if found is None:
        put(folder, name, after, _NEW)
    elif after != before:
        put(folder, name, after, S_IMODE(found.st_mode), owner=(found.st_uid, found.st_gid))
