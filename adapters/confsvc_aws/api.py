"""One API in one region: signed JSON calls, many side by side."""

import time
from collections.abc import Mapping, Sequence
from json import dumps
from typing import NamedTuple

from confsvc.adapter import Backend, Deadline
from confsvc.errors import AdapterError, DeadlineError, Unavailable
from confsvc.http import Answer, Call, Client, RetryPolicy, Tls, object_of
from confsvc_aws.credentials import Identity
from confsvc_aws.errors import EXPIRED, SKEWED, THROTTLING, code_of, kind_of
from confsvc_aws.places import endpoint_of, is_unknown
from confsvc_aws.signing import signed_headers

__all__ = ["Api", "Failure", "Heard", "Operation", "tls_of"]

_TARGETS = {"secretsmanager": "secretsmanager", "ssm": "AmazonSSM"}
_SKEW = 240.0  # seconds: a signature is good for five minutes
_CONNECTIONS = 16
_REGIONS = "`aws account list-regions` lists them"


class Operation(NamedTuple):
    """What is asked: its name, and its parameters. ``is_write``: to send it twice could write twice."""

    name: str
    parameters: Mapping[str, object]
    is_write: bool = False

    def __repr__(self) -> str:
        return f"Operation({self.name!r})"


class Failure(NamedTuple):
    """A whole answer that is a no."""

    code: str
    kind: type[AdapterError]


Heard = Mapping[str, object] | Failure | AdapterError | DeadlineError


def _is_busy(answer: Answer) -> bool:
    return answer.status == 400 and code_of(answer) in THROTTLING


# AWS throttles by the second and asks clients to come back at random moments, further and further apart.
_READING = RetryPolicy(attempts=10, base=0.25, cap=5.0, methods=frozenset({"POST"}), also=_is_busy)
_WRITING = _READING._replace(methods=frozenset())


class Api:
    """``service`` in ``region``, for the credentials of a backend."""

    def __init__(self, backend: Backend, identity: Identity, service: str, region: str) -> None:
        self.region = region
        self._service = service
        self._identity = identity
        self._origin = endpoint_of(backend, service, region, identity.endpoint)
        limit = int(str(backend.options.get("connections", _CONNECTIONS)))
        self._client = Client(self._origin, tls=tls_of(backend), limit=limit)
        self._is_unknown: bool | None = None
        self._ahead = 0.0  # by how many seconds the server's clock is ahead of ours

    def call(self, operations: Sequence[Operation], deadline: Deadline) -> list[Heard]:
        """Do ``operations`` side by side, and return what was heard of each, in order.

        Raises:
            DeadlineError: who gives out credentials was not done in time.
            Unauthenticated: there are no credentials.
            ManifestError: they cannot be looked for.

        """
        heard = self._send(operations, deadline)
        again = [number for number, one in enumerate(heard) if self._may_be_mended(one)]
        if again:
            answers = self._send([operations[number] for number in again], deadline)
            for number, answer in zip(again, answers, strict=True):
                heard[number] = answer
        return [self._explained(_read(one)) for one in heard]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _explained(self, heard: Heard) -> Heard:
        """Say of a public address that leads nowhere that its region is none, where that is so."""
        if not isinstance(heard, Unavailable) or "amazonaws" not in self._origin.host:
            return heard
        if self._is_unknown is None:
            self._is_unknown = is_unknown(self._service, self.region)
        if not self._is_unknown:
            return heard
        return Unavailable(f"`{self.region}` is no region of AWS that is known here: {heard.message}", hint=_REGIONS)

    def _send(self, operations: Sequence[Operation], deadline: Deadline) -> list[Answer | AdapterError | DeadlineError]:
        calls = [self._signed(operation, deadline) for operation in operations]
        policy = _WRITING if any(operation.is_write for operation in operations) else _READING
        return self._client.send(calls, deadline=deadline, retry=policy) if calls else []

    def _signed(self, operation: Operation, deadline: Deadline) -> Call:
        body = dumps(operation.parameters).encode()
        headers = signed_headers(
            self._identity.credentials(deadline),
            service=self._service,
            region=self.region,
            host=self._origin.authority,
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"{_TARGETS[self._service]}.{operation.name}",
            },
            body=body,
            now=time.time() + self._ahead,
        )
        return Call("POST", "/", headers, body)

    def _may_be_mended(self, heard: Answer | AdapterError | DeadlineError) -> bool:
        """Tell whether a new signature may be believed: with the server's time, or with credentials that are fresh."""
        if not isinstance(heard, Answer) or heard.status == 200:
            return False
        code = code_of(heard)
        if code in EXPIRED:
            self._identity.forget()
            return True
        ahead = _ahead(heard) if code in SKEWED else 0.0
        if abs(ahead - self._ahead) < _SKEW:
            return False
        self._ahead = ahead
        return True


def _read(heard: Answer | AdapterError | DeadlineError) -> Heard:
    if not isinstance(heard, Answer):
        return heard
    if heard.status == 200:
        return object_of(heard)
    code = code_of(heard)
    return Failure(code, kind_of(code, heard.status))


def _ahead(answer: Answer) -> float:
    """Return by how many seconds the server's clock is ahead, zero where it does not say what time it is."""
    from calendar import timegm

    try:
        return timegm(time.strptime(answer.headers.get("date", ""), "%a, %d %b %Y %H:%M:%S GMT")) - time.time()
    except ValueError:
        return 0.0


def tls_of(backend: Backend) -> Tls:
    """Return whom the backend trusts."""
    from os.path import join

    file = str(backend.options.get("ca_file", "")) or backend.environ.get("AWS_CA_BUNDLE", "")
    return Tls(ca_file=join(backend.directory, file) if file else "")
