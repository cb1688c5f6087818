"""What the agent answers: a path in, bytes out; or nothing yet, where it is worth waiting for."""

from collections.abc import Mapping
from json import dumps
from typing import NamedTuple

from confsvc.adapter import lasting_clock
from confsvc.agent.engine import Engine, State
from confsvc.agent.log import Log
from confsvc.agent.metrics import Metrics

__all__ = ["Asked", "Pages", "Reply", "refuse"]

_WAITS = 10.0  # seconds that somebody waits for a first set, or for a look at what may be new
_LONGEST = 300.0  # seconds that somebody may wait for the next set
_JSON = "application/json"


class Reply(NamedTuple):
    """An answer. ``outage`` is for how many seconds stores have not answered, -1 where they do."""

    status: int
    body: bytes
    kind: str = _JSON
    outage: int = -1


class Asked(NamedTuple):
    """A question, and when it came, on the lasting clock. ``who`` is who asks, for the log."""

    method: str
    path: str
    query: Mapping[str, str]
    at: float
    who: Mapping[str, object]
    needs_files: bool = False
    ends: float = 0.0


class Pages:
    """Answers from what the engine has."""

    def __init__(self, engine: Engine, metrics: Metrics, log: Log) -> None:
        self._engine = engine
        self._metrics = metrics
        self._log = log

    def take(self, method: str, path: str, query: Mapping[str, str], who: Mapping[str, object]) -> Asked:
        """Return a question that has just come."""
        now = lasting_clock()
        needs_files = path == "/v1/settings" and self._engine.state.has_changed_files()
        if needs_files:
            self._engine.look(local=True)
        wait = _number(query.get("wait")) if "after" in query else None
        ends = now + (_WAITS if wait is None else min(wait, _LONGEST))
        return Asked(method, path, query, now, who, needs_files, ends)

    def answer(self, asked: Asked) -> Reply | None:
        """Return the answer; None where there is none yet. After ``asked.ends`` there always is one."""
        state = self._engine.state
        if asked.method not in {"GET", "HEAD"}:
            return refuse(405, "method", "only GET and HEAD are answered")
        if asked.path in {"/healthz", "/readyz"}:
            return _json(*self.health(asked.path))
        if asked.path == "/metrics":
            return Reply(200, self._metrics.text(self._engine).encode(), "text/plain; version=0.0.4; charset=utf-8")
        what = asked.path.removeprefix("/v1/")
        if what not in {"settings", "documents", "versions"} or what == asked.path:
            return refuse(404, "path", "there is no such page; /v1/settings is one")
        reply = self._set(what, asked, state)
        if reply is not None:
            self._metrics.answered(what, reply.status)
            if self._log.is_verbose:  # most are not, and this is asked very often
                self._log.debug("answered", page=what, status=reply.status, **asked.who)
        return reply

    def _set(self, what: str, asked: Asked, state: State) -> Reply | None:
        is_over = lasting_clock() >= asked.ends
        snapshot = state.snapshot
        if self._engine.failure is None and snapshot is not None and not is_over and self._is_too_old(asked, state):
            return None
        if self._engine.failure is not None or state.refusal:
            message = "the agent has no settings that it may hand out; its log says why"
            return refuse(503, state.refusal or "stopping", message)
        if snapshot is None:
            return refuse(503, "starting", "the agent has no settings yet") if is_over else None
        wrong = _mismatch(asked.query, snapshot.environment, snapshot.identity, is_default=snapshot.is_default)
        if wrong:
            if wrong.status == 409:  # noqa: PLR2004 - it has no name here
                self._engine.look(local=True)  # the manifest may have changed
                self._log.warning("refused", reason="another manifest or environment", **asked.who)
            return wrong
        if asked.query.get("after") == str(snapshot.generation):
            return Reply(304, b"") if is_over else None
        outage = int(lasting_clock() - state.read_at) if state.outage else -1
        if outage > snapshot.limit:
            return refuse(503, "unavailable", "the stores have not answered for too long")
        return Reply(200, snapshot.pages[what], outage=outage)

    def _is_too_old(self, asked: Asked, state: State) -> bool:
        """Whether what there is was not looked at recently enough; then the engine is told."""
        if asked.needs_files and state.local_at < asked.at:
            self._engine.look(local=True)
            return True
        max_age = _number(asked.query.get("max_age"))
        if max_age is None or max(state.read_at, state.looked_at) >= asked.at - max_age:
            return False
        self._engine.look()
        return True

    def health(self, path: str) -> tuple[int, dict[str, object]]:
        """Return the status and the content of ``/healthz`` or ``/readyz``."""
        state = self._engine.state
        if path == "/healthz":
            is_stuck = self._engine.is_stuck()
            return 503 if is_stuck else 200, {"status": "stuck" if is_stuck else "alive"}
        is_ready = state.snapshot is not None and not state.refusal
        notes = {"outage": state.outage, "refused": state.refusal == "refused"}
        return 200 if is_ready else 503, {"status": "ready" if is_ready else "starting", **notes}


def _mismatch(query: Mapping[str, str], environment: str, identity: str, *, is_default: bool) -> Reply | None:
    """Return what to say to somebody who wants the settings of something else; None where these are the ones."""
    for name in ("max_age", "wait"):
        if name in query and _number(query[name]) is None:
            return refuse(400, "query", f"`{name}` takes a number of seconds")
    asked = query.get("environment")
    if asked is not None and not (asked == environment or (not asked and is_default)):
        return refuse(409, "environment", "the agent serves another environment")
    if query.get("identity", identity) != identity:
        return refuse(409, "manifest", "the agent serves another manifest, or another version of it")
    return None


def _number(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if 0 <= found < float("inf") else None


def _json(status: int, data: Mapping[str, object]) -> Reply:
    return Reply(status, dumps(data).encode() + b"\n")


def refuse(status: int, code: str, message: str) -> Reply:
    """Return an answer that says no."""
    return _json(status, {"error": {"code": code, "message": message}})
