"""From a host to the addresses it has, within the time there is."""

import _socket
import threading
from typing import NamedTuple

from confsvc.adapter import Deadline
from confsvc.http.failures import Failure
from confsvc.http.origin import Origin, is_address

__all__ = ["Address", "addresses_of"]

_AGAIN = {_socket.EAI_AGAIN, _socket.EAI_SYSTEM, _socket.EAI_MEMORY, _socket.EAI_FAIL}


class Address(NamedTuple):
    """One way to reach a host: the family, and what `connect` takes."""

    family: int
    target: tuple[object, ...]


def addresses_of(origin: Origin, deadline: Deadline) -> list[Address] | Failure:
    """Return every address of ``origin``'s host, the best first, or why there is none.

    Nobody is asked about literal addresses and ``localhost``. The system's resolver cannot be interrupted, and may take
    minutes when no name server answers: it has a thread of its own, which is left behind at the deadline.
    """
    host, port = origin.host, origin.port
    if host == "localhost":
        # Few servers listen on IPv6 only, so the other order would cost a refused connection each time.
        return [Address(_socket.AF_INET, ("127.0.0.1", port)), Address(_socket.AF_INET6, ("::1", port))]
    if is_address(host):
        return [Address(_socket.AF_INET6 if ":" in host else _socket.AF_INET, (host, port))]
    found: list[list[Address] | Failure] = []
    worker = threading.Thread(target=_look_up, args=(origin, found), name="confsvc-names", daemon=True)
    worker.start()
    worker.join(deadline.remaining())
    return found[0] if found else Failure(f"the name `{host}` was not looked up in time", silent=True)


def _look_up(origin: Origin, found: list[list[Address] | Failure]) -> None:
    host = origin.host
    try:
        # As bytes, or Python loads its tables of international names first.
        entries = _socket.getaddrinfo(host.encode("ascii"), origin.port, 0, _socket.SOCK_STREAM)
    except _socket.gaierror as error:
        again = error.errno in _AGAIN
        problem = "could not be looked up" if again else "was not found"
        found.append(Failure(f"the name `{host}` {problem}", "check the address, and the name servers", again, True))
    except (OSError, UnicodeError):
        found.append(Failure(f"the name `{host}` could not be looked up", "", True, True))
    else:
        found.append([Address(family, target) for family, _, _, _, target in entries])
