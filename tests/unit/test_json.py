"""JSON that survives a round trip, JSON Pointers, and lines of TOML."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc import _json
from confsvc._toml_lines import line_of
from confsvc.extract import setting_name

SCALARS = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@given(DOCUMENTS)
def test_what_is_read_is_written_the_same(document: object) -> None:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    found, reason = _json.parse(text)
    assert reason == ""
    assert _json.compact(found) == text
    assert _json.plain(found) == document


@pytest.mark.parametrize("text", ["1.10", "1e400", "-0", "12345678901234567890123", "1E+2"])
def test_numbers_keep_their_text(text: str) -> None:
    found, _ = _json.parse(f'{{"a": [{text}]}}')
    assert _json.compact(found) == f'{{"a":[{text}]}}'


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"a": ["\uDFFFx"]}', r'{"\udc00": 1}', r'"\ude00\ud83d"'])
def test_half_of_a_surrogate_pair_is_refused(text: str) -> None:
    found, reason = _json.parse(text)
    assert found is None
    assert "lone surrogate" in reason


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert _json.parse(r'"\ud83d\ude00 \\ud800"') == ("\N{GRINNING FACE} \\ud800", "")


@pytest.mark.parametrize("text", ["", "{", "nul", '{"a":1,"a":2}', "NaN", "[Infinity]", "'a'", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    found, reason = _json.parse(text)
    assert found is None
    assert reason


# https://www.rfc-editor.org/rfc/rfc6901#section-5
RFC = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3), ("/g|h", 4),
        ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
    ],
)  # fmt: skip
def test_pointers_are_followed_as_the_rfc_says(path: str, expected: object) -> None:
    assert _json.pointer(RFC, path) == (expected, "")


@pytest.mark.parametrize("path", ["/nope", "/foo/2", "/foo/-", "/foo/01", "/foo/x", "/foo/0/x"])
def test_pointers_to_nothing_are_told(path: str) -> None:
    assert _json.pointer(RFC, path)[1]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("database-url", "DATABASE_URL"),
        ("a/b/db.password", "DB_PASSWORD"),
        ("/a/b/", "B"),
        ("Already_OK", "ALREADY_OK"),
        ("x--.y", "X_Y"),
        ("café", "CAF_"),
        ("1st", "1ST"),
    ],
)
def test_fields_become_settings_by_one_rule(field: str, expected: str) -> None:
    assert setting_name(field) == expected


TOML = '''project = "x"

[settings]
A = { type = "int",
      ge = 1 }
"B" = {}
[settings.C]
type = "str"
text = """
[not.a.table]
D = 1
"""
[environments.app]
sources = [
  "one",   # first
  { from = "two", optional = true },
]
values.E = "x"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("project",), 1),
        (("settings", "A"), 4),
        (("settings", "A", "ge"), 4),
        (("settings", "B"), 6),
        (("settings", "C", "type"), 8),
        (("environments", "app", "sources", "0"), 15),
        (("environments", "app", "sources", "1"), 16),
        (("environments", "app", "values", "E"), 18),
        (("environments", "app", "nope"), 13),
        (("nope",), 0),
    ],
)
def test_keys_are_found_in_their_lines(path: tuple[str, ...], line: int) -> None:
    assert line_of(TOML, path) == line


@pytest.mark.parametrize("open_close", ["[]", ['{"a":', "}"]])
def test_json_is_nested_as_deep_as_can_be_walked(open_close: list[str]) -> None:
    head, tail = open_close
    found, reason = _json.parse(f"{head * 99}1{tail * 99}")
    assert reason == ""
    assert _json.compact(_json.plain(found)) == f"{head * 99}1{tail * 99}"
    for depth in (101, 400, 600, 2000):
        assert _json.parse(f"{head * depth}1{tail * depth}") == (None, "is JSON nested too deeply")


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"\udfff": 1}', r'["a", "\udead\ud83d"]', '"\udcff"'])
def test_half_a_character_is_no_text(text: str) -> None:
    assert _json.parse(text) == (None, "is JSON with half a character (a lone surrogate), which is no text")


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert _json.parse(r'"\ud83d\ude00 \u00e9"') == ("\U0001f600 \u00e9", "")


def test_an_index_may_be_absurd() -> None:
    assert _json.pointer({"a": [1]}, "/a/" + "1" * 5000)[1].startswith("has nothing at")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"),
        ("", ""),
        (True, "true"),
        (None, "null"),
        (1.5, "1.5"),
        ([], "[]"),
        ({"a": [1, "é"]}, '{"a":[1,"é"]}'),
    ],
)
def test_strings_are_bare_and_the_rest_is_compact(value: object, text: str) -> None:
    assert _json.to_text(value) == text


@given(DOCUMENTS, st.lists(st.text(max_size=3), max_size=3))
def test_a_pointer_finds_what_python_finds(document: object, path: list[str]) -> None:
    current, found = document, True
    for token in path:
        if isinstance(current, dict) and token in current:
            current = current[token]
        else:
            found = False
            break
    pointer = "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)
    value, reason = _json.pointer(document, pointer)
    if found:
        assert (value, reason) == (current, "")
    elif not isinstance(current, list):
        assert reason


@given(st.text(max_size=20))
def test_a_settings_name_has_no_odd_characters(field: str) -> None:
    import re

    name = setting_name(field)
    assert re.fullmatch("[A-Z0-9_]*", name)
    assert setting_name(name) == name
