"""Who we are at a server, from one moment to the next, and what hangs on that."""

from collections.abc import Sequence

from confsvc.adapter import Backend, Deadline, Document, Lease
from confsvc.errors import ConfsvcError
from confsvc.http import Call
from confsvc_vault.login import Login, become, renew_login
from confsvc_vault.server import Server, headers_for

__all__ = ["Logins"]


class Logins:
    """The login in use, earlier ones, and the leases that end with each of them."""

    def __init__(self, backend: Backend, server: Server) -> None:
        self._backend = backend
        self._server = server
        self._current: Login | None = None
        self._former: list[Login] = []
        self._leases: dict[str, Login] = {}

    @property
    def have_leases(self) -> bool:
        """Whether anything that was read ends with one of them."""
        return bool(self._leases)

    def current(self, deadline: Deadline, expect: int = 0, needed: float = 0.0) -> Login:
        """Return the login to use: the one there is, made to live longer, or replaced, once it is old.

        ``expect`` is how many reads follow; ``needed`` is for how many seconds it had better live. Raises as `become`.
        """
        login = self._current
        if login is None:
            login = become(self._backend, self._server, deadline, expect)
        elif login.is_ours and (login.is_old or login.left < needed):
            login = self._younger(login, deadline, expect)
        self._current = login
        return login

    def forget(self) -> None:
        """Take another login from now on: the server does not know this one any more."""
        self._current = None

    def note_leases(self, documents: Sequence[Document], login: Login) -> None:
        """Remember that the leases of ``documents`` end with ``login``, and say so where they look longer."""
        for document in documents:
            lease = document.lease
            if lease is None:
                continue
            self._leases[lease.id] = login
            if login.is_ours and login.left < lease.duration:
                left = round(login.left)
                note = f"its lease of {lease.duration:.0f} s ends with the login's token, after {left} s"
                document.notes = (*document.notes, note)
                document.lease = lease._replace(duration=login.left)

    def limited(self, lease: Lease) -> Lease:
        """Return ``lease`` with the life that is left to it: none is longer than that of the login it was made with."""
        owner = self._leases.get(lease.id)
        if owner is not None and self._current is not None and owner.token.reveal() == self._current.token.reveal():
            owner = self._current  # with the life it has now
        return lease._replace(duration=min(lease.duration, owner.left)) if owner and owner.is_ours else lease

    def leases_of_others(self) -> list[str]:
        """Return the ids of the leases that do not end when `give_back` ends our logins."""
        return [name for name, login in self._leases.items() if not (login.is_ours and login.is_revocable)]

    def give_back(self, deadline: Deadline) -> None:
        """End every login that was made here. Says nothing where that fails: it ends by itself soon."""
        ended = [*self._former, *([self._current] if self._current else [])]
        self._former, self._current = [], None
        calls = [
            Call("POST", "/v1/auth/token/revoke-self", self._headers(login))
            for login in ended
            if login.is_ours and login.is_revocable
        ]
        if calls and deadline.remaining():
            self._server.send(calls, deadline=deadline, methods=frozenset({"POST"}))

    def _younger(self, login: Login, deadline: Deadline, expect: int) -> Login:
        if login.is_renewable:
            login = renew_login(login, self._server, deadline)
        if not login.is_old:
            return login
        try:
            found = become(self._backend, self._server, deadline, expect)
        except ConfsvcError:
            if not login.left:
                raise
            return login  # it still lives, and next time may be better
        self._former = [one for one in (*self._former, login) if one.left]
        return found

    def _headers(self, login: Login) -> dict[str, str]:
        return headers_for(login.token.reveal(), self._server.configuration.namespace)
