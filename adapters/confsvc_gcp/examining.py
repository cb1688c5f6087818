"""Examining Secret Manager: is it there, who are we, how long for, and may one document be read."""

from collections.abc import Callable, Collection, Iterator, Sequence

from confsvc.adapter import Backend, Deadline, Outcome
from confsvc.diagnosis import Finding, extra_findings, reading_finding, span
from confsvc.errors import Malformed
from confsvc.http import parse_origin
from confsvc.http.probing import service_findings
from confsvc.reference import Reference
from confsvc_gcp.identity import Identity
from confsvc_gcp.names import read_name
from confsvc_gcp.rest import endpoint_of, tls_of

__all__ = ["examine_store"]


def examine_store(
    backend: Backend,
    identity: Identity,
    references: Sequence[Reference],
    read: Callable[[Reference, Deadline], Outcome],
    deadline: Deadline,
    optional: Collection[Reference],
) -> Iterator[Finding]:
    """See `confsvc.diagnosis.Examiner`. ``read`` reads one document."""
    if backend.options.get("transport") == "grpc":
        yield from extra_findings("google.cloud.secretmanager", "gcp")
    if not identity.is_anonymous:
        yield from extra_findings("google.auth", "gcp")
    own = str(backend.options.get("location", ""))
    names = [name for name in map(read_name, references) if not isinstance(name, Malformed)]
    for location in dict.fromkeys([name.location or own for name in names] or [own]):
        origin = parse_origin(endpoint_of(backend, location), insecure=bool(backend.options.get("insecure", False)))
        for finding in service_findings(origin, tls_of(backend), deadline):
            yield finding
            if finding.level == "problem" and finding.topic != "clock":
                return
    yield from _who(identity, deadline)
    for reference in references[:1]:
        yield reading_finding(reference, read(reference, deadline), optional=reference in optional)


def _who(identity: Identity, deadline: Deadline) -> Iterator[Finding]:
    if identity.is_anonymous:
        yield Finding("who", "note", "nobody: `anonymous`, which is for test servers")
        return
    identity.headers(deadline)  # raises where nobody gives us a token
    name, left = identity.name(), identity.left()
    yield Finding("who", "ok", f"`{name}`" if name else "credentials that do not tell their name")
    if left is not None:
        yield Finding("token", "ok", f"it lives {span(left)} more, and is renewed")
