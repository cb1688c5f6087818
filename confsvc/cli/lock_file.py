"""Replacing the file of a lock, one writer after the other."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from confsvc.discovery import display
from confsvc.errors import OutputError
from confsvc.inject.files import write_file
from confsvc.locking import Lock, LockedEnvironment, read_lock
from confsvc.locking.writing import lock_text

__all__ = ["write_lock"]

_MODE = 0o644  # it holds no value, and is committed


def write_lock(
    file: str, project: str, locked: Mapping[str, LockedEnvironment], *, known: Sequence[str]
) -> tuple[str, ...]:
    """Write the environments ``locked`` into the lock ``file``. Others that it has are kept, as far as ``known``.

    Returns the names of those that were not kept. Two who write at the same time wait for each other, so that neither
    loses what the other wrote.

    Raises:
        LockError: what is there is no lock of this project.
        OutputError: it cannot be written; then nothing has changed.

    """
    with _alone(file):
        old = read_lock(file, project) if os.path.lexists(file) else Lock(file, project, {})
        kept = {name: one for name, one in old.environments.items() if name in known}
        text = lock_text(Lock(file, project, {**kept, **locked}))
        write_file(file, text.encode(), mode=_MODE)
    return tuple(name for name in old.environments if name not in known)


@contextmanager
def _alone(file: str) -> Iterator[None]:
    """Have nobody else write a lock into the same folder meanwhile."""
    failure, handle = "", -1
    try:
        handle = os.open(os.path.dirname(file) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        failure = os.strerror(error.errno or 0).lower()
    try:
        if failure:
            raise OutputError(f"`{display(file)}` cannot be written: its folder: {failure}")
        yield
    finally:
        if handle >= 0:
            os.close(handle)
