"""Becoming the command: found before anything is fetched, then execve, so that nothing of confsvc stays behind."""

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from confsvc import cores
from confsvc.errors import CommandError, Problem, ResolutionError
from confsvc.thin.process import find_file, interpreter_of, restore_signals

__all__ = ["become", "find_command"]

_CANNOT_RUN = 126
_NOT_FOUND = 127


def find_command(command: str, path: str | None) -> str:
    """Return the file to run for ``command``, looked up in ``path`` as a shell does.

    Raises:
        CommandError: 127 when there is none, 126 when there is one that cannot be run.

    """
    if not command:
        raise CommandError("the command is empty", exit_status=_NOT_FOUND)
    file, denied = find_file(command, path)
    if file:
        _check_interpreter(file)
        return file
    if denied:
        raise CommandError(f"cannot run `{command}`: {denied}", exit_status=_CANNOT_RUN)
    where = "no such file" if "/" in command else "it is in no folder of PATH"
    raise CommandError(f"command not found: `{command}`: {where}", exit_status=_NOT_FOUND)


def _check_interpreter(file: str) -> None:
    """A script whose interpreter is missing fails with "no such file", which sends people the wrong way."""
    interpreter = interpreter_of(file)
    if not interpreter:
        return
    is_there = os.path.exists(interpreter)
    what = f"its interpreter `{interpreter}` is {'not executable' if is_there else 'missing'}"
    raise CommandError(f"cannot run `{file}`: {what}", exit_status=_CANNOT_RUN if is_there else _NOT_FOUND)


def become(file: str, arguments: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process. Signals that Python ignores get their defaults back first.

    Raises:
        CommandError: the kernel would not.
        ResolutionError: arguments and environment are too large together.

    """
    restore_signals()
    _flush()
    cores.allow()
    encoded = {_bytes(name): _bytes(text) for name, text in environ.items()}
    failure = 0
    try:
        os.execve(file, list(arguments), encoded)  # noqa: S606 - this is the whole point
    except OSError as error:
        failure = error.errno or 0
    if failure == errno.E2BIG:
        problem = Problem("invalid", "arguments and environment are too large together", exit_status=65)
        raise ResolutionError("the environment cannot hold these settings", [problem])
    status = _NOT_FOUND if failure == errno.ENOENT else _CANNOT_RUN
    raise CommandError(f"cannot run `{file}`: {os.strerror(failure).lower()}", exit_status=status)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
