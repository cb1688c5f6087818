"""Looking at a server as such: is it there, does its certificate hold, what time does it think it is, how far is it."""

import socket
import time
from calendar import timegm
from collections.abc import Callable, Iterator, Mapping

from confsvc.adapter import Deadline
from confsvc.diagnosis import Finding, finding_of, span
from confsvc.errors import AdapterError, DeadlineError, Unavailable
from confsvc.http.client import Client
from confsvc.http.failures import of_connecting
from confsvc.http.messages import Answer, Call
from confsvc.http.origin import Origin
from confsvc.http.tls import Tls, explain, make_context

__all__ = ["answer_findings", "probe", "service_findings", "timed"]

_SOON = 21 * 86400.0  # seconds in which a certificate had better be renewed
_SKEW, _SKEW_BAD = 5.0, 240.0  # seconds; what is signed with a time is good for five minutes
_SLOW = 0.5  # seconds
_LOOPBACK = ("127.", "::1", "localhost")


def probe(origin: Origin, tls: Tls, deadline: Deadline) -> Iterator[Finding]:
    """Connect once, and yield what is found. The last one is a problem where nothing else can be asked.

    Raises:
        ManifestError: a file with certificates cannot be used.

    """
    began = time.monotonic()
    wire = _connected(origin, deadline)
    if isinstance(wire, AdapterError):
        yield finding_of("reachable", wire)
        return
    with wire:
        yield Finding("reachable", "ok", f"`{origin.place}`, connected in {_milliseconds(time.monotonic() - began)}")
        if origin.scheme == "https":
            yield from _secured(wire, origin, tls)
        elif origin.host.startswith(_LOOPBACK):
            yield Finding("TLS", "note", "none: plain http, to this machine itself")
        else:
            yield Finding("TLS", "warning", "none: everything, tokens too, can be read on the way", "use `https`")


def service_findings(origin: Origin, tls: Tls, deadline: Deadline) -> Iterator[Finding]:
    """Yield what `probe` does, and what any answer says of the server's clock and of the way. Raises as it does."""
    for finding in probe(origin, tls, deadline):
        yield finding
        if finding.level == "problem":
            return
    client = Client(origin, tls=tls)
    try:
        # Whatever it says to that, it says when it said it.
        heard, took = timed(lambda: client.send([Call("GET", "/")], deadline=deadline)[0])
    finally:
        client.close()
    if isinstance(heard, Answer):
        yield from answer_findings(heard.headers, took)
    else:
        yield finding_of("service", heard)


def timed(
    ask: Callable[[], Answer | AdapterError | DeadlineError],
) -> tuple[Answer | AdapterError | DeadlineError, float]:
    """Return what ``ask`` heard, and how many seconds that took."""
    began = time.monotonic()
    return ask(), time.monotonic() - began


def answer_findings(headers: Mapping[str, str], took: float) -> Iterator[Finding]:
    """Yield what an answer that ``took`` so many seconds says besides: of the server's clock, and of the way there."""
    yield from _clock(headers.get("date", ""), took)
    is_slow = took > _SLOW
    fix = "is there a server, or a proxy, that is nearer?" if is_slow else ""
    yield Finding("latency", "warning" if is_slow else "ok", f"{_milliseconds(took)} for a request", fix)


def _connected(origin: Origin, deadline: Deadline) -> socket.socket | AdapterError:
    try:
        return socket.create_connection((origin.host, origin.port), timeout=max(0.01, deadline.remaining()))
    except socket.gaierror:
        return Unavailable(
            f"the name `{origin.host}` leads to no address", hint="is it spelt right, and does DNS work?"
        )
    except TimeoutError:
        return Unavailable(f"no answer from `{origin.place}`", hint="is there a route, or a firewall in between?")
    except OSError as error:
        return of_connecting(error.errno or 0, origin).error()


def _secured(wire: socket.socket, origin: Origin, tls: Tls) -> Iterator[Finding]:
    import ssl

    context = make_context(tls)
    failure: Unavailable
    try:
        with context.wrap_socket(wire, server_hostname=tls.server_name or origin.host) as secure:
            version, found = secure.version(), secure.getpeercert() or {}
    except OSError as error:
        found_failure = explain(error, origin, tls)
        failure = found_failure.error() if found_failure else Unavailable(f"TLS with `{origin.place}` came to no end")
    else:
        yield from _certificate(str(version), ssl.cert_time_to_seconds(str(found["notAfter"])) if found else None)
        return
    failure.__context__ = None
    yield finding_of("TLS", failure)


def _certificate(version: str, end: float | None) -> Iterator[Finding]:
    if end is None:
        fix = "leave `tls_skip_verify` out, and set `ca_file` to the authority that issued its certificate"
        yield Finding("TLS", "warning", f"{version}; the certificate is not checked: anybody could answer", fix)
        return
    left = end - time.time()
    day = time.strftime("%Y-%m-%d", time.gmtime(end))
    soon = left < _SOON
    message = f"{version}; the certificate is good for {span(left)} more, until {day}"
    yield Finding("TLS", "warning" if soon else "ok", message, "renew it" if soon else "")


def _clock(text: str, took: float) -> Iterator[Finding]:
    try:
        theirs = timegm(time.strptime(text, "%a, %d %b %Y %H:%M:%S GMT")) + 0.5  # it is cut to whole seconds
    except ValueError:
        yield Finding("clock", "note", "the server does not say what time it is")
        return
    ahead = theirs - (time.time() - took / 2)
    if abs(ahead) < _SKEW:
        yield Finding("clock", "ok", "as the server's, to the second or so")
        return
    where = "behind" if ahead > 0 else "ahead of"
    message = f"this machine's clock is {span(abs(ahead))} {where} the server's"
    fix = "set the clocks by NTP: `timedatectl set-ntp true`"
    is_bad = abs(ahead) >= _SKEW_BAD
    yield Finding("clock", "problem" if is_bad else "warning", message, fix, 77 if is_bad else 0)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
