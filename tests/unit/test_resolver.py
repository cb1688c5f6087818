"""Precedence, section 4 of the design: one total order, and an error that is never an absence."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from confsvc import registry
from confsvc.adapter import Outcome
from confsvc.errors import Denied, Malformed, NotFound, ResolutionError, Throttled, Unauthenticated, Unavailable
from confsvc.loading import load_manifest
from confsvc.resolution import Resolution
from confsvc.resolver import Request, Resolved, resolve_request
from confsvc.testing.memory import MemoryAdapter, MemoryStore

LAYERS = """
[settings]
X = { type = "str", default = "default" }
[environments.base]
sources = ["memory://one"]
values = { X = "${memory://base#X}" }
[environments.app]
extends = "base"
sources = ["memory://two"]
values = { X = "${memory://app#X}" }
"""


class Case:
    """One manifest over the memory store."""

    def __init__(self, folder: Path, store: MemoryStore) -> None:
        self.folder = folder
        self.store = store

    def attempt(self, text: str, **options: Any) -> Resolved:
        """Resolve as far as possible."""
        (self.folder / "confsvc.toml").write_text(text)
        manifest = load_manifest(str(self.folder / "confsvc.toml"))
        options.setdefault("environ", {})
        return resolve_request(Request(manifest, **options))

    def resolve(self, text: str, **options: Any) -> Resolution:
        """Resolve, or raise."""
        return self.attempt(text, **options).unwrap()

    def fails(self, text: str, **options: Any) -> Mapping[str, str]:
        """Return the message of every problem by its setting's name, or reference."""
        return {p.name or p.reference: p.message for p in self.attempt(text, **options).problems}


@pytest.fixture
def case(tmp_path: Path, confsvc_memory: MemoryStore) -> Case:
    """A case with an empty store."""
    return Case(tmp_path, confsvc_memory)


def test_each_layer_shadows_the_ones_below(case: Case) -> None:
    options: dict[str, Any] = {"environment": "app"}
    for path in ("one", "two"):
        case.store.put(path, {})
    expected = [("default", "default")]
    assert_wins(case, options, *expected)
    for path, layer in (("one", "source"), ("two", "source"), ("base", "values"), ("app", "values")):
        case.store.put(path, {"X": path})
        assert_wins(case, options, (path, layer))
    options["environ"] = {"X": "environment"}
    assert_wins(case, options, ("environment", "environment"))
    options["given"] = {"X": "set"}
    assert_wins(case, options, ("set", "set"))


def assert_wins(case: Case, options: dict[str, Any], expected: tuple[str, str]) -> None:
    """Check which text won, and from which layer."""
    value = case.resolve(LAYERS, **options)["X"]
    assert (value.text, value.origin.layer) == expected


def test_override_keeps_the_process_environment_out(case: Case) -> None:
    case.store.put("one", {})
    case.store.put("two", {"X": "two"})
    options: dict[str, Any] = {"environment": "app", "environ": {"X": "mine"}}
    assert case.resolve(LAYERS, **options, override=True)["X"].text == "two"


def test_what_is_shadowed_is_known(case: Case) -> None:
    for path in ("one", "two", "app"):
        case.store.put(path, {"X": path})
    value = case.resolve(LAYERS, environment="app", read_all=True, environ={"X": "mine"})["X"]
    assert [str(origin) for origin in value.shadowed] == [
        "values memory://app#X (version 1)",
        "source memory://two (version 1)",
        "source memory://one (version 1)",
        "default",
    ]


def test_an_empty_value_shadows(case: Case) -> None:
    case.store.put("one", {"X": "one"})
    case.store.put("two", {"X": ""})
    assert case.resolve(LAYERS, environment="app")["X"].text == ""


SOURCES = """
[settings]
X = { type = "str" }
[environments.app]
sources = ["memory://low", "memory://high"]
"""


@pytest.mark.parametrize("kind", [Denied, Unauthenticated, Unavailable, Throttled, Malformed])
def test_a_layer_that_cannot_be_read_fails_what_lies_below(case: Case, kind: type[Denied]) -> None:
    case.store.put("low", {"X": "low"})
    case.store.fail("high", kind("says the store"))
    assert case.fails(SOURCES) == {"X": f"{kind.title}: says the store"}
    with pytest.raises(ResolutionError) as caught:
        case.resolve(SOURCES)
    assert caught.value.exit_status == kind.exit_status


