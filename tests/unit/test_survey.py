"""Surveying several environments: in one pass, each on its own, what they share once, and no value in what is told."""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from confsvc import registry
from confsvc.adapter import Backend, Deadline, Document, Lease, Outcome, on_progress
from confsvc.errors import Denied, ManifestError, OutputError, Unavailable, UnknownEnvironmentError, UsageError
from confsvc.loading import load_manifest
from confsvc.overview.survey import PROBLEMS, Surveyed, survey
from confsvc.reference import Reference
from confsvc.resolver import Request
from confsvc.schema import Setting, TableSchema
from confsvc.testing import find_leaks
from confsvc.testing.memory import MemoryAdapter, MemoryStore

CANARY = "cnry-3d70"

STATES = """
[settings]
URL = { secret = true }
PORT = { type = "int", default = 8080 }
LEVEL = { required = false }
MODE = {}
[environments.one]
sources = ["memory://{environment}", "memory://common"]
[environments.two]
sources = ["memory://{environment}", "memory://common"]
"""


def look(folder: Path, text: str, *names: str, **options: Any) -> dict[str, Surveyed]:
    """Survey the environments ``names`` of a manifest, all of them without any."""
    (folder / "confsvc.toml").write_text(text)
    manifest = load_manifest(str(folder / "confsvc.toml"))
    request = Request(manifest, **{"environ": {}, **options})
    return {found.environment: found for found in survey(request, names or manifest.environments)}


def states(found: Surveyed) -> dict[str, str]:
    """Return the state of each setting."""
    return {name: standing.state for name, standing in found.settings.items()}


@pytest.fixture
def store(confsvc_memory: MemoryStore) -> MemoryStore:
    """A store in which `one` is complete, and `two` is not."""
    confsvc_memory.put("common", {"MODE": "fast"}, version="7")
    confsvc_memory.put("one", {"URL": CANARY})
    confsvc_memory.put("two", {"PORT": CANARY})
    return confsvc_memory


def test_each_setting_has_a_state_and_an_origin_in_each_environment(tmp_path: Path, store: MemoryStore) -> None:
    found = look(tmp_path, STATES)
    assert states(found["one"]) == {"URL": "present", "PORT": "default", "LEVEL": "absent", "MODE": "present"}
    assert states(found["two"]) == {"URL": "missing", "PORT": "invalid", "LEVEL": "absent", "MODE": "present"}
    mode = found["two"].settings["MODE"]
    assert (mode.layer, mode.reference, mode.version) == ("source", "memory://common", "7")
    assert mode.read_at
    assert found["one"].error is None
    assert [problem.name for problem in found["two"].problems] == ["URL", "PORT"]
    assert {name for name, standing in found["two"].settings.items() if standing.state in PROBLEMS} == {"URL", "PORT"}
    assert store.reads == {"one": 1, "two": 1, "common": 1}


def test_what_is_told_of_a_setting_holds_no_value(tmp_path: Path, store: MemoryStore) -> None:
    del store
    found = look(tmp_path, STATES)
    told = [repr((one.settings, one.problems)) for one in found.values()]
    assert find_leaks(CANARY, told, [one.error for one in found.values() if one.error]) == []


def test_environments_come_in_the_order_asked_for(tmp_path: Path, store: MemoryStore) -> None:
    del store
    assert list(look(tmp_path, STATES, "two", "one")) == ["two", "one"]


def test_one_that_cannot_be_read_hides_no_other(tmp_path: Path, store: MemoryStore) -> None:
    store.fail("two", Denied("no"))
    found = look(tmp_path, STATES)
    assert found["one"].error is None
    assert states(found["two"]) == dict.fromkeys(("URL", "PORT", "LEVEL", "MODE"), "unreadable") | {"MODE": "present"}
    assert {problem.code for problem in found["two"].problems} == {"denied"}


def test_the_process_environment_and_what_is_given_are_overriding(tmp_path: Path, store: MemoryStore) -> None:
    del store
    options = {"environ": {"URL": "u"}, "given": {"PORT": "1"}}
    assert states(look(tmp_path, STATES, **options)["two"])["URL"] == "overridden"
    found = states(look(tmp_path, STATES, override=True, **options)["two"])
    assert (found["URL"], found["PORT"]) == ("missing", "overridden")


class Counted(MemoryAdapter):
    """The memory store, whose adapters are counted: each would log in."""

    options: ClassVar[Mapping[str, Mapping[str, object]]] = {"address": {"type": "string"}}
    made: ClassVar[list[str]] = []

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        self.made.append(self._name)
        return super().fetch(references, deadline=deadline)


BACKENDS = """
[settings]
MODE = {}
[backends.m]
adapter = "memory"
[environments.one]
sources = ["m://common"]
[environments.two]
sources = ["m://common"]
[environments.three]
sources = ["m://common"]
backends.m.address = "another"
"""


def test_one_configuration_of_a_backend_is_one_login_for_all(tmp_path: Path, store: MemoryStore) -> None:
    registry.register("memory", Counted)
    Counted.made.clear()
    found = look(tmp_path, BACKENDS)
    assert [states(one) for one in found.values()] == [{"MODE": "present"}] * 3
    assert len(Counted.made) == 2
    assert store.reads == {"common": 2}


