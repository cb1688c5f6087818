"""Parts of the agent by themselves: what of a document is handed out, and when a store is left alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from confsvc.adapter import Document, Lease
from confsvc.agent import guard
from confsvc.agent.documents import declared_names, shared_documents
from confsvc.agent.guard import Breaker, Guard
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