def test_a_layer_that_cannot_be_read_below_the_winner_is_not_asked_about(case: Case) -> None:
    case.store.put("high", {"X": "high"})
    case.store.fail("low", Denied("says the store"))
    assert case.resolve(SOURCES)["X"].text == "high"


def test_a_missing_source_is_an_error_even_below_the_winner(case: Case) -> None:
    case.store.put("high", {"X": "high"})
    assert case.fails(SOURCES) == {"memory://low": "not found: `low` is not in the store"}


def test_an_optional_source_may_be_missing_but_not_denied(case: Case) -> None:
    text = SOURCES.replace('"memory://high"', '{ from = "memory://high", optional = true }')
    case.store.put("low", {"X": "low"})
    assert case.resolve(text)["X"].text == "low"
    case.store.fail("high", Denied("no"))
    assert case.fails(text) == {"X": "denied: no"}


def test_a_value_that_is_not_found_is_passed_over(case: Case) -> None:
    text = SOURCES + 'values = { X = "${memory://nowhere#X}" }\n'
    case.store.put("low", {})
    case.store.put("high", {"X": "high"})
    assert case.resolve(text)["X"].text == "high"
    case.store.put("high", {})
    assert case.fails(text) == {"X": "not found: `nowhere` is not in the store"}
    case.store.put("nowhere", {"XX": "1", "XY": "2"})
    assert case.fails(text)["X"].startswith("not found: `nowhere` has no field `X` (did you mean `X")


def test_a_value_that_cannot_be_read_is_not_passed_over(case: Case) -> None:
    text = SOURCES + 'values = { X = "${memory://closed#X}" }\n'
    case.store.put("low", {"X": "low"})
    case.store.put("high", {"X": "high"})
    case.store.fail("closed", Unavailable("down"))
    assert case.fails(text) == {"X": "unavailable: down"}


def test_nothing_is_read_when_everything_is_decided(case: Case) -> None:
    assert case.resolve(SOURCES, environ={"X": "mine"})["X"].text == "mine"
    assert case.resolve(SOURCES, given={"X": "given"})["X"].text == "given"
    assert case.resolve(SOURCES + 'values = { X = "literal" }\n')["X"].text == "literal"
    assert case.store.reads == {}


def test_each_document_is_read_once_however_many_settings_use_it(case: Case) -> None:
    text = (
        "[settings]\nA = {}\nB = {}\nC = {}\n[environments.app]\nsources = ['memory://doc']\n"
        "values = { A = '${memory://doc#A}', B = '${memory://doc#B}-${memory://doc#A}' }\n"
    )
    case.store.put("doc", {"A": "a", "B": "b", "C": "c"})
    assert case.resolve(text).environ() == {"A": "a", "B": "b-a", "C": "c"}
    assert case.store.reads == {"doc": 1}
    assert case.store.batches == 1


def test_values_are_built_from_other_settings_and_stay_secret(case: Case) -> None:
    text = (
        '[settings]\nPASSWORD = { secret = true }\nHOST = { type = "host" }\nURL = { type = "url" }\nPLAIN = {}\n'
        '[environments.app]\nsources = ["env://?prefix="]\n'
        '[environments.app.values]\nURL = "pg://u:${PASSWORD|urlencode}@${HOST}/db"\nPLAIN = "at ${HOST}"\n'
    )
    found = case.resolve(text, environ={"PASSWORD": "a/b c", "HOST": "h"})
    assert found["URL"].text == "pg://u:a%2Fb%20c@h/db"
    assert found["URL"].secret
    assert str(found["URL"].value) == "<secret>"
    assert not found["PLAIN"].secret
    assert found["PLAIN"].value == "at h"


def test_a_fetched_value_is_never_expanded(case: Case) -> None:
    text = SOURCES + 'values = { X = "<${memory://doc}>" }\n'
    case.store.put("doc", "${HOME} vault://a/b#c {project} $${")
    case.store.put("low", {})
    case.store.put("high", {})
    assert case.resolve(text)["X"].text == "<${HOME} vault://a/b#c {project} $${>"