class Odd(MemoryAdapter):
    """The memory store, with paths that do not work."""

    release: ClassVar[threading.Event]
    barrier: ClassVar[threading.Barrier]
    options: ClassVar[Mapping[str, Mapping[str, object]]] = {key: {"type": "string"} for key in ("kind", "of")}

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._kind = backend.options.get("kind")
        if self._kind == "bug":
            raise RuntimeError(CANARY)

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        if self._kind == "hangs":
            self.release.wait(60)
        if self._kind == "meets":
            self.barrier.wait(20)
        return super().fetch(references, deadline=deadline)


def odd(**kinds: str) -> str:
    """Return a manifest with an environment for each of ``kinds``."""
    text = '[settings]\nMODE = {}\n[backends.m]\nadapter = "memory"\n'
    for name, kind in kinds.items():
        text += f'[environments.{name}]\nsources = ["m://common"]\nbackends.m.kind = "{kind}"\n'
    return text


def test_one_that_hangs_holds_up_nobody_that_was_asked_for_before_it(tmp_path: Path, store: MemoryStore) -> None:
    del store
    registry.register("memory", Odd)
    Odd.release = threading.Event()
    (tmp_path / "confsvc.toml").write_text(odd(good="", bad="hangs", fine="other"))
    request = Request(load_manifest(str(tmp_path / "confsvc.toml")), timeout=3)
    found = survey(request, ["good", "bad", "fine"])
    assert states(next(found)) == {"MODE": "present"}
    assert [states(one) for one in found] == [{"MODE": "unreadable"}, {"MODE": "present"}]
    Odd.release.set()


def test_environments_are_read_at_the_same_time(tmp_path: Path, store: MemoryStore) -> None:
    del store
    registry.register("memory", Odd)
    Odd.barrier = threading.Barrier(2)
    found = look(
        tmp_path, odd(one="meets", two="meets", three="").replace('"meets"', '"meets"\nbackends.m.of = "1"', 1)
    )
    assert [states(one) for one in found.values()] == [{"MODE": "present"}] * 3


def test_a_bug_of_an_adapter_fails_its_environment_alone(tmp_path: Path, store: MemoryStore) -> None:
    del store
    registry.register("memory", Odd)
    found = look(tmp_path, odd(good="", bad="bug"))
    assert states(found["good"]) == {"MODE": "present"}
    assert [problem.code for problem in found["bad"].problems] == ["internal"]
    assert find_leaks(CANARY, found["bad"].error) == []


def test_an_environment_that_makes_no_plan_is_told_beside_the_others(tmp_path: Path, store: MemoryStore) -> None:
    del store
    manifest = '[environments.one]\nvalues = { NOPE = "x" }\n[environments.two]\nsources = ["memory://common"]\n'
    found = look(tmp_path, manifest, schema=TableSchema([Setting("MODE")]))
    assert isinstance(found["one"].error, ManifestError)
    assert found["one"].plan is None
    assert states(found["two"]) == {"MODE": "present"}


def test_what_nobody_can_mean_is_told_before_anything_is_read(tmp_path: Path, store: MemoryStore) -> None:
    with pytest.raises(UnknownEnvironmentError):
        look(tmp_path, STATES, "one", "three")
    with pytest.raises(UsageError):
        look(tmp_path, STATES, given={"NOPE": ""})
    assert not store.reads


class Leasing(MemoryAdapter):
    """Documents with leases."""

    released: ClassVar[list[str]] = []

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        del deadline
        return {r: Document({"MODE": "x"}, lease=Lease("id", 60, renewable=True)) for r in references}

    def release(self, *, deadline: Deadline) -> None:
        del deadline
        self.released.append(self._name)


def test_what_was_leased_is_given_back(tmp_path: Path, store: MemoryStore) -> None:
    del store
    registry.register("memory", Leasing)
    Leasing.released.clear()
    found = look(tmp_path, BACKENDS.replace('backends.m.address = "another"', ""))
    assert all(one.settings["MODE"].is_leased for one in found.values())
    assert Leasing.released == ["m"]


def test_an_outage_is_unreadable_and_never_missing(tmp_path: Path, store: MemoryStore) -> None:
    store.fail("common", Unavailable("down"))
    assert states(look(tmp_path, STATES)["one"])["MODE"] == "unreadable"


def test_without_a_schema_there_are_the_fields_that_were_found(tmp_path: Path, store: MemoryStore) -> None:
    del store
    text = STATES[STATES.index("[environments") :]
    found = look(tmp_path, text)
    assert states(found["one"]) == {"URL": "present", "MODE": "present"}


def test_progress_counts_documents(tmp_path: Path, store: MemoryStore) -> None:
    del store
    heard: list[tuple[str, int]] = []
    on_progress(lambda what, done: heard.append((what, done)))
    look(tmp_path, STATES, "one")
    on_progress(None)
    assert heard == [("documents", 2)]


def test_each_environment_is_recorded_where_there_is_an_audit_trail(tmp_path: Path, store: MemoryStore) -> None:
    trail = tmp_path / "audit.log"
    look(tmp_path, STATES, environ={"CONFSVC_AUDIT": str(trail)})
    assert [json.loads(line)["environment"] for line in trail.read_text().splitlines()] == ["one", "two"]
    store.reads.clear()
    with pytest.raises(OutputError):
        look(tmp_path, STATES, environ={"CONFSVC_AUDIT": str(tmp_path / "nowhere" / "audit.log")})
    assert not store.reads
