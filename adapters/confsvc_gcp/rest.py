"""The REST API, side by side, over confsvc's own client."""

from collections.abc import Mapping, Sequence
from json import dumps

from confsvc.adapter import Backend, Deadline
from confsvc.errors import AdapterError, DeadlineError
from confsvc.http import Answer, Call, Client, RetryPolicy, Tls, object_of, parse_origin
from confsvc.reference import quote
from confsvc_gcp.errors import Failure, failure_of
from confsvc_gcp.identity import Identity

__all__ = ["Heard", "Request", "Rest", "endpoint_of", "tls_of"]

Heard = Mapping[str, object] | Failure | AdapterError | DeadlineError
# A method of HTTP, a path under /v1/, its query, and a body.
Request = tuple[str, str, Mapping[str, str], Mapping[str, object] | None]

# Measured: a hundred secrets at 20 ms come fastest over few connections that are each asked for many.
_CONNECTIONS, _DEPTH = 6, 20
_POLICY = RetryPolicy(attempts=6, cap=4.0)


def endpoint_of(backend: Backend, location: str) -> str:
    """Return the address of the API; each region has one of its own."""
    written = str(backend.options.get("endpoint", ""))
    if written:
        return written if "://" in written else f"https://{written}"
    return (
        f"https://secretmanager.{location}.rep.googleapis.com" if location else "https://secretmanager.googleapis.com"
    )


def tls_of(backend: Backend) -> Tls:
    """Return whom the backend trusts."""
    from os.path import join

    file = str(backend.options.get("ca_file", ""))
    return Tls(ca_file=join(backend.directory, file) if file else "")


class Rest:
    """The API of one location, empty for the global one."""

    def __init__(self, backend: Backend, identity: Identity, location: str) -> None:
        options = backend.options
        origin = parse_origin(endpoint_of(backend, location), insecure=bool(options.get("insecure", False)))
        limit = int(str(options.get("connections", _CONNECTIONS)))
        self._client = Client(origin, tls=tls_of(backend), limit=limit, depth=_DEPTH)
        self._identity = identity

    def call(self, requests: Sequence[Request], deadline: Deadline) -> list[Heard]:
        """Send ``requests`` side by side, and return what was heard of each, in order.

        Raises:
            ConfsvcError: as `Identity.headers`.

        """
        if not requests:
            return []
        answers = self._send(requests, deadline)
        if any(isinstance(one, Answer) and one.status == 401 for one in answers):
            self._identity.forget()  # a token may have been revoked, or the file with it been replaced
            answers = self._send(requests, deadline)
        return [_read(one) for one in answers]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _send(self, requests: Sequence[Request], deadline: Deadline) -> list[Answer | AdapterError | DeadlineError]:
        headers = self._identity.headers(deadline)
        return self._client.send([_call(one, headers) for one in requests], deadline=deadline, retry=_POLICY)


def _call(request: Request, headers: Mapping[str, str]) -> Call:
    method, path, query, body = request
    text = "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items())
    url = f"/v1/{path}" + (f"?{text}" if text else "")
    if body is None:
        return Call(method, url, headers)
    return Call(method, url, {**headers, "Content-Type": "application/json"}, dumps(body).encode())


def _read(heard: Answer | AdapterError | DeadlineError) -> Heard:
    if not isinstance(heard, Answer):
        return heard
    return object_of(heard) if heard.status == 200 else failure_of(heard)