def test_a_reference_from_outside_is_not_taken_for_a_value(case: Case) -> None:
    assert "reference that was not resolved" in case.fails(SOURCES, environ={"X": "vault://a/b#c"})["X"]
    assert "reference that was not resolved" in case.fails(SOURCES, given={"X": "memory://a"} | {"X": "env://A"})["X"]
    assert case.resolve(SOURCES, given={"X": "file:///etc/hosts"})["X"].text == "file:///etc/hosts"


def test_a_failed_part_fails_the_whole(case: Case) -> None:
    text = '[settings]\nA = {}\nB = {}\n[environments.app.values]\nA = "${memory://closed#A}"\nB = "x${A}"\n'
    case.store.fail("closed", Denied("no"))
    assert case.fails(text) == {"A": "denied: no", "B": "denied: no"}


def test_problems_come_in_the_manifests_order_and_the_highest_ranking_decides(case: Case) -> None:
    text = (
        '[settings]\nZ = {}\nM = { type = "int" }\nA = {}\n[environments.app.values]\n'
        'Z = "${memory://slow#x}"\nM = "abc"\nA = "${memory://closed#x}"\n'
    )
    case.store.fail("slow", Throttled("later"))
    case.store.fail("closed", Denied("no"))
    with pytest.raises(ResolutionError) as caught:
        case.resolve(text)
    assert [problem.name for problem in caught.value.problems] == ["Z", "M", "A"]
    assert caught.value.exit_status == 77


def test_fields_that_become_one_name_are_told_both(case: Case) -> None:
    case.store.put("low", {"db-url": "1", "db.url": "2", "Db_Url": "3"})
    case.store.put("high", {})
    text = SOURCES.replace("X =", "DB_URL =")
    assert "`db.url` and `Db_Url` both become `DB_URL`" in case.fails(text)["DB_URL"]
    case.store.put("low", {"x": "ok", "a-b": "1", "a.b": "2"})
    assert case.resolve(SOURCES)["X"].text == "ok"  # what nobody declares may collide


def test_undeclared_fields_are_counted_or_injected(case: Case) -> None:
    case.store.put("low", {"x": "1", "other": "2"})
    case.store.put("high", {"third/more": "3"})
    found = case.resolve(SOURCES)
    assert (list(found), found.undeclared) == (["X"], 2)
    found = case.resolve('extra = "inject"\n' + SOURCES)
    assert found.environ() == {"X": "1", "OTHER": "2", "MORE": "3"}
    assert found["OTHER"].secret


@pytest.mark.parametrize("name", ["LD_PRELOAD", "BASH_ENV", "PYTHONPATH", "NODE_OPTIONS"])
def test_undeclared_names_that_run_code_are_refused(case: Case, name: str) -> None:
    case.store.put("low", {"X": "1", name: "evil.so"})
    case.store.put("high", {})
    assert name in case.fails('extra = "inject"\n' + SOURCES)


def test_with_no_schema_sources_win_over_the_process_environment(case: Case) -> None:
    text = '[environments.app]\nsources = ["memory://doc"]\nvalues = { B = "v" }\n'
    case.store.put("doc", {"a": "1", "n": 5})
    found = case.resolve(text, environ={"A": "mine"}, given={"C": "c"})
    assert found.environ() == {"A": "1", "N": "5", "B": "v", "C": "c"}


def test_json_values_keep_their_text(case: Case) -> None:
    text = '[settings]\nN = { type = "float" }\nJ = { type = "json" }\nB = { type = "bool" }\nS = {}\n'
    text += "[environments.app]\nsources = ['memory://doc']\nvalues = { S = '${memory://doc#/j/a/1}' }\n"
    case.store.put("doc", '{"n": 1.10, "j": {"a": [1e400, "x/y"], "b": null}, "b": true}')
    found = case.resolve(text)
    assert found.environ() == {"N": "1.10", "J": '{"a":[1e400,"x/y"],"b":null}', "B": "true", "S": "x/y"}


def test_a_mapping_is_no_text(case: Case) -> None:
    case.store.put("low", {})
    case.store.put("high", {})
    case.store.put("doc", {"a": "1"})
    text = SOURCES + 'values = { X = "${memory://doc}" }\n'
    assert case.fails(text)["X"].startswith("invalid: is an object, not text")
    assert case.resolve(text.replace('"str"', '"json"'))["X"].reveal() == {"a": "1"}


