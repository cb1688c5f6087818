"""Examining a service: is it there, who are we, how long for, and may one document be read."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from confsvc.adapter import Backend, Deadline, Outcome
from confsvc.diagnosis import Finding, extra_findings, finding_of, reading_finding, span
from confsvc.errors import AdapterError, DeadlineError
from confsvc.http import Answer, Call, Client, Origin, Tls, parse_origin
from confsvc.http.probing import service_findings
from confsvc.reference import Reference
from confsvc_aws.api import Failure, tls_of
from confsvc_aws.credentials import Identity
from confsvc_aws.errors import kind_of
from confsvc_aws.places import endpoint_of
from confsvc_aws.saying import Subject, error_of
from confsvc_aws.signing import signed_headers

__all__ = ["Case", "examine_service"]

_WHO = b"Action=GetCallerIdentity&Version=2011-06-15"
_ARN = re.compile(rb"<Arn>(arn:[^<\s]{1,300})</Arn>")
_CODE = re.compile(rb"<Code>(\w{1,80})</Code>")
_SHORT = 900.0  # seconds


class Case(NamedTuple):
    """What is examined: ``service`` of a backend in ``regions``; ``read`` reads one document."""

    backend: Backend
    identity: Identity
    service: str
    regions: Sequence[str]
    read: Callable[[Reference, Deadline], Outcome]
    optional: Collection[Reference]


def examine_service(case: Case, references: Sequence[Reference], deadline: Deadline) -> Iterator[Finding]:
    """See `confsvc.diagnosis.Examiner`."""
    if case.identity.needs_boto3():
        yield from extra_findings("boto3", "aws")
    for region in case.regions:
        origin = endpoint_of(case.backend, case.service, region, case.identity.endpoint)
        is_there = True
        for finding in service_findings(origin, tls_of(case.backend), deadline):
            yield finding
            is_there = is_there and (finding.level != "problem" or finding.topic == "clock")
        if not is_there:
            return
    case.identity.credentials()  # raises where there are none
    yield from _who(case, case.regions[0], deadline)
    yield from _life(case.identity)
    for reference in references[:1]:  # AWS has no other way to ask than to read
        yield reading_finding(reference, case.read(reference, deadline), optional=reference in case.optional)


def _who(case: Case, region: str, deadline: Deadline) -> Iterator[Finding]:
    origin = _sts(case, region)
    client = Client(origin, tls=tls_of(case.backend) if _is_own(case.backend) else Tls())
    heard: Answer | AdapterError | DeadlineError
    try:
        (heard,) = client.send([_signed(case, origin, region)], deadline=deadline)
    finally:
        client.close()
    if not isinstance(heard, Answer):
        yield Finding("who", "note", f"STS cannot be asked: {heard.message}", "the store may know us all the same")
        return
    arn = _ARN.search(heard.body)
    if heard.status == 200 and arn:
        yield Finding("who", "ok", f"`{arn[1].decode(errors='replace')}`")
        return
    code = _CODE.search(heard.body)
    name = code[1].decode() if code else ""
    subject = Subject("STS", region, "sts:GetCallerIdentity", "*")
    yield finding_of("who", error_of(Failure(name, kind_of(name, heard.status)), subject))


def _signed(case: Case, origin: Origin, region: str) -> Call:
    import time

    headers = signed_headers(
        case.identity.credentials(),
        service="sts",
        region=region,
        host=origin.authority,
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        body=_WHO,
        now=time.time(),
    )
    return Call("POST", "/", headers, _WHO)


def _is_own(backend: Backend) -> bool:
    """Whether the backend's address is a test server's, which stands for all of AWS."""
    return str(backend.options.get("endpoint_url", "")).startswith("http://")


def _sts(case: Case, region: str) -> Origin:
    options = dict(case.backend.options)
    if _is_own(case.backend):
        return parse_origin(str(options["endpoint_url"]), insecure=bool(options.get("insecure", False)))
    options.pop("endpoint_url", None)  # the store's, which STS is not behind
    return endpoint_of(case.backend._replace(options=options), "sts", region, case.identity.endpoint)


def _life(identity: Identity) -> Iterator[Finding]:
    left = identity.left()
    if left is not None:
        short = left < _SHORT
        yield Finding("token", "note" if short else "ok", f"the credentials live {span(left)} more, and are renewed")
    elif identity.credentials().token:
        yield Finding("token", "note", "a session's credentials: when they end, only who gave them knows")
    else:
        yield Finding("token", "note", "a key that never ends", "a role's credentials end by themselves")
