"""The environment a child gets: the parent's, less what is ours, plus the settings."""

import os
from collections.abc import Iterable, Mapping

from confsvc.adapter import is_bootstrap
from confsvc.errors import Problem, ResolutionError
from confsvc.resolution import Resolution
from confsvc.thin.process import was_given

__all__ = ["LIMIT", "check_size", "child_environment", "parent_environment"]

# Linux takes at most 32 pages for one "NAME=value" with its closing NUL (MAX_ARG_STRLEN in execve(2)).
LIMIT = 131_072

_PRISTINE = ("PATH", "HOME", "LANG", "TZ", "TERM")


def parent_environment() -> dict[str, str]:
    """Return the environment this process was started with, as UTF-8 text whatever the locale says.

    Python adds LC_CTYPE to it in a C locale (PEP 538), which nobody asked for, so the kernel's copy decides.
    """
    environ = {_utf8(name): _utf8(text) for name, text in os.environb.items()}
    if "LC_CTYPE" in environ and not was_given("LC_CTYPE"):
        del environ["LC_CTYPE"]
    return environ


def _utf8(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def _size(text: str) -> int:
    return len(text.encode(errors="surrogateescape"))


def child_environment(
    parent: Mapping[str, str],
    resolution: Resolution,
    *,
    declared: Iterable[str] = (),
    pristine: bool = False,
    keep: Iterable[str] = (),
    credentials: Iterable[str] = (),
) -> dict[str, str]:
    """Return what the child gets.

    ``declared`` settings come from the resolution or not at all. ``credentials`` are further names that the manifest
    reads bootstrap credentials from. ``keep`` lets names through that would be left out.
    """
    kept = frozenset(keep)
    left_out = frozenset((*declared, *credentials)) - kept
    environ = {
        name: text
        for name, text in parent.items()
        if name in kept or not (is_bootstrap(name) or name in left_out or (pristine and name not in _PRISTINE))
    }
    environ |= resolution.environ()
    if resolution.environment:
        environ["CONFSVC_ENV"] = resolution.environment
    if resolution.manifest:
        environ["CONFSVC_FILE"] = resolution.manifest
    return environ


def check_size(environ: Mapping[str, str], arguments: Iterable[str], resolution: Resolution) -> None:
    """Check what execve(2) takes, before it is asked.

    Raises:
        ResolutionError: a value holds a NUL, a variable is longer than 131,071 bytes, or all are too much together.

    """
    problems = [p for name, text in environ.items() if (p := _check_one(name, text, resolution))]
    if not problems and (total := _total(environ, arguments)) > (limit := _limit()):
        largest = sorted(environ, key=lambda name: -_size(environ[name]))[:5]
        names = ", ".join(f"`{name}`" for name in largest)
        message = f"the environment is too large: {total} bytes, and {limit} are possible; the largest are {names}"
        problems = [Problem("invalid", message, exit_status=65, hint="leave some out with --only, or use files")]
    if problems:
        raise ResolutionError("the environment cannot hold these settings", problems)


def _check_one(name: str, text: str, resolution: Resolution) -> Problem | None:
    reference = resolution[name].origin.reference if name in resolution else ""
    message = ""
    if "\0" in text:
        message = "invalid: it holds a NUL byte, which an environment variable cannot"
    elif _size(name) + _size(text) + 2 > LIMIT:
        message = f"invalid: too large for an environment variable (`{name}=…` of at most {LIMIT - 1} bytes)"
    if not message:
        return None
    return Problem("invalid", message, name, reference, exit_status=65, hint="hand it over as a file instead")


def _total(environ: Mapping[str, str], arguments: Iterable[str]) -> int:
    pointer = 8
    strings = sum(_size(n) + _size(t) + 2 + pointer for n, t in environ.items())
    return strings + sum(len(os.fsencode(argument)) + 1 + pointer for argument in arguments)


def _limit() -> int:
    """What execve(2) takes for arguments and environment: a quarter of the stack, within 128 KiB and 6 MiB."""
    from resource import RLIM_INFINITY, RLIMIT_STACK, getrlimit

    soft, _ = getrlimit(RLIMIT_STACK)
    return 6 * 1024 * 1024 if soft == RLIM_INFINITY else max(LIMIT, min(soft // 4, 6 * 1024 * 1024))