def test_bytes_reach_the_environment_as_base64_and_files_as_they_are(case: Case) -> None:
    text = SOURCES.replace('"str"', '"bytes"') + 'values = { X = "${memory://doc}" }\n'
    case.store.put("low", {})
    case.store.put("high", {})
    case.store.put("doc", b"\xff\x00")
    value = case.resolve(text)["X"]
    assert (value.text, value.data, value.reveal()) == ("/wA=", b"\xff\x00", b"\xff\x00")
    case.store.put("doc", "aGk=")
    value = case.resolve(text)["X"]
    assert (value.text, value.data) == ("aGk=", b"hi")


def test_only_resolves_these_alone(case: Case) -> None:
    text = '[settings]\nA = {}\nB = {}\n[environments.app.values]\nA = "${memory://a#x}"\nB = "${memory://b#x}"\n'
    case.store.put("a", {"x": "1"})
    assert case.resolve(text, only=frozenset({"A"})).environ() == {"A": "1"}
    assert "b" not in case.store.reads


def test_everything_ends_at_the_deadline(case: Case) -> None:
    case.store.put("low", {"X": "1"})
    case.store.delay = 5
    with pytest.raises(ResolutionError) as caught:
        case.resolve(SOURCES, timeout=0.2)
    assert caught.value.exit_status == 75
    assert caught.value.problems[0].message == "no answer within 0.2 s"


def test_secret_stores_make_secret_values(case: Case) -> None:
    case.store.put("low", {"X": "1"}, secret=False)
    case.store.put("high", {}, secret=True)
    assert not case.resolve(SOURCES)["X"].secret
    case.store.put("low", {"X": "1"}, secret=True)
    assert case.resolve(SOURCES)["X"].secret


def test_optional_settings_may_be_absent(case: Case) -> None:
    case.store.put("low", {})
    case.store.put("high", {})
    assert case.resolve(SOURCES.replace('"str" }', '"str", required = false }')).environ() == {}


def test_not_found_is_the_only_absence() -> None:
    assert [kind for kind in (NotFound, Denied, Malformed) if kind.exit_status == 65] == [NotFound, Malformed]


def test_the_whole_order_of_the_layers(case: Case) -> None:
    """Take the highest layer away, one after another: what is left is the order of the design, from its top."""
    layers = ["set", "environment", "app", "base", "two", "one", "default"]
    seen = []
    for number in range(len(layers)):
        left = set(layers[number:])
        for path in ("one", "two", "base", "app"):
            case.store.put(path, {"X": path} if path in left else {})
        value = case.resolve(
            LAYERS,
            environment="app",
            environ={"X": "environment"} if "environment" in left else {},
            given={"X": "set"} if "set" in left else {},
        )["X"]
        seen.append(value.text)
    assert seen == layers


def test_the_environment_in_inherited_sources_is_the_one_resolved(case: Case) -> None:
    text = (
        'project = "shop"\n[settings]\nX = {}\nY = {}\n[environments.base]\n'
        'sources = ["memory://{project}/{environment}"]\nvalues = { Y = "${memory://y/{environment}}" }\n'
        '[environments.app]\nextends = "base"\n'
    )
    case.store.put("shop/app", {"X": "x"})
    case.store.put("y/app", "y")
    assert case.resolve(text, environment="app").environ() == {"X": "x", "Y": "y"}


def test_placeholders_are_for_references_only(case: Case) -> None:
    text = 'project = "p"\n[settings]\nX = {}\n[environments.app.values]\nX = "{project} ${memory://{project}}"\n'
    case.store.put("p", "{environment}")
    assert case.resolve(text)["X"].text == "{project} {environment}"


@pytest.mark.parametrize("kind", [Denied, Unavailable])
def test_an_optional_setting_that_cannot_be_read_is_no_absent_one(case: Case, kind: type[Denied]) -> None:
    text = SOURCES.replace('"str" }', '"str", required = false }')
    case.store.put("low", {})
    case.store.fail("high", kind("says the store"))
    assert case.fails(text) == {"X": f"{kind.title}: says the store"}
    assert case.fails(text.replace("required = false", 'default = "d"')) == {"X": f"{kind.title}: says the store"}


