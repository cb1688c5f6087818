"""A store with replicas: one that lags behind does not bring back what was replaced."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from confsvc import registry
from confsvc.adapter import Deadline, Description, Document, Outcome
from confsvc.errors import AdapterError
from confsvc.fetching import Pool
from confsvc.loading import load_manifest
from confsvc.reference import Reference
from confsvc.resolver import Request, plan_request
from confsvc.testing import MemoryAdapter
from confsvc.watching.reader import Reader
from confsvc.watching.upstream import Direct

MANIFEST = '[settings]\nA = {}\n[environments.app]\nsources = ["memory://doc"]\n'


class Replicas(MemoryAdapter):
    """Answers what its replicas have: how the document is described, and what is read then."""

    described: ClassVar[str] = "5"
    read: ClassVar[str] = "5"

    def describe(
        self, references: Sequence[Reference], *, deadline: Deadline
    ) -> Mapping[Reference, Description | AdapterError]:
        """Describe the version of the replica that is asked."""
        del deadline
        return {reference: Description(self.described) for reference in references}

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        """Read the version of the replica that is asked."""
        del deadline
        return {reference: Document({"A": f"value {self.read}"}, version=self.read) for reference in references}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader that has seen version 5."""
    registry.register("memory", Replicas)
    (tmp_path / "confsvc.toml").write_text(MANIFEST)
    plan = plan_request(Request(load_manifest(str(tmp_path / "confsvc.toml"))))
    pool = Pool(keeps=True)
    made = Reader(plan, pool, Direct(plan, pool))
    Replicas.described = Replicas.read = "5"
    made.read(plan.documents, 1.0)
    yield made
    registry.unregister("memory")


def look(reader: Reader) -> str:
    """Look once, as the watcher does, and return the version that stands then."""
    reader.read(reader.moved(1.0), 1.0)
    (seen,) = reader.seen.values()
    assert isinstance(seen, Document)
    assert not reader.failing
    return seen.version


def test_a_replica_that_lags_for_a_moment_brings_nothing_back(reader: Reader) -> None:
    stands = []
    for described, read in [("4", "4"), ("5", "5"), ("4", "5"), ("6", "4"), ("6", "6"), ("5", "5"), ("6", "6")]:
        Replicas.described, Replicas.read = described, read
        stands.append(look(reader))
    assert stands == ["5", "5", "5", "5", "6", "6", "6"]


def test_a_store_that_was_set_back_is_believed_at_the_second_look(reader: Reader) -> None:
    Replicas.described = Replicas.read = "1"
    assert [look(reader) for _ in range(3)] == ["5", "1", "1"]


def test_versions_without_an_order_are_taken_as_they_come(reader: Reader) -> None:
    Replicas.described = Replicas.read = "a1b2"
    assert look(reader) == "a1b2"
    Replicas.described = Replicas.read = "0f"
    assert look(reader) == "0f"
