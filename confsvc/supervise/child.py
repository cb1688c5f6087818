"""Starting a program beside us, as if nothing of confsvc had been there, and hearing how it ends."""

import errno
import os
import signal
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

from confsvc.errors import CommandError
from confsvc.supervise import native
from confsvc.supervise.signals import unblock_all

__all__ = ["Ended", "Program", "bring_to_front", "reap", "spawn"]

_TTY = 0


class Program(NamedTuple):
    """What to start. ``stdout`` and ``stderr`` are descriptors, ours where they are None.

    With ``group`` it becomes the leader of a process group, in the foreground if we are; with ``aside`` of one that
    never is.
    """

    file: str
    arguments: Sequence[str]
    environ: Mapping[str, str]
    stdout: int | None = None
    stderr: int | None = None
    group: bool = False
    aside: bool = False


class Ended(NamedTuple):
    """What became of a child. ``status`` is as a shell has it; ``stopped`` is the signal that stopped one, else 0."""

    pid: int
    status: int
    stopped: int = 0


def spawn(program: Program) -> int:
    """Start ``program``. Returns its process id; it ends with us, even if we are killed.

    Raises:
        CommandError: the kernel would not.

    """
    native.prepare()
    environ = {_bytes(name): _bytes(text) for name, text in program.environ.items()}
    parent = os.getpid()
    is_front = program.group and _is_in_front()
    pid, reading, writing = _fork_with_pipe(program.file)
    if pid == 0:
        _become(program, environ, parent, writing, is_front=is_front)
    os.close(writing)
    failure = _read_all(reading)
    if not failure:
        return pid
    os.waitpid(pid, 0)
    raise _refusal(program.file, int(failure))


def reap() -> list[Ended]:
    """Return what became of every child since the last time, orphans that were given to us among them."""
    found: list[Ended] = []
    while True:
        try:
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WNOHANG)
        except ChildProcessError:
            return found
        if info is None:
            return found
        if info.si_code == os.CLD_STOPPED:
            found.append(Ended(info.si_pid, 0, info.si_status))
        else:
            is_exit = info.si_code == os.CLD_EXITED
            found.append(Ended(info.si_pid, info.si_status if is_exit else 128 + info.si_status))


def bring_to_front(pid: int) -> None:
    """Make the group of ``pid``, zero for our own, the one that the terminal talks to, where there is a terminal."""
    try:
        os.tcsetpgrp(_TTY, os.getpgid(pid))
    except OSError:  # no terminal, or it is gone
        return


def _fork_with_pipe(file: str) -> tuple[int, int, int]:
    """Return the child's id, zero in the child, and both ends of a pipe. Raises CommandError where there is no more."""
    pipe: tuple[int, ...] = ()
    try:
        pipe = reading, writing = os.pipe()
        return _fork(), reading, writing
    except OSError as error:
        number = error.errno or errno.EAGAIN
    for descriptor in pipe:
        os.close(descriptor)
    raise _refusal(file, number)


def _refusal(file: str, number: int) -> CommandError:
    status = 127 if number == errno.ENOENT else 126
    return CommandError(f"cannot run `{file}`: {os.strerror(number).lower()}", exit_status=status)


def _fork() -> int:
    import warnings

    with warnings.catch_warnings():
        # Python warns of forking beside threads. Between fork and exec the child takes no lock that one could hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _become(program: Program, environ: dict[bytes, bytes], parent: int, writing: int, *, is_front: bool) -> NoReturn:
    """Be the child: whatever happens, never return into the parent's code."""
    failure = errno.EPERM
    try:
        if not native.arrange_death(signal.SIGTERM, parent):
            os._exit(128 + signal.SIGTERM)
        if program.group or program.aside:
            os.setpgid(0, 0)
        if is_front:
            bring_to_front(0)
        for number, descriptor in ((1, program.stdout), (2, program.stderr)):
            if descriptor is not None:
                os.dup2(descriptor, number)
        if b"LISTEN_PID" in environ:  # sd_listen_fds(3): the sockets are for the process with this id
            environ[b"LISTEN_PID"] = str(os.getpid()).encode()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
            signal.signal(number, signal.SIG_DFL)
        unblock_all()
        os.execve(program.file, list(program.arguments), environ)  # noqa: S606 - this is the whole point
    except OSError as error:
        failure = error.errno or failure
    finally:
        os.write(writing, str(failure).encode())
        os._exit(127)


def _is_in_front() -> bool:
    try:
        return os.tcgetpgrp(_TTY) == os.getpgrp()
    except OSError:
        return False


def _read_all(reading: int) -> bytes:
    with open(reading, "rb") as pipe:
        return pipe.read()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