def test_one_denied_document_fails_only_those_it_might_have(case: Case) -> None:
    text = '[settings]\nX = {}\nY = {}\n[environments.app]\nsources = ["memory://low", "memory://high"]\n'
    case.store.put("high", {"Y": "y"})
    case.store.fail("low", Denied("no"))
    attempt = case.attempt(text)
    assert [problem.name for problem in attempt.problems] == ["X"]
    assert attempt.resolution.environ() == {"Y": "y"}


def test_a_lower_value_is_not_asked_about_when_a_higher_one_is_there(case: Case) -> None:
    for path in ("one", "two"):
        case.store.put(path, {})
    case.store.put("app", {"X": "app"})
    case.store.fail("base", Denied("no"))
    assert case.resolve(LAYERS, environment="app")["X"].text == "app"


def test_a_value_needs_only_what_it_is_made_of(case: Case) -> None:
    text = (
        "[settings]\nA = {}\nB = {}\n[environments.app]\nsources = ['memory://doc']\n"
        "[environments.app.values]\nA = '${B}'\n"
    )
    case.store.put("doc", {"B": "b"})
    assert case.resolve(text, only=frozenset({"A"})).environ() == {"A": "b"}
    assert case.resolve(text, given={"B": "given"}).environ() == {"A": "given", "B": "given"}


def test_a_value_made_of_an_absent_setting_is_absent(case: Case) -> None:
    text = "[settings]\nA = { default = 'd' }\nB = { required = false }\n[environments.app.values]\nA = 'x${B}'\n"
    assert case.resolve(text).environ() == {"A": "d"}
    assert case.fails(text.replace("default = 'd'", "")) == {"A": "missing: no layer has it"}


def test_a_cycle_through_a_shadowed_value_is_told_and_does_not_hang(case: Case) -> None:
    text = (
        '[settings]\nA = {}\nB = {}\n[environments.base.values]\nB = "${A}"\n'
        '[environments.app]\nextends = "base"\nvalues = { A = "${B}", B = "${memory://nowhere#x}" }\n'
    )
    assert case.fails(text, environment="app")["A"] == "values need each other in a circle"


@pytest.mark.parametrize("content", [{"a": None}, {"a": [1]}, {"a": {"b": "c"}}])
def test_what_is_no_text_does_not_become_part_of_one(case: Case, content: dict[str, Any]) -> None:
    text = "[settings]\nX = {}\n[environments.app.values]\nX = '<${memory://doc#a}>'\n"
    case.store.put("doc", content)
    message = "malformed: it is null, a list or an object, which cannot become part of a text"
    assert case.fails(text) == {"X": message}
    assert case.fails(text.replace("#a", "#a|trim")) == {"X": message}


def test_a_null_is_no_value_and_no_absence(case: Case) -> None:
    case.store.put("low", {"X": "low"})
    case.store.put("high", {"X": None})
    assert case.fails(SOURCES) == {"X": "invalid: is null"}


@pytest.mark.parametrize("text", ["vault://a/b#c", "${vault://a/b#c}", "${memory://x|trim}"])
def test_no_reference_is_taken_for_a_value_from_where_none_is_resolved(case: Case, text: str) -> None:
    manifest = "[backends.memory]\n" + SOURCES
    for options in ({"environ": {"X": text}}, {"given": {"X": text}}):
        attempt = case.attempt(manifest, **options)
        (problem,) = attempt.problems
        assert (problem.name, problem.exit_status) == ("X", 65)
        assert text not in f"{problem}"


def test_what_is_fetched_is_taken_as_it_is(case: Case) -> None:
    case.store.put("low", {})
    case.store.put("high", {"X": "vault://a/b#c ${X} {project}"})
    assert case.resolve(SOURCES)["X"].text == "vault://a/b#c ${X} {project}"


def test_with_no_schema_what_is_asked_for_must_be_there(case: Case) -> None:
    text = '[environments.app]\nsources = ["memory://doc"]\n'
    case.store.put("doc", {"a": "1", "b": "2"})
    assert case.resolve(text, only=frozenset({"B"})).environ() == {"B": "2"}
    assert case.fails(text, only=frozenset({"B", "TYPO"})) == {"TYPO": "missing: it is not in `memory://doc`"}


