"""What was made together does not come back together: a thousand who started at once spread out by themselves."""

from pathlib import Path

import pytest

from confsvc import adapter
from confsvc.adapter import Document, Lease
from confsvc.fetching import Pool
from confsvc.http.retry import RetryPolicy, wait_before
from confsvc.loading import load_manifest
from confsvc.plan import Plan
from confsvc.reference import parse_reference
from confsvc.resolver import Request, plan_request
from confsvc.testing import MemoryStore
from confsvc.watching.leases import Leases

MANY = 1000
LIFE = 3600.0  # seconds


@pytest.fixture
def plan(tmp_path: Path, confsvc_memory: MemoryStore) -> Plan:
    """A plan to read one document."""
    confsvc_memory.put("doc", {"A": "x"})
    (tmp_path / "confsvc.toml").write_text('[environments.app]\nsources = ["memory://doc"]\n')
    return plan_request(Request(load_manifest(str(tmp_path / "confsvc.toml"))))


def test_leases_that_were_made_together_are_renewed_apart_and_in_time(plan: Plan) -> None:
    now = adapter.lasting_clock()
    document = Document({"A": "x"}, lease=Lease("id", LIFE, renewable=True))
    due = []
    for _ in range(MANY):
        leases = Leases(plan, Pool())
        leases.take({parse_reference("memory://doc"): document}, now)
        due.append(leases.due() - now)
    assert max(due) <= LIFE * 2 / 3
    assert min(due) >= LIFE / 2
    assert busiest(due, 10.0) < MANY / 10


def test_tries_that_failed_together_are_repeated_apart() -> None:
    policy = RetryPolicy()
    waits = [wait_before(3, policy) for _ in range(MANY)]
    assert busiest(waits, 0.01) < MANY / 10


def busiest(moments: list[float], seconds: float) -> int:
    """Return how many of ``moments`` are within the same ``seconds``, at most."""
    places = [int(moment / seconds) for moment in moments]
    return max(places.count(place) for place in set(places))
