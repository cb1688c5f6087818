"""Why a connection brought no answer, in words of ours: nothing that a backend or a library said is repeated."""

import errno
from typing import NamedTuple

from confsvc.errors import Unavailable
from confsvc.http.origin import Origin

__all__ = ["Failure", "of_answer", "of_connecting", "of_silence", "of_surplus", "of_transport"]

_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENETDOWN}
_LOCAL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}


class Failure(NamedTuple):
    """Why there is no answer, and what that means for another try.

    ``again``: one may help. ``unsent``: nothing of the request left. ``silent``: nobody said anything. ``local``: it is
    this machine that has no room for another connection.
    """

    message: str
    hint: str = ""
    again: bool = False
    unsent: bool = False
    silent: bool = False
    local: bool = False

    def error(self) -> Unavailable:
        """Return it as the error that adapters and users see."""
        return Unavailable(self.message, hint=self.hint)


def of_connecting(code: int, origin: Origin) -> Failure:
    """Return why no connection was made, from the number of the operating system's error."""
    place = origin.place
    if code == errno.ECONNREFUSED:
        return Failure(f"`{place}` refused the connection", "is it running, and is the address right?", True, True)
    if code in _UNREACHABLE:
        return Failure(f"`{place}` cannot be reached", "is there a route, or a firewall in between?", True, True)
    if code in _LOCAL:
        return Failure(f"this machine has no free socket for `{place}`", again=True, unsent=True, local=True)
    name = errno.errorcode.get(code, str(code))
    return Failure(f"no connection to `{place}` ({name})", "", True, True)


def of_transport(origin: Origin, *, opening: bool, started: bool) -> Failure:
    """Return why a connection broke: during the TLS handshake (``opening``), or after an answer had ``started``."""
    place = origin.place
    if opening:
        return Failure(f"`{place}` closed the connection during the TLS handshake", again=True, unsent=True)
    if started:
        return Failure(f"the answer of `{place}` was cut short", again=True)
    return Failure(f"`{place}` closed or reset the connection without an answer", again=True)


def of_silence(origin: Origin, *, unsent: bool) -> Failure:
    """Return that nothing whole came in time."""
    return Failure(f"no answer from `{origin.place}`", again=True, unsent=unsent, silent=True)


def of_answer(origin: Origin, reason: str, *, again: bool) -> Failure:
    """Return why an answer is refused; ``reason`` is words of `parsing`."""
    return Failure(f"the answer of `{origin.place}` cannot be used: {reason}", again=again)


def of_surplus(origin: Origin) -> Failure:
    """Return that more came than was asked for: then it is not certain which answer belongs to what."""
    return of_answer(origin, "more follows than was asked for", again=True)
