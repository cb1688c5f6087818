"""Being logged in at a server, for as long as a resolution takes, or as somebody watches."""

from collections.abc import Sequence

from confsvc.adapter import Backend, Deadline, Document, Lease
from confsvc.errors import AdapterError, DeadlineError, Denied, Unauthenticated
from confsvc.http import Answer, Call
from confsvc_vault.login import Login
from confsvc_vault.logins import Logins
from confsvc_vault.paths import Target
from confsvc_vault.reading import Found, read_targets
from confsvc_vault.server import Server, headers_for

__all__ = ["Session"]

_FAREWELL = 1.0  # seconds for giving the token back: long for a server that is well

# What every token may ask, the first even without the policy `default`, and the second where `sys` is out of reach.
_MIRRORS = ("/v1/sys/internal/ui/mounts", "/v1/auth/token/lookup-self")


class Session:
    """A login, made when it is first needed and kept alive, and what is done with it."""

    def __init__(self, backend: Backend, server: Server) -> None:
        self._server = server
        self._logins = Logins(backend, server)

    @property
    def server(self) -> Server:
        """Where we are logged in."""
        return self._server

    def login(self, deadline: Deadline, expect: int = 0) -> Login:
        """Return who we are. Raises what `become` does."""
        return self._logins.current(deadline, expect)

    def read(self, targets: Sequence[Target], deadline: Deadline) -> dict[Target, Found]:
        """Return the outcome of each of ``targets``. Where our token has died, log in once more, and read again."""
        login = self.login(deadline, len(targets))
        found = self._read(targets, login, deadline)
        denied = [target for target, outcome in found.items() if isinstance(outcome, Denied)]
        if denied and not self._is_alive(login, deadline):
            found.update(self._once_more(denied, login, deadline))
        return found

    def renew(self, lease: Lease, deadline: Deadline) -> Lease | AdapterError | DeadlineError:
        """Ask for as much time again as ``lease`` was given, and return what is granted, which may be less."""
        from confsvc_vault.leases import renew_lease

        login = self._logins.current(deadline, needed=lease.duration)  # first, as no lease outlives it
        renewed = renew_lease(self._server, lease, login.token.reveal(), deadline)
        return self._logins.limited(renewed) if isinstance(renewed, Lease) else renewed

    def release(self, deadline: Deadline) -> None:
        """End the leases that were read here, and our logins."""
        from confsvc_vault.leases import revoke_lease

        for lease in self._logins.leases_of_others():
            revoke_lease(self._server, Lease(lease, 0.0, renewable=False), self._token(deadline), deadline)
        self._logins.give_back(deadline)

    def close(self, deadline: Deadline | None) -> None:
        """Give a token that was made for us back, unless a lease ends with it. Says nothing where that fails."""
        if deadline and not self._logins.have_leases:
            # If it cannot be revoked now it ends by itself soon, and what was read with it is good.
            self._logins.give_back(Deadline(min(_FAREWELL, deadline.remaining())))
        self._server.close()

    def _token(self, deadline: Deadline) -> str:
        return self.login(deadline).token.reveal()

    def _read(self, targets: Sequence[Target], login: Login, deadline: Deadline) -> dict[Target, Found]:
        found = read_targets(self._server, targets, login, deadline, is_alive=lambda: self._is_alive(login, deadline))
        self._logins.note_leases([one for one in found.values() if isinstance(one, Document)], login)
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
        self._logins.forget()
        try:
            return self._read(denied, self.login(deadline, len(denied)), deadline)
        except AdapterError as error:
            return dict.fromkeys(denied, error)
