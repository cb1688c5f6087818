"""Where a backend listens: scheme, host and port, and nothing else."""

import _socket  # `socket` is this module and a dozen enumerations, which cost more than the rest of the client
from typing import NamedTuple

from confsvc.errors import ManifestError

__all__ = ["Origin", "is_address", "is_host", "is_loopback", "parse_origin"]

_PORTS = {"http": 80, "https": 443}
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_DIGITS = frozenset("0123456789")
_HINT = "write `https://host` or `https://host:port`"


class Origin(NamedTuple):
    """``scheme`` is ``http`` or ``https``; ``host`` a name or an address, an IPv6 one without its brackets."""

    scheme: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """Host and port as a person writes them: ``vault.example.com:8200``, ``[::1]:8200``."""
        return f"{self._bracketed()}:{self.port}"

    @property
    def authority(self) -> str:
        """What the ``Host`` header says: the port is left out where it is the scheme's own."""
        return self._bracketed() if self.port == _PORTS.get(self.scheme) else self.place

    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def parse_origin(text: str, *, insecure: bool = False) -> Origin:
    """Return the origin that ``text`` names: ``https://host[:port]``.

    No message repeats ``text``: people paste passwords into addresses.

    Raises:
        ManifestError: it is something else, or it is plain ``http`` to another machine and ``insecure`` is false.

    """
    scheme, separator, rest = text.partition("://")
    scheme, rest = scheme.lower(), rest.removesuffix("/").lower()
    complaint = _complaint(scheme, separator, rest) if text.isascii() else "the address has no valid host"
    if complaint:
        raise ManifestError(complaint, hint=_HINT)
    host, port = _split(rest, _PORTS[scheme])
    if not is_host(host, bracketed=rest.startswith("[")):
        raise ManifestError("the address has no valid host", hint=_HINT)
    if not 1 <= port <= 65535:
        raise ManifestError("the port of an address is a number between 1 and 65535", hint=_HINT)
    if scheme == "http" and not insecure and not is_loopback(host):
        raise ManifestError(
            f"plain `http` to `{host}` would show every secret to the network",
            hint="use `https`, or write `insecure = true` where that is wanted",
        )
    return Origin(scheme, host, port)


def _complaint(scheme: str, separator: str, rest: str) -> str:
    if not separator:
        return "the address has no scheme"
    if scheme not in _PORTS:
        return "the scheme of an address is `https`, or `http`"
    if "@" in rest:
        return "the address holds a user name or a password"
    if any(mark in rest for mark in "/?#\\"):
        return "the address is more than a scheme, a host and a port"
    return ""


def _split(rest: str, default: int) -> tuple[str, int]:
    """Return host and port; zero for a port that is none."""
    if rest.startswith("["):
        host, end, tail = rest[1:].partition("]")
        host = host if end else ""
    else:
        host, colon, port = rest.partition(":")
        tail = colon + port
    if not tail:
        return host, default
    number = tail[1:]
    return host, int(number) if tail[0] == ":" and 0 < len(number) < 6 and _DIGITS.issuperset(number) else 0


def is_host(host: str, *, bracketed: bool = False) -> bool:
    """Tell whether ``host`` can be one: a name in lower case, an IPv4 address, or in brackets an IPv6 address."""
    if bracketed:
        return ":" in host and is_address(host)
    labels = host.split(".")
    return len(host) < 254 and all(_is_label(label) for label in labels)


def _is_label(label: str) -> bool:
    return 0 < len(label) < 64 and _NAME.issuperset(label) and label[0] != "-" and label[-1] != "-"


def is_address(host: str) -> bool:
    """Tell whether ``host`` is a literal IPv4 or IPv6 address in its strict form, so that no name is looked up."""
    return _packed(host) is not None


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` can only be this machine: ``localhost``, ``127.0.0.0/8`` or ``::1``."""
    packed = _packed(host)
    if packed is None:
        return host == "localhost"
    return packed[0] == 127 if len(packed) == 4 else packed == b"\0" * 15 + b"\1"


def _packed(host: str) -> bytes | None:
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            return _socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
    return None
