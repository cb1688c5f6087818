"""A folder of files that changes as a whole: the way Kubernetes mounts Secrets, which every reader of those knows.

The files are in a folder of their own, ``..data`` leads to it, and each name leads through that. So one rename changes
all files at once, and a reader finds all old or all new. Everything is done relative to open folders, and no link is
followed: what else can write there must not lead us anywhere.
"""

import fcntl
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from secrets import token_hex
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import NamedTuple

from confsvc.errors import OutputError

__all__ = ["Manner", "render", "wipe"]

_DATA = "..data"
_NEXT = "..data_tmp"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST = 255  # bytes in a file's name
_PATIENCE = 10.0  # seconds for somebody else who renders into the same folder


class Manner(NamedTuple):
    """``mode`` of the files, which their folder follows; ``owner`` is user and group, -1 for the one there is."""

    mode: int = 0o400
    owner: tuple[int, int] = (-1, -1)

    @property
    def folder_mode(self) -> int:
        """Who may read the files may look into the folder."""
        return 0o700 | (0o050 if self.mode & 0o040 else 0) | (0o005 if self.mode & 0o004 else 0)


def render(target: str, files: Mapping[str, bytes], manner: Manner = Manner()) -> bool:  # noqa: B008 - it cannot change
    """Make ``files`` all that is rendered into the folder ``target``. Returns whether anything had to change.

    A crash at any moment leaves the old set or the new one, and the next run clears away what is left of the other.

    Raises:
        OutputError: it cannot be done, or not safely; then the old set stands.

    """
    _check_names(files)
    return _locked(target, lambda folder: _render(folder, files, manner), make=manner)


def wipe(target: str) -> bool:
    """Remove everything that was rendered into ``target``. Returns whether there was anything. Raises as `render`."""
    return _locked(target, _wipe)


def _locked(target: str, work: Callable[[int], bool], make: Manner | None = None) -> bool:
    """Do ``work`` with the open folder, alone. Where it is not there, it is made in the manner ``make``."""
    failure = ""
    folder = -1
    is_made = False
    try:
        is_made = make is not None and _make(target)
        folder = os.open(target, _FOLDER)
        if make and is_made and not os.listdir(folder):
            _hand_over(folder, make)
        _lock(folder)
        return work(folder)
    except OSError as error:
        failure = _why(error)
    except ValueError:
        failure = "its path holds a NUL"
    except _Refused as refusal:
        failure = refusal.reason
    finally:
        if folder >= 0:
            os.close(folder)
    if is_made:
        _unmake(target)
    raise OutputError(f"`{target}` cannot be rendered into: {failure}")


def _make(target: str) -> bool:
    """Make the folder ``target``, where nothing is there. Returns whether it did."""
    if os.path.lexists(target):
        return False
    try:
        os.mkdir(target, 0o700)
    except FileExistsError:  # somebody else who renders into it was faster
        return False
    return True


def _unmake(target: str) -> None:
    """Remove the folder again, unless somebody has put something into it."""
    with suppress(OSError):
        os.rmdir(target)


def _hand_over(folder: int, manner: Manner) -> None:
    """Let those look into a folder that is new who may read its files, whatever the umask is."""
    os.fchmod(folder, manner.folder_mode)
    _give(folder, manner)


def _give(descriptor: int, manner: Manner) -> None:
    if manner.owner == (-1, -1):
        return
    try:
        os.fchown(descriptor, *manner.owner)
    except OSError as error:
        user, group = (str(one) if one >= 0 else "" for one in manner.owner)
        reason = f"its files cannot be given to {user}:{group}: {_why(error)}"
        raise _Refused(reason) from None


