"""The server: calls in, answers out, whichever node gives them. All requests of this adapter go through here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread

from confsvc.adapter import Deadline
from confsvc.errors import AdapterError, ConfsvcError, DeadlineError, ManifestError, Unavailable
from confsvc.http import Answer, Call, Client, Origin, RetryPolicy, object_of, parse_origin
from confsvc_vault.configuration import Configuration
from confsvc_vault.paths import Mount, Target

__all__ = ["Heard", "Server", "headers_for"]

Heard = Answer | AdapterError | DeadlineError

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_POLICY = RetryPolicy()
# A sealed server says 503 as a busy one does, but does not open by itself: so that is asked before trying again.
_NOT_503 = _POLICY._replace(statuses=_POLICY.statuses - {503})


def headers_for(token: str, namespace: str) -> dict[str, str]:
    """Return the headers of a request; either may be empty."""
    headers = {"X-Vault-Request": "true"}
    if token:
        headers["X-Vault-Token"] = token
    if namespace:
        headers["X-Vault-Namespace"] = namespace
    return headers


class Server:
    """A Vault or OpenBao server, or a cluster of them. Making it does no I/O.

    ``described`` is in which mount each secret was described last, for who looks again and again.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.described: dict[Target, Mount] = {}
        self._clients: dict[Origin, Client] = {}

    @property
    def place(self) -> str:
        """Host and port."""
        return self.configuration.origin.place

    def send(
        self, calls: Sequence[Call], *, deadline: Deadline, expect: int = 0, methods: frozenset[str] = _POLICY.methods
    ) -> list[Heard]:
        """Send ``calls`` side by side and return what was heard of each, in order.

        Calls whose method is in ``methods`` may be sent twice. ``expect`` is how many reads come right after these.
        """
        deadline = self._until(deadline)
        policy = _NOT_503._replace(methods=methods)
        heard = self._send(self.configuration.origin, calls, deadline, policy, expect)
        away = [number for number, one in enumerate(heard) if _status(one) in _REDIRECTS]
        for number in away:
            heard[number] = self._follow(calls[number], heard[number], deadline, policy)
        busy = [number for number, one in enumerate(heard) if _status(one) == 503]
        if busy:
            again = self._when_open([calls[number] for number in busy], deadline, methods)
            for number, one in zip(busy, again, strict=True):
                heard[number] = one
        return heard

    @contextmanager
    def connecting(self, deadline: Deadline) -> Iterator[None]:
        """Open a connection while something else is done that takes a while."""
        worker = Thread(target=self._open, args=(deadline,), name="confsvc-connecting", daemon=True)
        worker.start()
        try:
            yield
        finally:
            worker.join(deadline.remaining())

    def _open(self, deadline: Deadline) -> None:
        # The first call comes upon whatever is wrong, and says it.
        with suppress(ConfsvcError):
            self._client(self.configuration.origin).open(deadline=self._until(deadline))

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()

    def _until(self, deadline: Deadline) -> Deadline:
        longest = self.configuration.timeout
        return Deadline(longest, hurried=deadline.hurried) if 0 < longest < deadline.remaining() else deadline

    def _send(
        self, origin: Origin, calls: Sequence[Call], deadline: Deadline, policy: RetryPolicy, expect: int = 0
    ) -> list[Heard]:
        return list(self._client(origin).send(calls, deadline=deadline, retry=policy, expect=expect))

    def _client(self, origin: Origin) -> Client:
        if origin not in self._clients:
            settings = self.configuration
            self._clients[origin] = Client(origin, tls=settings.tls, limit=settings.connections)
        return self._clients[origin]

    def _follow(self, call: Call, heard: Heard, deadline: Deadline, policy: RetryPolicy) -> Heard:
        """Ask the node that the answer names the same again, where it is one of those listed."""
        location = heard.headers.get("location", "") if isinstance(heard, Answer) else ""
        target = _origin_of(location)
        own = self.configuration.origin
        if target is None or target not in self.configuration.redirect_origins:
            where = f"to `{target.scheme}://{target.place}`" if target else "elsewhere"
            return Unavailable(
                f"`{own.place}` sends us {where}, which `redirect_origins` does not list",
                hint="give the address of the active node, or of a load balancer, or list that origin",
            )
        if own.scheme == "https" and target.scheme != "https":
            return Unavailable(f"`{own.place}` sends us from `https` to plain `http`, where no token goes")
        answer = self._send(target, [call], deadline, policy)[0]
        if _status(answer) in _REDIRECTS:
            return Unavailable(f"`{own.place}` sends us to `{target.place}`, which sends us on; one step is followed")
        return answer

    def _when_open(self, calls: Sequence[Call], deadline: Deadline, methods: frozenset[str]) -> list[Heard]:
        origin = self.configuration.origin
        status = self._send(origin, [Call("GET", "/v1/sys/seal-status")], deadline, _NOT_503)[0]
        found = object_of(status) if isinstance(status, Answer) and status.status == 200 else {}
        if found.get("initialized") is False:
            return [Unavailable(f"`{self.place}` is not initialised", hint="bao operator init")] * len(calls)
        if found.get("sealed") is True:
            return [Unavailable(f"`{self.place}` is sealed", hint="bao operator unseal")] * len(calls)
        return self._send(origin, calls, deadline, _POLICY._replace(attempts=3, methods=methods))


def _status(heard: Heard) -> int:
    return heard.status if isinstance(heard, Answer) else 0


def _origin_of(location: str) -> Origin | None:
    scheme, separator, rest = location.partition("://")
    authority = rest.partition("/")[0].partition("?")[0]
    try:
        return parse_origin(f"{scheme}{separator}{authority}", insecure=True)
    except ManifestError:
        return None
