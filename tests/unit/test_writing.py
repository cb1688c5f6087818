"""Writing, with a store that does what real ones do now and then: somebody else writes in between."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from confsvc.adapter import Backend, Conflict, Content, Deadline, Document, Outcome
from confsvc.errors import (
    AdapterError,
    Denied,
    InternalError,
    Malformed,
    NotFound,
    ResolutionError,
    UsageError,
)
from confsvc.fetching import Pool
from confsvc.finding import make_request
from confsvc.reference import Reference
from confsvc.registry import register, unregister
from confsvc.resolver import Request
from confsvc.secret import Secret
from confsvc.testing import find_leaks, make_canary
from confsvc.writing import Changes, Written, apply_changes, plan_changes
from confsvc.writing.contents import edited, fields_in, is_same


class Numbered:
    """A store with numbered versions. ``cas``: it writes on condition; else it only says afterwards what happened."""

    options: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    parameters: ClassVar[frozenset[str]] = frozenset({"version", "prefix"})
    local: ClassVar[bool] = False
    keeps_names: ClassVar[bool] = False
    kept: ClassVar[dict[str, list[Content]]] = {}
    cas: ClassVar[bool] = True
    before: ClassVar[list[Callable[[], object]]] = []  # what somebody else does just before a write
    fails: ClassVar[dict[str, Exception]] = {}

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        deadline.check()
        return {reference: self._read(reference) for reference in references}

    def _read(self, reference: Reference) -> Outcome:
        versions = self.kept.get(reference.path, [])
        number = int(reference.parameter("version") or len(versions))
        if not 0 < number <= len(versions):
            return NotFound("it is not there")
        return Document(versions[number - 1], version=str(number))

    def store(self, reference: Reference, content: Content, *, deadline: Deadline, expected: str | None = None) -> str:
        deadline.check()
        if reference.path in self.fails:
            raise self.fails[reference.path]
        if self.before:
            self.before.pop(0)()
        versions = self.kept.setdefault(reference.path, [])
        if self.cas and expected not in {None, str(len(versions))}:
            raise Conflict("it is another version")
        versions.append(content)
        if expected not in {None, str(len(versions) - 1)}:
            raise Conflict("one came between", written=str(len(versions)), over=str(len(versions) - 1))
        return str(len(versions))


MANIFEST = """
[settings]
A = { required = false }
B = { type = "int", required = false }
J = { type = "json", required = false }
RAW = { type = "bytes", required = false }
[environments.app]
sources = ["numbered://low", "numbered://high", "numbered://top?prefix=other"]
[environments.pinned]
sources = ["numbered://low?version=1"]
[environments.values.values]
A = "${numbered://text}"
B = "${numbered://doc#/list/1/n}"
J = "${A}"
RAW = "${numbered://raw}"
"""


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fresh store, and a manifest that reads it."""
    register("numbered", Numbered)
    monkeypatch.setattr(Numbered, "kept", {})
    monkeypatch.setattr(Numbered, "fails", {})
    monkeypatch.setattr(Numbered, "before", [])
    (tmp_path / "confsvc.toml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    yield
    unregister("numbered")


def request(environment: str = "app") -> Request:
    return make_request(environment=environment, timeout=5)


def plan(values: Mapping[str, str | bytes], environment: str = "app", to: str = "", **more: Any) -> Changes:
    secrets = {name: Secret(value) for name, value in values.items()}
    return plan_changes(request(environment), secrets, Pool(keeps=True), to=to, **more)


def write(values: Mapping[str, str | bytes], environment: str = "app", to: str = "") -> list[Written]:
    return apply_changes(request(environment), plan(values, environment, to), Pool(keeps=True))


def kept(path: str) -> Any:
    return Numbered.kept[path][-1]


def other_writes(path: str, fields: Mapping[str, object]) -> Callable[[], object]:
    return lambda: Numbered.kept.setdefault(path, []).append({**(Numbered.kept.get(path) or [{}])[-1], **fields})  # type: ignore[dict-item]


def test_an_existing_field_is_written_where_it_is_and_a_new_one_in_the_highest_source() -> None:
    Numbered.kept = {"low": [{"a": "old", "more": "x"}], "high": [{"other": "y"}]}
    assert [row.state for row in plan({"A": "new", "B": "1"}).rows] == ["different", "new"]
    assert all(not done.error for done in write({"A": "new", "B": "1"}))
    assert kept("low") == {"a": "new", "more": "x"}
    assert kept("high") == {"other": "y", "b": "1"}


@pytest.mark.parametrize("cas", [True, False])
def test_what_somebody_else_writes_meanwhile_is_not_lost(monkeypatch: pytest.MonkeyPatch, cas: bool) -> None:
    monkeypatch.setattr(Numbered, "cas", cas)
    Numbered.kept = {"low": [{"a": "old", "more": "x"}], "high": [{"z": "1"}]}
    Numbered.before = [other_writes("low", {"theirs": "1"}), other_writes("low", {"again": "2"}), lambda: None]
    (done,) = write({"A": "new"})
    assert done.error is None
    assert kept("low") == {"a": "new", "more": "x", "theirs": "1", "again": "2"}
    assert done.version == str(len(Numbered.kept["low"]))


@pytest.mark.parametrize("cas", [True, False])
def test_two_who_make_the_same_document_both_get_it(monkeypatch: pytest.MonkeyPatch, cas: bool) -> None:
    monkeypatch.setattr(Numbered, "cas", cas)
    Numbered.before = [other_writes("high", {"theirs": "1"})]
    (done,) = write({"A": "new"})
    assert (done.error, kept("high")) == (None, {"theirs": "1", "a": "new"})


def test_a_conflict_that_is_none_ends() -> None:
    Numbered.kept = {"high": [{"a": "old"}]}
    Numbered.fails = {"high": Conflict("no")}
    (done,) = write({"A": "new"})
    assert isinstance(done.error, Malformed)
    assert not isinstance(done.error, Conflict)


def test_what_fails_keeps_nothing_else_from_being_written_and_shows_no_value() -> None:
    canary = make_canary()
    Numbered.kept = {"low": [{"a": "old"}], "high": [{"b": "1"}]}
    for failure, kind in ((Denied("no"), Denied), (ValueError(canary), InternalError)):
        Numbered.fails = {"low": failure}
        first, second = write({"A": canary, "B": str(len(Numbered.kept["high"]) + 5)})
        assert type(first.error) is kind
        assert second.error is None
        assert find_leaks(canary, first.error, repr(first), repr(second), repr(first.problems)) == []


def test_values_that_do_not_fit_stop_everything() -> None:
    with pytest.raises(ResolutionError) as caught:
        plan({"A": "x", "B": "no number"})
    assert [(problem.name, problem.code) for problem in caught.value.problems] == [("B", "invalid")]
    with pytest.raises(UsageError, match="no setting is called `C`"):
        plan({"C": "x"})
    assert plan({"C": "x"}, extra=True).rows[0].spot.reference == "numbered://high#c"


def test_the_same_in_another_form_is_the_same() -> None:
    Numbered.kept = {"high": [json.dumps({"b": 5, "j": {"x": [1, 2]}})]}
    assert [row.state for row in plan({"B": "5", "J": '{ "x": [1,2] }'}).rows] == ["same", "same"]
    (done,) = write({"B": "6", "J": '{"x": []}'})
    assert json.loads(json.dumps(kept("high"))) == {"b": "6", "j": {"x": []}}
    assert done.version == "2"


def test_values_of_one_reference_lead_to_it_and_others_are_refused() -> None:
    Numbered.kept = {"doc": [{"list": [0, {"n": "1", "m": "2"}]}], "text": ["old"]}
    assert all(not done.error for done in write({"A": "new\n", "B": "2"}, "values"))
    assert (kept("text"), kept("doc")) == ("new\n", {"list": [0, {"n": "2", "m": "2"}]})
    (refused,) = plan({"J": "1"}, "values").refused
    assert "confsvc.toml:" in refused.problem.message
    assert refused.problem.hint == "write what it is made of: `A`"
    assert not refused.is_failure


def test_what_is_pinned_unread_or_ambiguous_is_refused() -> None:
    Numbered.kept = {"low": [{"a": "1"}], "high": [{"a": "1", "A": "2"}]}
    (pinned,) = plan({"A": "x"}, "pinned").refused
    assert "cannot be written" in pinned.problem.message
    (ambiguous,) = plan({"A": "x"}).refused
    assert "the fields `a` and `A` both become `A`" in ambiguous.problem.message
    (there,) = plan({"A": "x"}, to="numbered://doc?version=1#a").refused
    assert "pinned" in there.problem.message


def test_two_settings_that_are_read_from_one_place_have_one_value() -> None:
    Numbered.kept = {"text": ["old"], "doc": [{"list": [0, {"n": "1"}]}]}
    manifest = Path("confsvc.toml")
    manifest.write_text(MANIFEST.replace('J = "${A}"', 'J = "${numbered://text}"'))
    clash = plan({"A": "1", "J": "2"}, "values")
    assert [one.message for one in clash.failures] == ["it is read from where `A` is, and would have another value"]
    assert all(not done.error for done in write({"A": "1", "J": "1"}, "values"))
    assert (kept("text"), len(Numbered.kept["text"])) == ("1", 2)
    manifest.write_text(MANIFEST.replace('J = "${A}"', 'J = "${numbered://doc}"'))
    mixed = plan({"B": "1", "J": "{}"}, "values")
    assert ["of which another setting reads a field" in one.message for one in mixed.failures] == [True]


def test_to_names_a_source_a_field_or_a_text() -> None:
    Numbered.kept = {"low": [{"x": "1"}], "text": ["old"], "high": [{}]}
    for to, expected in (
        ("numbered://low", "numbered://low#a"),
        ("numbered://low#other", "numbered://low#other"),
        ("numbered://text", "numbered://text"),
        ("numbered://new", "numbered://new"),
    ):
        (row,) = plan({"A": "v"}, to=to).rows
        assert row.spot.reference == expected
    assert plan({"A": "v"}, to="numbered://low").strays == ()
    assert plan({"A": "v"}, to="numbered://text").strays == ("A",)


def test_a_binary_value_becomes_base64_in_a_field_and_stays_bytes_alone() -> None:
    Numbered.kept = {"high": [{"z": "1"}]}
    write({"RAW": b"\xff\0"})
    assert kept("high")["raw"] == "/wA="
    assert [row.state for row in plan({"RAW": b"\xff\0"}).rows] == ["same"]
    write({"RAW": b"\xff\0"}, "values")
    assert kept("raw") == b"\xff\0"


@pytest.mark.parametrize(
    ("content", "field", "reason"),
    [
        ("not json", "a", "is not valid JSON"),
        ("[1]", "a", "no mapping"),
        (b"\xff", "a", "not text"),
        ({"a": "text"}, "/a/b", "leads to nothing that has fields"),
        ({"a": {}}, "/b/c", "leads to nothing that has fields"),
        ({"a": [1]}, "/a/1", "leads to nothing that has fields"),
    ],
)
def test_what_has_no_such_place_is_refused(content: Content, field: str, reason: str) -> None:
    fields, wrong = fields_in(content)
    assert reason in (wrong or edited(fields, {field: "x"})[1])


def test_a_pointer_may_name_what_is_new_and_odd_names() -> None:
    assert edited({"a/b": {"~": "x"}}, {"/a~1b/~0": "y", "/a~1b/new": "z"}) == ({"a/b": {"~": "y", "new": "z"}}, "")
    assert edited({}, {"a": "x"}) == ({"a": "x"}, "")


def test_equality_is_that_of_what_would_be_stored() -> None:
    assert is_same("5", "5")
    assert not is_same("5", "5 ")
    assert is_same(b"5", "5")
    assert is_same(b"\xff", b"\xff")
    assert not is_same(None, "")
    assert not is_same("true", b"\xfe")
    assert isinstance(Denied("x"), AdapterError)
