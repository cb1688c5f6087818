"""Precedence, section 4 of the design: one total order, and an error that is never an absence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from confsvc.errors import Denied, Malformed, NotFound, ResolutionError, Throttled, Unauthenticated, Unavailable
from confsvc.loading import load_manifest
from confsvc.resolution import Resolution
from confsvc.resolver import Request, Resolved, resolve_request
from confsvc.testing.memory import MemoryStore

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
