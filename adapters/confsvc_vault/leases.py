"""Keeping what was read with a lease, and giving it back."""

from collections.abc import Mapping
from json import dumps

from confsvc.adapter import Deadline, Lease
from confsvc.errors import AdapterError, DeadlineError, Malformed
from confsvc.http import Answer, Call, number_of, object_of
from confsvc_vault.errors import of_status
from confsvc_vault.server import Heard, Server, headers_for

__all__ = ["renew_lease", "revoke_lease"]


def renew_lease(server: Server, lease: Lease, token: str, deadline: Deadline) -> Lease | AdapterError | DeadlineError:
    """Ask for as much time again as ``lease`` was given. Returns what is granted, which may be less."""
    answer = _put(server, "renew", {"lease_id": lease.id, "increment": int(lease.duration)}, token, deadline)
    if not isinstance(answer, Answer):
        return answer
    if answer.status == 400:
        return Malformed("the lease cannot be renewed: it has ended, or was never renewable")
    if answer.status != 200:
        return of_status(answer.status, "renewing a lease")
    found = object_of(answer)
    return Lease(lease.id, float(number_of(found.get("lease_duration"))), found.get("renewable") is True)


def revoke_lease(server: Server, lease: Lease, token: str, deadline: Deadline) -> AdapterError | DeadlineError | None:
    """End ``lease``, and with it what was made for it."""
    answer = _put(server, "revoke", {"lease_id": lease.id}, token, deadline)
    if not isinstance(answer, Answer):
        return answer
    return None if answer.status in {200, 204} else of_status(answer.status, "giving a lease back")


def _put(server: Server, what: str, body: Mapping[str, object], token: str, deadline: Deadline) -> Heard:
    headers = headers_for(token, server.configuration.namespace)
    call = Call("PUT", f"/v1/sys/leases/{what}", headers, dumps(body).encode())
    return server.send([call], deadline=deadline, methods=frozenset({"PUT"}))[0]
