"""No core dump of a process that holds secrets; the command that it becomes gets back what we were started with."""

from resource import RLIMIT_CORE, getrlimit, setrlimit

__all__ = ["allow", "forbid"]

_limits: list[tuple[int, int]] = []  # what we were started with


def forbid() -> None:
    """Leave no core dump from now on."""
    if not _limits:
        _limits.append(getrlimit(RLIMIT_CORE))
        setrlimit(RLIMIT_CORE, (0, _limits[0][1]))


def allow() -> None:
    """Give back the limit that we were started with, which is the command's."""
    while _limits:
        setrlimit(RLIMIT_CORE, _limits.pop())
