"""The same operations by Google's own client over gRPC."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from importlib import import_module
from typing import Any

from confsvc.adapter import Backend, Deadline, Description
from confsvc.errors import AdapterError, DeadlineError, ManifestError, Throttled, Unavailable
from confsvc.http import RetryPolicy, Tls, make_context, parse_origin, wait_before
from confsvc_gcp.errors import Failure, error_of
from confsvc_gcp.identity import Identity
from confsvc_gcp.names import Name
from confsvc_gcp.payload import checked, checksum
from confsvc_gcp.rest import endpoint_of, tls_of
from confsvc_gcp.store import Described, Found, Listed

__all__ = ["GrpcStore", "failure_of_exception"]

_SIDE_BY_SIDE = 16
# As over REST. What may have been written is not sent twice.
_READING = RetryPolicy(attempts=6, cap=4.0)
_WRITING = RetryPolicy(attempts=1)
_CLIENT = "google.cloud.secretmanager_v1.services.secret_manager_service"


def failure_of_exception(error: Any) -> Failure:
    """Return what an exception of ``google.api_core`` says: its canonical code, and the HTTP status it stands for."""
    code = getattr(error, "grpc_status_code", None)
    return Failure(
        str(getattr(code, "name", "")), int(getattr(error, "code", 0) or 0), str(getattr(error, "reason", ""))
    )


class GrpcStore:
    """Secret Manager in one location, over one channel. Made after any fork, as a channel does not survive one."""

    def __init__(self, backend: Backend, identity: Identity, location: str, deadline: Deadline) -> None:
        origin = parse_origin(endpoint_of(backend, location), insecure=bool(backend.options.get("insecure", False)))
        grpc = _import("grpc")
        transports = _import(f"{_CLIENT}.transports")
        if origin.scheme == "http":
            way = transports.SecretManagerServiceGrpcTransport(channel=grpc.insecure_channel(origin.place))
        else:
            credentials = identity.credentials(deadline)
            way = transports.SecretManagerServiceGrpcTransport(
                host=origin.place, credentials=credentials, ssl_channel_credentials=_trust(grpc, tls_of(backend))
            )
        self._client = _import(_CLIENT).SecretManagerServiceClient(transport=way)

    def access(self, names: Sequence[Name], deadline: Deadline) -> list[Found | None]:
        """See `Store`."""

        def read(name: Name) -> Found | None:
            found = self._client.access_secret_version(name=name.text, **_terms(deadline))
            expected = str(found.payload.data_crc32c) if "data_crc32c" in found.payload else ""
            return checked(found.payload.data, expected, found.name.rpartition("/")[2])

        return _side_by_side(read, names, deadline, "secretmanager.versions.access")

    def describe(self, names: Sequence[Name], deadline: Deadline) -> list[Described]:
        """See `Store`."""

        def read(name: Name) -> Described:
            found = self._client.get_secret_version(name=name.text, **_terms(deadline))
            state = "" if found.state.name == "ENABLED" else str(found.state.name).lower()
            time = found.create_time.rfc3339() if found.create_time else ""
            return Description(found.name.rpartition("/")[2], time, state)

        return _side_by_side(read, names, deadline, "secretmanager.versions.get")

    def secrets(self, project: Name, deadline: Deadline) -> Listed:
        """See `Store`."""

        def read(name: Name) -> list[str]:
            request = {"parent": name.parent, "filter": name.filter, "page_size": 1000}
            pages: Iterator[Any] = self._client.list_secrets(request=request, **_terms(deadline))
            return [secret.name.rpartition("/")[2] for secret in pages]

        listed: list[Listed] = _side_by_side(read, [project], deadline, "secretmanager.secrets.list")
        return listed[0]

    def add(self, name: Name, data: bytes, deadline: Deadline) -> str | AdapterError | DeadlineError:
        """See `Store`."""

        def write(one: Name) -> str:
            payload = {"data": data, "data_crc32c": checksum(data)}
            found = self._client.add_secret_version(parent=one.resource, payload=payload, **_terms(deadline))
            return str(found.name.rpartition("/")[2])

        added: list[str | AdapterError | DeadlineError]
        added = _side_by_side(write, [name], deadline, "secretmanager.versions.add", _WRITING)
        return added[0]

    def create(self, name: Name, deadline: Deadline) -> AdapterError | DeadlineError | None:
        """See `Store`."""

        def write(one: Name) -> None:
            body: dict[str, Any] = {} if one.location else {"replication": {"automatic": {}}}
            self._client.create_secret(parent=one.parent, secret_id=one.secret, secret=body, **_terms(deadline))

        made: list[AdapterError | DeadlineError | None]
        made = _side_by_side(write, [name], deadline, "secretmanager.secrets.create", _WRITING)
        return made[0]

    def close(self) -> None:
        """See `Store`."""
        self._client.transport.close()


def _trust(grpc: Any, tls: Tls) -> Any:
    """Return whom a channel trusts, None for the authorities that gRPC brings along."""
    if not tls.ca_file:
        return None
    from ssl import DER_cert_to_PEM_cert

    authorities = make_context(tls).get_ca_certs(binary_form=True)
    return grpc.ssl_channel_credentials("".join(map(DER_cert_to_PEM_cert, authorities)).encode())


def _terms(deadline: Deadline) -> dict[str, Any]:
    """Return what every call is made with. The client's own tries would go on after the deadline."""
    return {"timeout": max(deadline.remaining(), 0.001), "retry": None}


def _side_by_side(
    work: Callable[[Name], Any],
    names: Sequence[Name],
    deadline: Deadline,
    permission: str,
    policy: RetryPolicy = _READING,
) -> list[Any]:
    pool = ThreadPoolExecutor(max(1, min(_SIDE_BY_SIDE, len(names))), thread_name_prefix="confsvc-grpc")
    futures = [pool.submit(_attempt, work, name, deadline, permission, policy) for name in names]
    wait(futures, deadline.remaining())
    pool.shutdown(wait=False, cancel_futures=True)
    late = DeadlineError(f"no answer within {deadline.seconds:g} s")
    return [_result(future, late) for future in futures]


def _result(future: "Future[Any]", late: DeadlineError) -> Any:
    return future.result() if future.done() and not future.cancelled() else late


def _attempt(work: Callable[[Name], Any], name: Name, deadline: Deadline, permission: str, policy: RetryPolicy) -> Any:
    """Do it, and again after a while as long as the server is busy or away; in our words where that fails too."""
    outcome: Any = None
    for attempt in range(1, policy.attempts + 1):
        outcome = _once(work, name, permission)
        most = policy.unanswered if isinstance(outcome, Unavailable) else policy.attempts
        pause = wait_before(attempt + 1, policy)
        if not isinstance(outcome, Throttled | Unavailable) or attempt >= most or deadline.remaining() <= pause:
            break
        time.sleep(pause)
    if isinstance(outcome, Unavailable) and not deadline.remaining():
        return DeadlineError(f"no answer within {deadline.seconds:g} s")
    return outcome


def _once(work: Callable[[Name], Any], name: Name, permission: str) -> Any:
    try:
        return work(name)
    except Exception as error:  # noqa: BLE001 - of Google's client: its texts hold what the server wrote
        failure = failure_of_exception(error)
    return error_of(failure, name.what, permission)


def _import(name: str) -> Any:
    found: Any = None
    try:
        found = import_module(name)
    except ImportError:
        found = None
    if found is None:
        raise ManifestError("gRPC needs google-cloud-secret-manager", hint="pip install 'confsvc[gcp]'")
    return found
