"""Runs a command in a network of its own, whose name server is as said: ``python nameless.py KIND COMMAND…``.

``gone``: nobody is there; ``silent``: it never answers; ``ignorant``: it knows no name. Needs root, or user namespaces.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import tempfile

__all__ = ["main"]

_SERVER = "127.0.0.9"
_NEW_NETWORK, _NEW_MOUNTS, _NEW_USER = 0x40000000, 0x00020000, 0x10000000  # <linux/sched.h>
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18  # <sys/mount.h>
_SET_FLAGS, _UP = 0x8914, 1  # <linux/sockios.h>, <linux/if.h>
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_NAME_ERROR = 0x8183  # an answer, of a server that was asked to ask others and can: there is no such name (RFC 1035)

_library = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Become the command."""
    kind, command = sys.argv[1], sys.argv[2:]
    _check(_library.unshare(_NEW_NETWORK | _NEW_MOUNTS | (0 if os.getuid() == 0 else _NEW_USER)))
    _check(_library.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None))
    with tempfile.NamedTemporaryFile() as file:
        file.write(f"nameserver {_SERVER}\n".encode())
        file.flush()
        _check(_library.mount(file.name.encode(), b"/etc/resolv.conf", None, _BIND, None))
    if kind != "gone":
        with socket.socket() as one:
            fcntl.ioctl(one, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
        _serve(answers=kind == "ignorant")
    os.execvp(command[0], command)  # noqa: S606 - that is what it is for


def _serve(*, answers: bool) -> None:
    """Be a name server, in a session of its own, for as long as the command runs."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((_SERVER, 53))
    parent = os.getpid()
    if os.fork():
        server.close()
        return
    os.setsid()
    _library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before it was said that we end with it
        os._exit(0)
    for descriptor in (0, 1, 2):  # whoever reads what the command says must not wait for us
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    while True:
        question, client = server.recvfrom(512)
        if answers:
            server.sendto(question[:2] + struct.pack(">H", _NAME_ERROR) + question[4:], client)


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main()
