"""Watching a process from outside: what it and its children are called, how long it takes, and what it leaves."""

import hashlib
import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from supervised import children
from usage import waited

__all__ = ["End", "Entry", "Seen", "ended", "tree_of", "watch_process"]

_PULSE = 0.005  # seconds between two looks
_LONGEST = 180.0  # seconds for a process to end


class Entry(NamedTuple):
    """What a tree holds under a path: a file, a folder, a link or a socket."""

    kind: int
    mode: int
    inode: int
    digest: str


class Seen(NamedTuple):
    """What was seen of a process, from ``start`` to ``end`` on the monotonic clock.

    ``waited`` is for how many seconds of that it waited for a processor, ``used`` for how many it had one. ``commands``
    is every command line that it and its children had; ``left`` is what of them lives on.
    """

    status: int
    out: bytes
    err: bytes
    start: float
    end: float
    waited: float
    used: float
    commands: frozenset[bytes]
    left: tuple[str, ...]


class End(NamedTuple):
    """When a process ended, on the monotonic clock, and for how many seconds it had waited for a processor by then."""

    at: float
    waited: float


def tree_of(*folders: Path) -> dict[str, Entry]:
    """Return everything in ``folders``, by its path."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            status = path.lstat()
            data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            kind = status.st_mode >> 12
            found[str(path)] = Entry(kind, status.st_mode & 0o7777, status.st_ino, hashlib.sha256(data).hexdigest())
    return found


def watch_process(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> Seen:
    """Run ``command`` to its end, in a session of its own."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        start, used = time.monotonic(), _used()
        watcher = _Watcher(process.pid)
        watcher.start()
        try:
            end = ended(process)
        finally:
            process.kill()
            watcher.is_over.set()
            watcher.join()
            status = process.wait()
        left = _session(process.pid)
        said, told = _whole(out), _whole(err)
    used = _used() - used
    return Seen(status, said, told, start, end.at, end.waited, used, frozenset(watcher.commands), left)


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def ended(process: "subprocess.Popen[bytes]") -> End:
    """Return when ``process`` ends, which has still to be waited for. It is killed where that takes too long.

    That we waited for a processor ourselves before we could see it does not count.
    """
    killer = threading.Timer(_LONGEST, process.kill)
    killer.start()
    try:
        ours = waited()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        return End(time.monotonic() - (waited() - ours), waited(process.pid))
    finally:
        killer.cancel()
        killer.join()


class _Watcher(threading.Thread):
    """Looks at a process and its children again and again."""

    def __init__(self, pid: int) -> None:
        super().__init__(name="watcher", daemon=True)
        self._pid = pid
        self.is_over = threading.Event()
        self.commands: set[bytes] = set()

    def run(self) -> None:
        while not self.is_over.wait(_PULSE):
            self._look(self._pid)

    def _look(self, pid: int) -> None:
        try:
            self.commands.add(Path(f"/proc/{pid}/cmdline").read_bytes())
            for child in children(pid):
                self._look(child)
        except OSError:
            return  # it has ended meanwhile


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _session(number: int) -> tuple[str, ...]:
    """Return the processes of a session, zombies too."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(")")
        except OSError:
            continue
        if int(rest.split()[3]) == number:
            found.append(f"the process {name.partition('(')[2]} ({rest.split()[0]})")
    return tuple(found)
