"""Parts of the agent by themselves: what of a document is handed out, and when a store is left alone."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from confsvc.adapter import Document, Lease, lasting_clock
from confsvc.agent import guard, pages
from confsvc.agent.documents import declared_names, shared_documents
from confsvc.agent.engine import State
from confsvc.agent.guard import Breaker, Guard
from confsvc.agent.log import Log
from confsvc.agent.metrics import Metrics
from confsvc.agent.pages import Pages, Reply
from confsvc.agent.snapshot import Snapshot
from confsvc.errors import Denied, NotFound, Throttled, Unavailable
from confsvc.fetching import Described, Fetched
from confsvc.loading import load_manifest
from confsvc.outcomes import decode
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.resolver import Request, plan_request

MANIFEST = """
[settings]
USER = {}
PASSWORD = {}
WHOLE = { type = "json" }
DEEP = {}
[environments.production]
sources = ["vault://secret/all", "dotenv://.env"]
[environments.production.values]
PASSWORD = "${vault://secret/named#password}"
DEEP = "${vault://secret/named#/a~1b/0}"
WHOLE = "${vault://secret/whole}"
"""
ALL, NAMED, WHOLE = (Reference("vault", f"secret/{name}") for name in ("all", "named", "whole"))


def plan_of(folder: Path, text: str = MANIFEST) -> Plan:
    (folder / "confsvc.toml").write_text(text)
    return plan_request(Request(load_manifest(str(folder / "confsvc.toml"))))


def handed_out(plan: Plan, seen: Mapping[Reference, Any]) -> dict[str, Any]:
    env = {r: Document({}) for r in plan.documents if r not in seen}
    return {name: decode(one) for name, one in shared_documents(plan, {**env, **seen}).items()}


def content(document: Any) -> object:
    assert isinstance(document, Document)
    return document.content.reveal()


def test_of_a_document_only_what_somebody_has_declared_is_handed_out(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    seen = {
        ALL: Document({"user": "u", "password": "p", "other": "hidden", "OTHER": "hidden"}),
        NAMED: Document('{"password": "p", "a/b": ["x"], "other": "hidden", "number": 1.10}'),
        WHOLE: Document({"anything": "x"}, version="3"),
    }
    found = handed_out(plan, seen)
    assert content(found["vault://secret/all"]) == {"user": "u", "password": "p"}
    assert content(found["vault://secret/named"]) == {"password": "p", "a/b": ["x"]}
    assert content(found["vault://secret/whole"]) == {"anything": "x"}
    assert found["vault://secret/whole"].version == "3"
    assert set(found) == {"vault://secret/all", "vault://secret/named", "vault://secret/whole"}  # no file


def test_what_has_a_lease_is_for_whoever_reads_it(tmp_path: Path) -> None:
    leased = Document({"password": "p"}, lease=Lease("id", 60.0, renewable=True))
    assert "vault://secret/named" not in handed_out(plan_of(tmp_path), {NAMED: leased})


def test_an_absence_is_handed_out_as_one(tmp_path: Path) -> None:
    found = handed_out(plan_of(tmp_path), {ALL: NotFound("gone")})
    assert isinstance(found["vault://secret/all"], NotFound)


def test_where_nothing_is_declared_everything_is_meant(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, '[environments.production]\nsources = ["vault://secret/all"]\n')
    assert declared_names(plan) is None
    assert content(handed_out(plan, {ALL: Document({"a": "1"})})["vault://secret/all"]) == {"a": "1"}


class Store:
    """What is behind a guard."""

    def __init__(self) -> None:
        self.outcome: Any = Document("x")
        self.asked = 0

    def fetch(self, references: Sequence[Reference], timeout: float, max_age: float) -> Fetched:
        del timeout, max_age
        self.asked += 1
        return dict.fromkeys(references, self.outcome)

    def describe(self, references: Sequence[Reference], timeout: float, max_age: float) -> Described:
        return self.fetch(references, timeout, max_age)  # type: ignore[return-value]

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(guard, "lasting_clock", lambda: now[0])
    return now


def test_a_store_that_is_silent_is_left_alone_then_asked_once_and_asked_again_when_it_answers(
    clock: list[float],
) -> None:
    store = Store()
    breakers: dict[str, Breaker] = {}
    asking = Guard(store, breakers)
    store.outcome = Unavailable("refused")
    for _ in range(3):
        asking.fetch([ALL], 1.0, 0.0)
    assert (store.asked, breakers["vault"].is_open) == (3, True)
    assert isinstance(asking.fetch([ALL], 1.0, 0.0)[ALL], Unavailable)
    assert isinstance(asking.describe([ALL], 1.0, 0.0)[ALL], Unavailable)
    assert store.asked == 3
    clock[0] += 3.0
    asking.fetch([ALL], 1.0, 0.0)
    asking.fetch([ALL], 1.0, 0.0)
    assert store.asked == 4  # one probe, which failed
    clock[0] += 10.0
    store.outcome = Document("x")
    for _ in range(3):
        assert isinstance(asking.fetch([ALL], 1.0, 0.0)[ALL], Document)
    assert (store.asked, breakers["vault"].is_open) == (7, False)


def test_an_answer_is_an_answer_also_where_it_is_no(clock: list[float]) -> None:
    del clock
    store = Store()
    store.outcome = Denied("no")
    breakers: dict[str, Breaker] = {}
    for _ in range(10):
        Guard(store, breakers).fetch([ALL], 1.0, 0.0)
    assert (store.asked, breakers["vault"].is_open) == (10, False)


def test_one_store_that_is_down_keeps_nobody_from_another(clock: list[float]) -> None:
    del clock
    other = Reference("aws-sm", "shop")
    store = Store()
    asking = Guard(store, {})
    store.outcome = Unavailable("refused")
    for _ in range(4):
        asking.fetch([ALL], 1.0, 0.0)
    store.outcome = Document("x")
    found = asking.fetch([ALL, other], 1.0, 0.0)
    assert isinstance(found[other], Document)
    assert isinstance(found[ALL], Unavailable)


def test_nobody_is_asked_more_often_than_the_budget_has_it(clock: list[float]) -> None:
    store = Store()
    asking = Guard(store, {})
    outcomes = [asking.fetch([ALL], 1.0, 0.0)[ALL] for _ in range(100)]
    assert store.asked == 30
    assert isinstance(outcomes[-1], Throttled)
    clock[0] += 10.0
    for _ in range(100):
        asking.fetch([ALL], 1.0, 0.0)
    assert store.asked == 35


class Engine:
    """As much of an engine as pages ask for."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.failure = None
        self.looks: list[bool] = []
        self.breakers: dict[str, Breaker] = {}
        self.reloads = {"ok": 0}

    def look(self, *, local: bool = False) -> None:
        self.looks.append(local)

    def is_stuck(self) -> bool:
        return False


