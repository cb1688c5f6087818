"""Watching a process from outside: what it and its children are called, how long it takes, and what it leaves."""

import hashlib
import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from supervised import children

__all__ = ["Entry", "Seen", "tree_of", "watch_process"]

_PULSE = 0.005  # seconds between two looks


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
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    start, used = time.monotonic(), _used()
    watcher = _Watcher(process.pid)
    watcher.start()
    try:
        out, err = process.communicate(timeout=180)
        end, used = time.monotonic(), _used() - used
    finally:
        process.kill()
        watcher.is_over.set()
        watcher.join()
    left = _session(process.pid)
    return Seen(process.returncode, out, err, start, end, watcher.waited, used, frozenset(watcher.commands), left)


class _Watcher(threading.Thread):
    """Looks at a process and its children again and again."""

    def __init__(self, pid: int) -> None:
        super().__init__(name="watcher", daemon=True)
        self._pid = pid
        self.is_over = threading.Event()
        self.commands: set[bytes] = set()
        self.waited = 0.0

    def run(self) -> None:
        while not self.is_over.wait(_PULSE):
            self._look(self._pid)

    def _look(self, pid: int) -> None:
        try:
            self.commands.add(Path(f"/proc/{pid}/cmdline").read_bytes())
            if pid == self._pid:  # https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat
                self.waited = int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
            for child in children(pid):
                self._look(child)
        except (OSError, IndexError):
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
