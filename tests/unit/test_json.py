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
