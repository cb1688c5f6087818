"""From what the server and hvac say to our errors: one table, by status code and by class, never by text."""

from confsvc.errors import AdapterError, Denied, Malformed, NotFound, Throttled, Unauthenticated, Unavailable

__all__ = ["HVAC", "STATUS", "of_hvac", "of_login", "of_status"]

STATUS: dict[int, tuple[type[AdapterError], str]] = {
    400: (Malformed, "the server cannot make sense of the request"),
    401: (Unauthenticated, "the server wants other credentials"),
    403: (Denied, "the server does not allow it"),
    404: (NotFound, "there is nothing"),
    405: (Malformed, "this path cannot be used in this way"),
    412: (Unavailable, "this node has not caught up with the others yet"),
    413: (Malformed, "the request is larger than the server takes"),
    429: (Throttled, "the server asks for patience"),
    472: (Unavailable, "this node is a standby for disaster recovery"),
    473: (Unavailable, "this node is a standby that serves reads elsewhere"),
    500: (Unavailable, "the server failed"),
    501: (Unavailable, "the server is not initialised"),
    502: (Unavailable, "a system behind the server, or a proxy before it, failed"),
    503: (Unavailable, "the server is sealed, or down for maintenance"),
    504: (Unavailable, "a proxy before the server waited in vain"),
}

# Every class in hvac.exceptions by the status it stands for; zero where it stands for none of its own.
HVAC: dict[str, int] = {
    "BadGateway": 502,
    "Forbidden": 403,
    "InternalServerError": 500,
    "InvalidPath": 404,
    "InvalidRequest": 400,
    "ParamValidationError": 400,
    "PreconditionFailed": 412,
    "RateLimitExceeded": 429,
    "Unauthorized": 401,
    "UnexpectedError": 0,
    "UnsupportedOperation": 405,
    "VaultDown": 503,
    "VaultError": 0,
    "VaultNotInitialized": 501,
}

# What is wrong with the request that logs in is wrong with the credentials in it.
_CREDENTIALS = frozenset({400, 401, 403})


def of_status(status: int, what: str) -> AdapterError:
    """Return the error for ``status``, which the server answered about ``what``: a path, mostly."""
    kind, message = STATUS.get(status, (Unavailable, "the answer is none that was expected"))
    return kind(f"{what}: {message} (status {status})" if status else f"{what}: {message}")


def of_hvac(error: Exception, what: str, seen: int = 0) -> AdapterError:
    """Return the error for an hvac exception, by its class; nothing of its text is kept.

    ``seen`` is the status that was answered, for the exceptions that stand for many.
    """
    status = _status_of(error, seen)
    if status is None:
        return Unavailable(f"{what}: the client library failed ({type(error).__name__})")
    return of_status(status, what)


def of_login(error: Exception, what: str, seen: int = 0, *, hint: str = "") -> AdapterError:
    """Return the error for an hvac exception while logging in: a refusal means that nobody knows who we are."""
    status = _status_of(error, seen)
    if status in _CREDENTIALS:
        return Unauthenticated(f"{what} was refused (status {status})", hint=hint)
    if status == 404:
        return Unauthenticated(f"{what} is not possible: no such auth method is mounted there", hint=hint)
    return of_hvac(error, what, seen)


def _status_of(error: Exception, seen: int) -> int | None:
    found = next((HVAC[base.__name__] for base in type(error).__mro__ if base.__name__ in HVAC), None)
    return seen if found == 0 else found
