"""The client: many calls to one origin, side by side, before one deadline."""

from collections.abc import Sequence

from confsvc._version import __version__
from confsvc.adapter import Deadline
from confsvc.errors import AdapterError, DeadlineError
from confsvc.http.exchange import Exchange
from confsvc.http.messages import Answer, Call
from confsvc.http.origin import Origin
from confsvc.http.pool import Pool
from confsvc.http.retry import RetryPolicy
from confsvc.http.sending import Sending
from confsvc.http.tls import Tls

__all__ = ["Client"]

_POLICY = RetryPolicy()


class Client:
    """A client of one origin. Making it does no I/O; it is used by one thread at a time.

    ``limit`` is how many connections it has open at most, ``depth`` how many reads share one before its answers are
    in (1 turns that off). Connections are kept between calls of `send`, but not across a fork.
    """

    __slots__ = ("_depth", "_limit", "_origin", "_pool", "_user_agent")

    def __init__(
        self,
        origin: Origin,
        *,
        tls: Tls = Tls(),  # noqa: B008 - a named tuple cannot change
        limit: int = 16,
        user_agent: str = f"confsvc/{__version__}",
        depth: int = 8,
    ) -> None:
        self._origin = origin
        self._pool = Pool(origin, tls)
        self._limit, self._depth, self._user_agent = max(1, limit), max(1, depth), user_agent

    def send(
        self, calls: Sequence[Call], *, deadline: Deadline, retry: RetryPolicy = _POLICY, expect: int = 0
    ) -> list[Answer | AdapterError | DeadlineError]:
        """Send ``calls`` side by side and return the outcome of each, in the same order, by ``deadline``.

        An answer is any whole one, whatever its status says, redirects included. Where there is none it is
        `Unavailable` (nobody there, not believed, not whole), `Throttled` (asked to wait longer than there is time),
        `Malformed` (the call itself cannot be written as HTTP), or `DeadlineError` (silence). These are returned, not
        raised.

        ``expect`` is how many reads come right after these, where that is known, as after a login: connections for
        them are opened while these calls are on their way.

        Raises:
            ManifestError: a file with certificates cannot be used.

        """
        exchanges = [Exchange(call, self._origin, retry, deadline) for call in calls]
        Sending(
            self._pool, self._origin, deadline, limit=self._limit, depth=self._depth, user_agent=self._user_agent
        ).run(exchanges, expect=expect)
        return [exchange.outcome for exchange in exchanges]

    def open(self, *, deadline: Deadline) -> None:
        """Open a connection for the first call to find, by ``deadline``. Where that fails, the call will say why.

        Raises:
            ManifestError: a file with certificates cannot be used.

        """
        Sending(
            self._pool, self._origin, deadline, limit=self._limit, depth=self._depth, user_agent=self._user_agent
        ).open()

    def close(self) -> None:
        """Close the connections. A client that is used again opens new ones."""
        self._pool.close()
