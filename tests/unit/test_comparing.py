"""Comparing two environments: what counts as a difference, what should and does not, what nobody can tell."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from confsvc import registry
from confsvc.adapter import Deadline, Document, Lease, Outcome
from confsvc.errors import Denied
from confsvc.loading import load_manifest
from confsvc.overview.comparing import Comparer, Difference
from confsvc.overview.survey import survey
from confsvc.reference import Reference
from confsvc.resolver import Request
from confsvc.testing import find_leaks
from confsvc.testing.memory import MemoryAdapter, MemoryStore

CANARY = "cnry-81cc"

MANIFEST = """
[settings]
URL = { secret = true }
KEY = { secret = true }
PORT = { type = "int", default = 8080 }
DSN = { required = false }
[environments.staging]
sources = ["memory://{environment}"]
[environments.production]
sources = ["memory://{environment}"]
"""


def compare(folder: Path, text: str = MANIFEST, *, reveal: bool = False, **options: Any) -> dict[str, Difference]:
    """Compare staging and production, and return what became of each setting."""
    (folder / "confsvc.toml").write_text(text)
    request = Request(load_manifest(str(folder / "confsvc.toml")), environ={}, override=True)
    comparer = Comparer(reveal=reveal)
    one, other = (comparer.column(n.environment, n) for n in survey(request, ["staging", "production"]))
    return {item.name: item for item in comparer.compare(one, other, **options)}


def verdicts(found: Mapping[str, Difference]) -> dict[str, str]:
    return {name: item.verdict for name, item in found.items()}


@pytest.fixture
def store(confsvc_memory: MemoryStore) -> MemoryStore:
    """Two documents of the same content."""
    for name in ("staging", "production"):
        confsvc_memory.put(name, {"URL": CANARY, "KEY": CANARY})
    return confsvc_memory


def test_documents_of_the_same_content_are_no_difference(tmp_path: Path, store: MemoryStore) -> None:
    store.put("production", {"URL": CANARY, "KEY": CANARY})  # its next version, which means nothing to the other one
    assert set(verdicts(compare(tmp_path)).values()) == {"same"}


def test_a_value_differs_by_its_text(tmp_path: Path, store: MemoryStore) -> None:
    store.put("production", {"URL": "another", "KEY": CANARY})
    found = compare(tmp_path)
    assert (found["URL"].verdict, found["URL"].differs) == ("differs", ("value",))
    assert found["KEY"].verdict == "same"


def test_what_only_one_has_differs_by_presence(tmp_path: Path, store: MemoryStore) -> None:
    store.put("production", {"URL": CANARY, "KEY": CANARY, "DSN": "x"})
    found = compare(tmp_path)
    assert (found["DSN"].verdict, found["DSN"].differs) == ("differs", ("presence",))


def test_the_same_value_from_another_kind_of_place_differs_by_source(tmp_path: Path, store: MemoryStore) -> None:
    store.put("production", {"URL": CANARY, "KEY": CANARY, "PORT": "8080"})
    found = compare(tmp_path)
    assert "source" in found["PORT"].differs
    assert "value" not in found["PORT"].differs
    assert compare(tmp_path, by=("presence", "value"))["PORT"].verdict == "same"


def test_another_version_of_the_same_document_is_a_difference(tmp_path: Path, store: MemoryStore) -> None:
    class Versioned(MemoryAdapter):
        parameters: ClassVar[frozenset[str]] = frozenset({"version"})

        def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
            del deadline
            return {r: Document({"URL": "u", "KEY": "k"}, version=r.parameter("version", "9")) for r in references}

    del store
    registry.register("memory", Versioned)
    text = MANIFEST.replace("memory://{environment}", "memory://common?version=3", 1)
    text = text.replace("memory://{environment}", "memory://common")
    assert compare(tmp_path, text)["URL"].differs == ("version",)
    elsewhere = text + "[environments.production.backends.memory]\nof = 'another'\n"
    Versioned.options = {"of": {"type": "string"}}
    assert compare(tmp_path, elsewhere)["URL"].verdict == "same"  # versions of two stores have nothing in common


def test_what_should_differ_and_does_not_is_told(tmp_path: Path, store: MemoryStore) -> None:
    store.put("production", {"URL": "another", "KEY": CANARY, "DSN": "x"})
    found = compare(tmp_path, expected=["URL", "KEY", "DSN"])
    assert verdicts(found) == {"URL": "expected", "KEY": "alike", "PORT": "same", "DSN": "expected"}


def test_the_same_secret_by_another_way_still_should_differ(tmp_path: Path, store: MemoryStore) -> None:
    text = MANIFEST + 'values = { KEY = "${memory://staging#KEY}" }\n'
    del store
    found = compare(tmp_path, text, expected=["KEY"])
    assert (found["KEY"].verdict, found["KEY"].differs) == ("alike", ("source",))


def test_what_cannot_be_read_is_unknown_and_neither_same_nor_different(tmp_path: Path, store: MemoryStore) -> None:
    store.fail("production", Denied("no"))
    found = compare(tmp_path, expected=["KEY"])
    assert verdicts(found) == dict.fromkeys(("URL", "KEY", "PORT", "DSN"), "unknown")
    assert found["URL"].one.standing.state == "present"


def test_an_environment_without_a_plan_is_unknown_in_all_that_the_other_has(tmp_path: Path, store: MemoryStore) -> None:
    del store
    (tmp_path / "confsvc.toml").write_text(MANIFEST)
    request = Request(load_manifest(str(tmp_path / "confsvc.toml")), environ={}, override=True)
    comparer = Comparer()
    one, other = (comparer.column(n.environment, n) for n in survey(request, ["staging", "production"]))
    lost = other._replace(sides={}, plan=None, error=Denied("no"))
    assert {item.verdict for item in comparer.compare(one, lost)} == {"unknown"}


def test_leased_values_are_compared_by_the_account_they_are_made_of(tmp_path: Path, store: MemoryStore) -> None:
    class Leasing(MemoryAdapter):
        made: ClassVar[int] = 0

        def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
            del deadline
            type(self).made += 1
            lease = Lease("id", 60, renewable=True)
            return {r: Document({"URL": f"u{self.made}", "KEY": "k"}, lease=lease) for r in references}

    del store
    registry.register("memory", Leasing)
    found = compare(tmp_path, MANIFEST.replace("{environment}", "common"), expected=["KEY"])
    assert (found["URL"].verdict, found["KEY"].verdict) == ("same", "alike")
    assert compare(tmp_path)["KEY"].differs == ("value",)


def test_no_value_is_kept_but_what_is_to_be_shown(tmp_path: Path, store: MemoryStore) -> None:
    store.put("staging", {"URL": CANARY, "KEY": CANARY, "DSN": "plain"}, secret=False)
    found = compare(tmp_path, reveal=True)
    assert found["DSN"].one.shown == "plain"
    assert find_leaks(CANARY, repr(found)) == []
    assert compare(tmp_path)["DSN"].one.shown == ""
    digests = [compare(tmp_path)["URL"].one.digest for _ in range(2)]
    assert digests[0] != digests[1]  # each comparison has a key of its own
