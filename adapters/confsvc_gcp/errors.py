"""What Google says no with, and what that is for us: one table, by the canonical code, never by text.

https://cloud.google.com/apis/design/errors#error_model has the codes, and which HTTP status each comes with.
"""

from collections.abc import Mapping
from typing import NamedTuple

from confsvc.errors import AdapterError, Denied, Malformed, NotFound, Throttled, Unauthenticated, Unavailable
from confsvc.http import Answer, object_of, table_of

__all__ = ["CODES", "Failure", "error_of", "failure_of", "kind_of"]

CODES: dict[str, type[AdapterError]] = {
    "ABORTED": Unavailable,
    "ALREADY_EXISTS": Malformed,
    "CANCELLED": Unavailable,
    "DATA_LOSS": Unavailable,
    "DEADLINE_EXCEEDED": Unavailable,
    "FAILED_PRECONDITION": Malformed,
    "INTERNAL": Unavailable,
    "INVALID_ARGUMENT": Malformed,
    "NOT_FOUND": NotFound,
    "OUT_OF_RANGE": Malformed,
    "PERMISSION_DENIED": Denied,
    "RESOURCE_EXHAUSTED": Throttled,
    "UNAUTHENTICATED": Unauthenticated,
    "UNAVAILABLE": Unavailable,
    "UNIMPLEMENTED": Malformed,
    "UNKNOWN": Unavailable,
}
_OF_VERSIONS = frozenset({"secretmanager.versions.access", "secretmanager.versions.get"})
_STATUSES = {401: Unauthenticated, 403: Denied, 404: NotFound, 429: Throttled}
_TURNED_OFF = frozenset({"SERVICE_DISABLED", "API_DISABLED"})
_NO_PROJECT = frozenset({"CONSUMER_INVALID", "CONSUMER_SUSPENDED"})


class Failure(NamedTuple):
    """A whole answer that is a no: the canonical code, the HTTP status, and the reason where there is one."""

    code: str
    status: int = 0
    reason: str = ""


def failure_of(answer: Answer) -> Failure:
    """Return what an answer that is no success says."""
    body = table_of(object_of(answer), "error")
    reasons = [
        str(one.get("reason", ""))
        for one in _list(body.get("details"))
        if str(one.get("@type", "")).endswith("google.rpc.ErrorInfo")
    ]
    return Failure(str(body.get("status", "")), answer.status, next(iter(reasons), ""))


def kind_of(failure: Failure) -> type[AdapterError]:
    """Return what ``failure`` is for us; where nobody knows its code, what the status says."""
    if failure.code in CODES:
        return CODES[failure.code]
    if failure.status >= 500:
        return Unavailable
    return _STATUSES.get(failure.status, Malformed)


def error_of(failure: Failure, what: str, permission: str = "secretmanager.versions.access") -> AdapterError:
    """Return the error for ``failure``, which was about ``what``. Nothing that Google wrote is repeated."""
    kind = kind_of(failure)
    if kind is NotFound:
        # Only its text would tell which of the two it is.
        is_latest = permission in _OF_VERSIONS and " version " not in what
        return NotFound(f"`{what}` is not there{', or has no version' if is_latest else ''}")
    if kind is Denied:
        return _denied(failure, what, permission)
    if kind is Unauthenticated:
        return Unauthenticated("Google does not accept the credentials", hint="gcloud auth application-default login")
    if kind is Throttled:
        return Throttled(f"Secret Manager asks for patience about `{what}`")
    if kind is Unavailable:
        return Unavailable(f"Secret Manager cannot answer about `{what}` ({failure.code or failure.status})")
    if failure.code == "FAILED_PRECONDITION":
        return Malformed(
            f"`{what}` is disabled or destroyed", hint="gcloud secrets versions enable, or name another version"
        )
    if failure.code == "ALREADY_EXISTS":
        return Malformed(f"`{what}` is there already")
    return Malformed(f"Secret Manager does not take what was asked about `{what}` ({failure.code or failure.status})")


def _denied(failure: Failure, what: str, permission: str) -> Denied:
    if failure.reason in _TURNED_OFF:
        return Denied(
            "the Secret Manager API is not turned on in this project",
            hint="gcloud services enable secretmanager.googleapis.com",
        )
    if failure.reason in _NO_PROJECT:
        return Denied(f"there is no such project, or it is not in use: `{what}`", hint="gcloud projects list")
    return Denied(
        f"these credentials may not do `{permission}` on `{what}`, or there is no such project",
        hint="the role `roles/secretmanager.secretAccessor` on the secret allows reading it",
    )


def _list(found: object) -> list[Mapping[str, object]]:
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