def test_with_no_schema_a_source_that_cannot_be_read_fails_all(case: Case) -> None:
    text = '[environments.app]\nsources = ["memory://one", "memory://two"]\n'
    case.store.put("two", {"a": "1"})
    case.store.fail("one", Denied("no"))
    with pytest.raises(ResolutionError) as caught:
        case.resolve(text)
    assert caught.value.exit_status == 77
    assert [problem.reference for problem in caught.value.problems] == ["memory://one"]


def test_with_no_schema_fields_that_collide_are_told(case: Case) -> None:
    case.store.put("doc", {"a-b": "1", "a.b": "2"})
    found = case.fails('[environments.app]\nsources = ["memory://doc"]\n')
    assert found == {"A_B": "malformed: the fields `a-b` and `a.b` both become `A_B`"}


@pytest.mark.parametrize("name", ["a=b", "a\0b"])
def test_with_no_schema_a_name_must_fit_a_variable(case: Case, name: str) -> None:
    case.store.put("doc", {"ok": "1"})
    found = case.fails('[environments.app]\nsources = ["memory://doc"]\n', given={name: "x"})
    assert found == {name: "invalid: its name cannot be that of an environment variable"}


def test_all_backends_are_asked_at_the_same_time(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = threading.Barrier(2, timeout=20)
    read = MemoryStore.read

    def wait(store: MemoryStore, path: str, version: str = "") -> Outcome:
        meeting.wait()
        return read(store, path, version)

    monkeypatch.setattr(MemoryStore, "read", wait)
    text = (
        '[settings]\nX = {}\nY = {}\n[backends.left]\nadapter = "memory"\n[backends.right]\nadapter = "memory"\n'
        '[environments.app.values]\nX = "${left://doc#X}"\nY = "${right://doc#Y}"\n'
    )
    case.store.put("doc", {"X": "x", "Y": "y"})
    assert case.resolve(text).environ() == {"X": "x", "Y": "y"}


def test_documents_are_told_apart_by_their_parameters_and_not_by_their_fields(case: Case) -> None:
    class Versioned(MemoryAdapter):
        parameters = frozenset({"version"})

    registry.register("memory", Versioned)
    text = (
        "[settings]\nA = {}\nB = {}\nC = {}\n[environments.app.values]\n"
        "A = '${memory://doc#a}'\nB = '${memory://doc#b}'\nC = '${memory://doc?version=1#a}'\n"
    )
    case.store.put("doc", {"a": "1", "b": "2"})
    assert case.resolve(text).environ() == {"A": "1", "B": "2", "C": "1"}
    assert case.store.reads == {"doc": 2}


def test_a_resolution_cannot_be_changed(case: Case) -> None:
    found = case.resolve(SOURCES, given={"X": "1"})
    with pytest.raises(TypeError):
        found["X"] = "2"  # type: ignore[index]
    found.environ()["X"] = "2"
    assert found["X"].text == "1"


def test_an_origin_says_where_from_which_version_and_when(case: Case) -> None:
    case.store.put("low", {})
    case.store.put("high", {"X": "x"}, version="7")
    before = time.time()
    origin = case.resolve(SOURCES)["X"].origin
    assert (origin.layer, origin.reference, origin.version) == ("source", "memory://high", "7")
    assert origin.read_at is not None
    assert before <= origin.read_at <= time.time()
    assert str(origin) == "source memory://high (version 7)"
    assert str(case.resolve(SOURCES, given={"X": "1"})["X"].origin) == "--set"


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        ([Denied, Malformed, Unavailable, Throttled], 77),
        ([Malformed, Unavailable, Throttled], 65),
        ([Throttled, Unavailable], 69),
        ([Throttled], 75),
        ([Unauthenticated, Unavailable], 77),
    ],
)
def test_the_highest_ranking_problem_gives_the_exit_status(case: Case, errors: list[type[Denied]], status: int) -> None:
    names = [f"S{number}" for number in range(len(errors))]
    text = "[settings]\n" + "".join(f"{name} = {{}}\n" for name in names) + "[environments.app.values]\n"
    text += "".join(f"{name} = '${{memory://{name}}}'\n" for name in names)
    for name, kind in zip(names, errors, strict=True):
        case.store.fail(name, kind("says the store"))
    with pytest.raises(ResolutionError) as caught:
        case.resolve(text)
    assert caught.value.exit_status == status
    assert len(caught.value.problems) == len(errors)