def pages_of(state: State) -> Pages:
    return Pages(Engine(state), Metrics(), Log(quiet=True))  # type: ignore[arg-type]


def snapshot() -> Snapshot:
    return Snapshot(1, "production", "id", True, 2, 3600.0, {"settings": b"{}", "documents": b"{}", "versions": b"{}"})


def answer(served: Pages, path: str = "/v1/settings", **query: str) -> Reply | None:
    return served.answer(served.take("GET", path, query, {}))


def test_what_stands_in_for_a_store_has_an_age_and_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5000.0]
    monkeypatch.setattr(pages, "lasting_clock", lambda: now[0])
    served = pages_of(State(snapshot(), outage=True, read_at=5000.0, looked_at=5000.0))
    for seconds, status, outage in ((0.0, 200, 0), (3600.0, 200, 3600), (3601.0, 503, -1)):
        now[0] = 5000.0 + seconds
        found = answer(served)
        assert found is not None
        assert (found.status, found.outage) == (status, outage)


@pytest.mark.parametrize("jump", [-365 * 86400.0, -300.0, 300.0, 365 * 86400.0])
def test_a_clock_that_somebody_sets_makes_nothing_older_or_newer(monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    wall = time.time()
    now = lasting_clock()
    served = pages_of(State(snapshot(), outage=True, read_at=now - 60.0, looked_at=now))
    monkeypatch.setattr(time, "time", lambda: wall + jump)
    found = answer(served)
    assert found is not None
    assert (found.status, found.outage in range(60, 70)) == (200, True)
    assert answer(served, max_age="30") is not None


def test_who_wants_it_newer_waits_until_it_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5000.0]
    monkeypatch.setattr(pages, "lasting_clock", lambda: now[0])
    engine = Engine(State(snapshot(), read_at=4000.0, looked_at=4000.0))
    served = Pages(engine, Metrics(), Log(quiet=True))  # type: ignore[arg-type]
    asked = served.take("GET", "/v1/documents", {"max_age": "1"}, {})
    assert served.answer(asked) is None
    assert engine.looks == [False]
    engine.state = State(snapshot(), read_at=5000.5, looked_at=5000.5)
    found = served.answer(asked)
    assert found is not None
    assert found.status == 200


def test_who_waits_for_a_first_set_is_sent_on_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5000.0]
    monkeypatch.setattr(pages, "lasting_clock", lambda: now[0])
    served = pages_of(State())
    asked = served.take("GET", "/v1/settings", {}, {})
    assert served.answer(asked) is None
    now[0] = asked.ends
    found = served.answer(asked)
    assert found is not None
    assert found.status == 503
