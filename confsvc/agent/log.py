"""What the agent tells those who run it: a JSON object a line, on stderr, without a value."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from json import dumps
from typing import TextIO

from confsvc.errors import Problem

__all__ = ["Log", "told"]


class Log:
    """Lines of ``time``, ``level``, ``event`` and whatever belongs to it. May be used from any thread."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False, stream: TextIO | None = None) -> None:
        self._quiet = quiet
        self.is_verbose = verbose
        self._stream = stream

    def debug(self, event: str, **fields: object) -> None:
        """Tell what is of interest to who looks for something; with ``-v`` only."""
        if self.is_verbose:
            self._write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Tell what is as it should be."""
        if not self._quiet:
            self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Tell what somebody should look at."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Tell what does not work."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        stream = self._stream or sys.stderr
        if stream is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        try:
            stream.write(dumps({"time": now, "level": level, "event": event, **fields}, ensure_ascii=False) + "\n")
            stream.flush()
        except (OSError, ValueError):  # nobody reads it any more: that stops nobody who asks
            return


def told(problems: Iterable[Problem]) -> list[dict[str, object]]:
    """Return problems as data."""
    return [problem._asdict() for problem in problems]
