"""Being logged in at a server, for as long as a resolution takes."""

from collections.abc import Sequence

from confsvc.adapter import Backend, Deadline, Document
from confsvc.errors import AdapterError, Denied, Unauthenticated
from confsvc.http import Answer, Call
from confsvc_vault.login import Login, become
from confsvc_vault.paths import Target
from confsvc_vault.reading import Found, read_targets
from confsvc_vault.server import Server, headers_for

__all__ = ["Session"]

_FAREWELL = 1.0  # seconds for giving the token back: long for a server that is well

# What every token may ask, the first even without the policy `default`, and the second where `sys` is out of reach.
_MIRRORS = ("/v1/sys/internal/ui/mounts", "/v1/auth/token/lookup-self")


class Session:
    """One login, made when it is first needed, and what is done with it."""

    def __init__(self, backend: Backend, server: Server) -> None:
        self._backend = backend
        self._server = server
        self._login: Login | None = None
        self._keeps_token = False

    @property
    def server(self) -> Server:
        """Where we are logged in."""
        return self._server

    def login(self, deadline: Deadline, expect: int = 0) -> Login:
        """Return who we are. Raises what `become` does."""
        if self._login is None:
            self._login = become(self._backend, self._server, deadline, expect)
        return self._login

    def read(self, targets: Sequence[Target], deadline: Deadline) -> dict[Target, Found]:
        """Return the outcome of each of ``targets``. Where our token has died, log in once more, and read again."""
        login = self.login(deadline, len(targets))
        found = self._read(targets, login, deadline)
        denied = [target for target, outcome in found.items() if isinstance(outcome, Denied)]
        if denied and not self._is_alive(login, deadline):
            found.update(self._once_more(denied, login, deadline))
        return found

    def close(self, deadline: Deadline | None) -> None:
        """Give a token that was made for us back, unless a lease ends with it. Says nothing where that fails."""
        login = self._login
        if login is not None and login.is_ours and login.is_revocable and not self._keeps_token and deadline:
            # If it cannot be revoked now it ends by itself soon, and what was read with it is good.
            self._revoke(login, Deadline(min(_FAREWELL, deadline.remaining())))
        self._login = None
        self._server.close()

    def _read(self, targets: Sequence[Target], login: Login, deadline: Deadline) -> dict[Target, Found]:
        found = read_targets(self._server, targets, login, deadline, is_alive=lambda: self._is_alive(login, deadline))
        leased = [outcome for outcome in found.values() if isinstance(outcome, Document) and outcome.lease]
        # Revoking the token would revoke them too, and nobody stays to do it later.
        self._keeps_token = self._keeps_token or bool(leased)
        for document in leased:
            _note_the_end(document, login)
        return found

    def _is_alive(self, login: Login, deadline: Deadline) -> bool:
        """Tell whether the token is still good. Only a clear no counts as one."""
        token = login.token.reveal()
        if not token:
            return True
        headers = headers_for(token, self._server.configuration.namespace)
        heard = self._server.send([Call("GET", path, headers) for path in _MIRRORS], deadline=deadline)
        return not all(isinstance(one, Answer) and one.status in {401, 403} for one in heard)

    def _once_more(self, denied: Sequence[Target], login: Login, deadline: Deadline) -> dict[Target, Found]:
        if not login.is_ours:
            error = Unauthenticated(
                "the token is not accepted: it has expired, was revoked, was used up, or never was one",
                hint="log in again",
            )
            return dict.fromkeys(denied, error)
        self._login = None
        try:
            return self._read(denied, self.login(deadline, len(denied)), deadline)
        except AdapterError as error:
            return dict.fromkeys(denied, error)

    def _revoke(self, login: Login, deadline: Deadline) -> None:
        headers = headers_for(login.token.reveal(), self._server.configuration.namespace)
        call = Call("POST", "/v1/auth/token/revoke-self", headers)
        self._server.send([call], deadline=deadline, methods=frozenset({"POST"}))


def _note_the_end(document: Document, login: Login) -> None:
    """Say where a lease is longer than it looks: no lease outlives the token it was made with."""
    if login.is_ours and document.lease and 0 < login.life < document.lease.duration:
        note = f"its lease of {document.lease.duration:.0f} s ends with the login's token, after {login.life:.0f} s"
        document.notes = (*document.notes, note)
