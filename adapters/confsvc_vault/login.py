"""Becoming somebody: a token that was given, or one that a login brings."""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from confsvc.adapter import Backend, Deadline, lasting_clock
from confsvc.errors import ConfsvcError, Unauthenticated, Unavailable
from confsvc.http import Answer, Call, number_of, object_of, table_of
from confsvc.secret import Secret
from confsvc_vault.auth import Auth
from confsvc_vault.errors import of_login
from confsvc_vault.hvac_session import hvac_client, last_status
from confsvc_vault.methods import log_in
from confsvc_vault.server import Server, headers_for
from confsvc_vault.tokens import checked_token, given_token

__all__ = ["Login", "become", "renew_login"]


class Login(NamedTuple):
    """Who we are.

    ``is_ours``: the token was made for this process. ``life`` is its own in seconds, zero if it has no end that we know
    of; ``since`` is when that was said, on the lasting clock.
    """

    token: Secret[str]
    who: str
    is_ours: bool
    is_revocable: bool = False
    is_renewable: bool = False
    life: float = 0.0
    since: float = 0.0

    @property
    def left(self) -> float:
        """How many seconds it still lives."""
        return max(0.0, self.since + self.life - lasting_clock()) if self.life else inf

    @property
    def is_old(self) -> bool:
        """Whether two thirds of its life are over."""
        return self.left < self.life / 3


def become(backend: Backend, server: Server, deadline: Deadline, expect: int) -> Login:
    """Log in, or take the token that was given. ``expect`` is how many reads follow.

    Raises:
        Unauthenticated: there is no token, or nothing to log in with, or the server refuses it.
        ConfsvcError: whatever else a request can come to.

    """
    auth = Auth(backend)
    if auth.method == "token":
        return _given(backend, via_agent=server.configuration.via_agent)
    began = lasting_clock()
    answer = _sent(auth, server, deadline, expect)
    found = answer.get("auth") if isinstance(answer, Mapping) else None
    token = found.get("client_token") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not isinstance(token, str) or not token:
        raise Unavailable(f"{_name(auth)}: the answer holds no token")
    life = found.get("lease_duration")
    return Login(
        Secret(checked_token(token)),
        f"role `{auth.role}`" if auth.role else f"the login with `{auth.method}`",
        is_ours=True,
        is_revocable=found.get("token_type") != "batch",
        is_renewable=found.get("renewable") is True,
        life=float(life) if isinstance(life, int) else 0.0,
        since=began,
    )


def renew_login(login: Login, server: Server, deadline: Deadline) -> Login:
    """Return ``login`` with the life that the server grants it once more, as it is where that is none."""
    began = lasting_clock()
    headers = headers_for(login.token.reveal(), server.configuration.namespace)
    call = Call("POST", "/v1/auth/token/renew-self", headers, b"{}")
    answer = server.send([call], deadline=deadline, methods=frozenset({"POST"}))[0]
    if not isinstance(answer, Answer) or answer.status != 200:
        return login
    found = table_of(object_of(answer), "auth")
    life = float(number_of(found.get("lease_duration")))
    return login._replace(life=life, since=began, is_renewable=found.get("renewable") is True) if life else login


def _given(backend: Backend, *, via_agent: bool) -> Login:
    token = given_token(backend)
    if not token and not via_agent:
        raise Unauthenticated(
            "there is no token",
            hint="set VAULT_TOKEN, run `vault login`, or say `auth = { method = … }` in the backend's table",
        )
    return Login(Secret(token), "this token" if token else "the agent", is_ours=False)


def _sent(auth: Auth, server: Server, deadline: Deadline, expect: int) -> object:
    wrapped = auth.switch("secret_id_wrapped")
    with server.connecting(deadline):  # as importing hvac takes longer than that
        client = hvac_client(
            server,
            deadline,
            namespace=server.configuration.namespace,
            expect=expect,
            again=not wrapped,  # a login makes one more token at worst; a wrapping token opens only once
        )
    answer: object = None
    failure: ConfsvcError | None = None
    try:
        answer = log_in(client, auth, deadline)
    except ConfsvcError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - of hvac or requests: their texts may hold what was sent
        failure = of_login(error, _name(auth), last_status(client), hint=_advice(auth, wrapped=wrapped))
    if failure is not None:
        raise failure.with_traceback(None)
    return answer


def _name(auth: Auth) -> str:
    role = f" as `{auth.role}`" if auth.role else ""
    return f"the login with `{auth.method}`{role} at `auth/{auth.mount}`"


def _advice(auth: Auth, *, wrapped: bool) -> str:
    if wrapped:
        return "the wrapping token may have been used already: if not by you, somebody else has the secret id"
    return {
        "approle": "are `role_id` and `secret_id` right, and is the secret id still valid?",
        "kubernetes": "does the role allow this service account and namespace, and does the token have its audience?",
        "jwt": "do issuer, audience, subject and expiry of the token fit the role?",
        "cert": "does a role trust the certificate in `cert_file`?",
    }.get(auth.method, "")