class _Refused(Exception):
    """Inside of this module only."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


def _lock(folder: int) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                reason = "somebody else is rendering into it"
                raise _Refused(reason) from None
            time.sleep(0.05)
        else:
            return


def _check_names(files: Mapping[str, bytes]) -> None:
    for name in files:
        is_plain = name and "/" not in name and "\0" not in name and name != "." and not name.startswith("..")
        if not is_plain or len(os.fsencode(name)) > _LONGEST:
            raise OutputError(f"`{name}` cannot be the name of a file that is rendered")


def _render(folder: int, files: Mapping[str, bytes], manner: Manner) -> bool:
    current = _current(folder)
    _sweep(folder, keep=current)
    _check_places(folder, files)
    is_same = bool(current) and _holds(folder, current, files, manner)
    if not is_same:
        fresh = _write_set(folder, files, manner)
        try:
            # Before the switch, so that a name leads nowhere until its file is there, and all of them are at once.
            _link(folder, files)
            _switch(folder, fresh)
        except OSError:  # on a file system without links, say
            stands = _current(folder)
            _sweep(folder, keep=stands)
            _unlink_others(folder, _names_of(folder, stands))
            raise
        if current:
            _remove_set(folder, current)
    is_linked = not _link(folder, files)
    is_clear = not _unlink_others(folder, files)
    os.fsync(folder)
    return not (is_same and is_linked and is_clear)


def _wipe(folder: int) -> bool:
    current = _current(folder)
    found = _unlink_others(folder, {})
    if current:
        os.unlink(_DATA, dir_fd=folder)
    found = _sweep(folder, keep="") or found
    os.fsync(folder)
    return found or bool(current)


def _current(folder: int) -> str:
    """Return the name of the folder that is in use, empty where there is none."""
    try:
        found = os.stat(_DATA, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return ""
    name = os.readlink(_DATA, dir_fd=folder) if S_ISLNK(found.st_mode) else ""
    if not _is_ours(name):
        reason = f"`{_DATA}` is there, and not from here"
        raise _Refused(reason)
    return name


def _is_ours(name: str) -> bool:
    return name.startswith("..") and "/" not in name and name not in {"..", _DATA, _NEXT}


def _sweep(folder: int, keep: str) -> bool:
    """Remove what runs that did not come to their end have left."""
    with os.scandir(folder) as entries:
        left = [entry.name for entry in entries if _is_ours(entry.name) and entry.name != keep]
    for name in left:
        _remove_set(folder, name)
    try:
        os.unlink(_NEXT, dir_fd=folder)
    except FileNotFoundError:
        return bool(left)
    return True


def _check_places(folder: int, files: Mapping[str, bytes]) -> None:
    for name in files:
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if not (S_ISLNK(found.st_mode) and os.readlink(name, dir_fd=folder) == f"{_DATA}/{name}"):
            reason = f"`{name}` is there, and not from here"
            raise _Refused(reason)


def _names_of(folder: int, current: str) -> Mapping[str, bytes]:
    """Return the names in the set that is in use."""
    if not current:
        return {}
    handle = os.open(current, _FOLDER, dir_fd=folder)
    try:
        return dict.fromkeys(os.listdir(handle), b"")
    finally:
        os.close(handle)


def _holds(folder: int, current: str, files: Mapping[str, bytes], manner: Manner) -> bool:
    """Tell whether the set in use is ``files`` already, byte by byte, with their modes and owners."""
    try:
        handle = os.open(current, _FOLDER, dir_fd=folder)
    except OSError:
        return False
    try:
        return set(os.listdir(handle)) == set(files) and all(
            _is_file(handle, name, data, manner) for name, data in files.items()
        )
    except OSError:
        return False
    finally:
        os.close(handle)


def _is_file(handle: int, name: str, data: bytes, manner: Manner) -> bool:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=handle)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        user, group = manner.owner
        is_alike = S_ISREG(found.st_mode) and found.st_mode & 0o7777 == manner.mode and found.st_size == len(data)
        is_owned = user in {-1, found.st_uid} and group in {-1, found.st_gid}
        return is_alike and is_owned and file.read() == data


def _write_set(folder: int, files: Mapping[str, bytes], manner: Manner) -> str:
    """Write a new set, and return the name of its folder."""
    name = f"..{time.strftime('%Y_%m_%d_%H_%M_%S', time.gmtime())}.{token_hex(6)}"
    os.mkdir(name, 0o700, dir_fd=folder)
    handle = os.open(name, _FOLDER, dir_fd=folder)
    try:
        for file, data in files.items():
            _write_file(handle, file, data, manner)
        _hand_over(handle, manner)
        os.fsync(handle)
        _check_still_there(folder, name, handle)
    except BaseException:
        _remove_set(folder, name)
        raise
    finally:
        os.close(handle)
    return name


def _check_still_there(folder: int, name: str, handle: int) -> None:
    if not os.path.samestat(os.fstat(handle), os.stat(name, dir_fd=folder, follow_symlinks=False)):
        reason = "the new files were moved away while they were written"
        raise _Refused(reason)


def _write_file(handle: int, name: str, data: bytes, manner: Manner) -> None:
    with open(os.open(name, _NEW, 0o600, dir_fd=handle), "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fchmod(file.fileno(), manner.mode)
        _give(file.fileno(), manner)
        os.fsync(file.fileno())


def _switch(folder: int, name: str) -> None:
    os.symlink(name, _NEXT, dir_fd=folder)
    os.rename(_NEXT, _DATA, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def _link(folder: int, files: Mapping[str, bytes]) -> bool:
    """Make the links that are missing. Returns whether any was."""
    made = False
    for name in files:
        try:
            os.symlink(f"{_DATA}/{name}", name, dir_fd=folder)
        except FileExistsError:
            continue
        made = True
    return made


def _unlink_others(folder: int, files: Mapping[str, bytes]) -> bool:
    """Remove links of ours to files that are no more. Returns whether there were any."""
    with os.scandir(folder) as entries:
        links = [entry.name for entry in entries if entry.is_symlink() and not entry.name.startswith("..")]
    stale = [name for name in links if name not in files and os.readlink(name, dir_fd=folder) == f"{_DATA}/{name}"]
    for name in stale:
        os.unlink(name, dir_fd=folder)
    return bool(stale)


def _remove_set(folder: int, name: str) -> None:
    """Remove a folder of ours with its files; of a link that stands there instead, the link."""
    try:
        if not S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder)
            return
        handle = os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        return
    try:
        for file in os.listdir(handle):
            os.unlink(file, dir_fd=handle)
    finally:
        os.close(handle)
    os.rmdir(name, dir_fd=folder)


def _why(error: OSError) -> str:
    import errno

    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return "it is a link, or no folder"
    return os.strerror(error.errno or errno.EIO).lower()
