"""google-auth's requests, over our own way of sending: within the deadline, under the same rules as every other.

Its own transports bring `requests` or `urllib3`, which listen to proxies and take a timeout for every piece by itself.
"""

from collections.abc import Mapping
from typing import Any

from confsvc.adapter import Backend, Deadline
from confsvc.errors import AdapterError, ConfsvcError, DeadlineError, ManifestError, Unavailable
from confsvc.http import Answer, Call, Client, RetryPolicy, parse_origin

__all__ = ["Sender"]

# The metadata server answers at once where it is; elsewhere its address leads nowhere, which takes long to find out.
_METADATA = frozenset({"169.254.169.254", "metadata.google.internal", "metadata", "fd20:ce::254"})
_METADATA_PATIENCE = 1.0  # seconds
# A workload identity finds out its project here, which takes two round trips, and is needed only where nobody says it.
_PROJECTS = "https://cloudresourcemanager.googleapis.com"
# A token that is made twice does no harm.
_POLICY = RetryPolicy(attempts=3, methods=frozenset({"GET", "POST"}))


class _Response:
    """What google-auth reads of an answer."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.data = answer.body


class Sender:
    """A ``google.auth.transport.Request``. ``failure`` is why the last request brought no answer."""

    def __init__(self, backend: Backend, deadline: Deadline, *, wants_project: bool = False) -> None:
        own = {backend.environ.get(name, "").partition(":")[0] for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP")}
        self._metadata = (_METADATA | own) - {""}
        self._deadline = deadline
        self._wants_project = wants_project
        self._is_elsewhere = False
        self.failure: ConfsvcError | None = None

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> _Response:
        """Send a request. Raises ``google.auth.exceptions.TransportError`` where there is no answer."""
        del timeout, kwargs  # there is one deadline, and nothing else that could be chosen
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        outcome = self._send(
            f"{scheme}://{authority}",
            Call(
                method,
                slash + path or "/",
                {name: str(value) for name, value in (headers or {}).items()},
                body.encode() if isinstance(body, str) else body or b"",
            ),
        )
        if isinstance(outcome, Answer):
            return _Response(outcome)
        from google.auth.exceptions import TransportError

        self.failure = outcome
        raise TransportError(outcome.message, retryable=False)  # type: ignore[no-untyped-call]

    def _send(self, address: str, call: Call) -> Answer | AdapterError | DeadlineError | ManifestError:
        if address == _PROJECTS and not self._wants_project:
            return Answer(404, {}, b"{}")
        is_metadata = address.partition("://")[2].rpartition("@")[2].partition(":")[0].strip("[]") in self._metadata
        if is_metadata and self._is_elsewhere:
            return Unavailable("there is no metadata server here")
        failure: ManifestError
        try:
            client = Client(parse_origin(address, insecure=is_metadata))
        except ManifestError as error:
            failure = error
        else:
            left = self._deadline.remaining()
            deadline = Deadline(min(left, _METADATA_PATIENCE)) if is_metadata else self._deadline
            (heard,) = client.send([call], deadline=deadline, retry=_POLICY)
            client.close()
            self._is_elsewhere = is_metadata and not isinstance(heard, Answer)
            return heard
        return failure.with_traceback(None)
