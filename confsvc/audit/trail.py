"""What a line of the audit trail says: who, when, which settings, from where, and what came of it. Never a value."""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from confsvc.assembly import Resolved
from confsvc.audit.sinks import SYSLOG, append, send
from confsvc.errors import OutputError

__all__ = ["SWITCH", "Entry", "Trail", "trail_of"]

SWITCH = "CONFSVC_AUDIT"
_MOST = 4096  # bytes of one message to the system's log, half of what rsyslog takes


class Entry(NamedTuple):
    """One setting in a line. ``code`` is empty where all is well, else that of the error.

    ``cached_at`` is when its store was read, where the value is from the cache.
    """

    name: str
    layer: str = ""
    reference: str = ""
    version: str = ""
    code: str = ""
    cached_at: str = ""


class Trail:
    """Where lines go, and who writes them. ``by`` is the command; without it, the program that uses the library."""

    def __init__(self, where: str, by: str = "") -> None:
        self._where = where
        self._by = by or os.path.basename(sys.argv[0] if sys.argv else "") or "python"

    def check(self) -> OutputError | None:
        """Return why no line could be written: whoever cannot be watched gets nothing."""
        is_log = self._where.startswith(SYSLOG)
        return self._failure(send(self._where, [], "") if is_log else append(self._where, b""))

    def resolution(self, resolved: Resolved) -> OutputError | None:
        """Write down a resolution, also one that failed. Returns why that could not be done."""
        resolution = resolved.resolution
        return self.write("resolve", resolution.project, resolution.environment, list(_entries(resolved)))

    def write(self, event: str, project: str, environment: str, entries: Sequence[Entry]) -> OutputError | None:
        """Write one line about ``entries``. Returns why that could not be done."""
        codes = sorted({entry.code for entry in entries if entry.code})
        now = _moment(time.time())
        head: dict[str, object] = {"time": now, "event": event, "outcome": "failed" if codes else "ok", "codes": codes}
        head |= {"project": project, "environment": environment, **self._who()}
        settings = [{key: text for key, text in entry._asdict().items() if text} for entry in entries]
        if self._where.startswith(SYSLOG):
            return self._failure(send(self._where, list(_parts(head, settings)), f"confsvc[{os.getpid()}]"))
        return self._failure(append(self._where, _line({**head, "settings": settings}) + b"\n"))

    def _who(self) -> dict[str, object]:
        import pwd

        uid = os.getuid()
        try:
            user = pwd.getpwuid(uid).pw_name
        except KeyError:  # a container often runs as somebody without a name
            user = ""
        return {"uid": uid, "user": user, "pid": os.getpid(), "command": self._by, "host": os.uname().nodename}

    def _failure(self, reason: str) -> OutputError | None:
        if not reason:
            return None
        return OutputError(
            f"the audit trail `{self._where}` cannot be written: {reason}",
            hint=f"nothing is handed out unrecorded; {SWITCH} says where the trail is",
        )


def trail_of(environ: Mapping[str, str], by: str) -> Trail | None:
    """Return the trail that ``environ`` asks for, None where it asks for none."""
    where = environ.get(SWITCH, "")
    return Trail(where, by) if where else None


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _entries(resolved: Resolved) -> Iterator[Entry]:
    for value in resolved.resolution.values():
        origin = value.origin
        since = _moment(origin.read_at) if origin.cached and origin.read_at is not None else ""
        yield Entry(value.name, origin.layer, origin.reference, origin.version, cached_at=since)
    for problem in resolved.problems:
        yield Entry(problem.name, "", problem.reference, "", problem.code)


def _parts(head: Mapping[str, object], settings: Sequence[Mapping[str, str]]) -> Iterator[bytes]:
    """Yield lines that are short enough for the system's log, each with a part of the settings."""
    groups: list[list[Mapping[str, str]]] = [[]]
    room = left = _MOST - len(_line(head))
    for setting in settings:
        left -= len(_line(setting)) + 2
        if left < 0 and groups[-1]:
            groups.append([])
            left = room - len(_line(setting))
        groups[-1].append(setting)
    for number, group in enumerate(groups, 1):
        part: dict[str, object] = {"part": number, "parts": len(groups)} if len(groups) > 1 else {}
        yield _line({**head, **part, "settings": group})


def _line(record: Mapping[str, object]) -> bytes:
    """Return JSON in ASCII: no name can end the line, or drive a terminal."""
    from json import dumps

    return dumps(record, separators=(",", ":")).encode()
