"""Types: what text each one takes, and what is said of the rest."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.schema import Setting, TableSchema, check_schema, read_setting
from confsvc.types import SettingType, parse_duration, parse_type


def check(declaration: dict[str, Any], raw: object) -> object:
    """Return the typed value of `raw`, or what is wrong with it."""
    setting, problems = read_setting("X", declaration)
    assert problems == []
    values, invalid = TableSchema([setting]).validate({"X": raw})
    return values["X"] if not invalid else invalid[0].message.removeprefix("invalid: ")


GOOD: list[tuple[dict[str, Any], object, object]] = [
    ({"type": "str"}, "", ""),
    ({"type": "str"}, " a\n", " a\n"),
    ({}, "text", "text"),
    ({"type": "int"}, " 42\n", 42),
    ({"type": "int"}, "-7", -7),
    ({"type": "float"}, "1e3", 1000.0),
    ({"type": "bool"}, "yes", True),
    ({"type": "bool"}, "OFF", False),
    ({"type": "bool"}, "0", False),
    ({"type": "url"}, "postgres://u:p@h1:1,h2:2/db", "postgres://u:p@h1:1,h2:2/db"),
    ({"type": "url"}, "sqlite:///x.db", "sqlite:///x.db"),
    ({"type": "enum", "choices": ["a", "b"]}, " b ", "b"),
    ({"type": "json"}, '{"a": 1.10}', {"a": 1.1}),
    ({"type": "json"}, "3", 3),
    ({"type": "list[str]"}, "a, b,c", ["a", "b", "c"]),
    ({"type": "list[int]"}, "[1, 2]", [1, 2]),
    ({"type": "list"}, "[]", []),
    ({"type": "list[list[int]]"}, "[[1],[2]]", [[1], [2]]),
    ({"type": "dict[str, int]"}, '{"a": 1}', {"a": 1}),
    ({"type": "duration"}, "1h30m", timedelta(minutes=90)),
    ({"type": "duration"}, "250ms", timedelta(milliseconds=250)),
    ({"type": "duration"}, "90", timedelta(seconds=90)),
    ({"type": "duration"}, "PT5M", timedelta(minutes=5)),
    ({"type": "datetime"}, "2026-11-23T10:00:00Z", datetime(2026, 11, 23, 10, tzinfo=UTC)),
    ({"type": "date"}, "2026-11-23", date(2026, 11, 23)),
    ({"type": "uuid"}, "12345678-1234-5678-1234-567812345678", UUID("12345678-1234-5678-1234-567812345678")),
    ({"type": "path"}, "/etc/x", Path("/etc/x")),
    ({"type": "port"}, "65535", 65535),
    ({"type": "host"}, "db.internal", "db.internal"),
    ({"type": "host"}, "10.0.0.1", "10.0.0.1"),
    ({"type": "host"}, "::1", "::1"),
    ({"type": "email"}, "a.b+c@example.com", "a.b+c@example.com"),
    ({"type": "bytes"}, "aGk=", b"hi"),
    ({"type": "bytes"}, b"\xff\x00", b"\xff\x00"),
    ({"type": "int", "ge": 1, "le": 5}, "5", 5),
    ({"type": "str", "pattern": "^a"}, "abc", "abc"),
    ({"type": "int"}, b"12", 12),
]

BAD: list[tuple[dict[str, Any], object, str]] = [
    ({"type": "int"}, "x", "is not an integer"),
    ({"type": "int"}, "", "is empty"),
    ({"type": "int"}, "1.5", "is not an integer"),
    ({"type": "float"}, "x", "is not a number"),
    ({"type": "bool"}, "maybe", "is not a boolean (`true` or `false`)"),
    ({"type": "url"}, "not a url", "is not a URL"),
    ({"type": "enum", "choices": ["a", "b"]}, "c", "is not one of 'a' or 'b'"),
    ({"type": "json"}, "{", "is not valid JSON"),
    ({"type": "json"}, '{"a":1,"a":2}', "is JSON with a duplicate key, or a NaN or Infinity, which JSON does not have"),
    ({"type": "json"}, "[" * 100_000, "is JSON nested too deeply"),
    ({"type": "list[int]"}, "1,x", "is not an integer at item 2"),
    ({"type": "dict[str, int]"}, "a=1", "is not a JSON object"),
    ({"type": "duration"}, "soon", "is not a duration (`90s`, `5m`, `1h30m`)"),
    ({"type": "date"}, "yesterday", "is not a date (ISO 8601)"),
    ({"type": "uuid"}, "1234", "is not a UUID"),
    ({"type": "path"}, "", "is empty"),
    ({"type": "port"}, "0", "must be at least 1"),
    ({"type": "port"}, "65536", "must be at most 65535"),
    ({"type": "host"}, "a b", "is not a host name or an IP address"),
    ({"type": "host"}, "::x", "is not a host name or an IP address"),
    ({"type": "email"}, "nobody", "is not an email address"),
    ({"type": "bytes"}, "!!", "is not base64"),
    ({"type": "bytes"}, b"", "is empty"),
    ({"type": "str"}, b"\xff", "is not UTF-8 text"),
    ({"type": "str"}, {"a": "b"}, "is an object, not text; name one of its fields, or make the setting a `json`"),
    ({"type": "str"}, ["a"], "is a list, not text; name one of its fields, or make the setting a `json`"),
    ({"type": "str"}, None, "is null"),
    ({"type": "int", "ge": 1}, "0", "must be at least 1"),
    ({"type": "str", "min_length": 3}, "ab", "is shorter than 3 characters"),
    ({"type": "list", "max_length": 1}, "a,b", "has more than 1 items"),
    ({"type": "str", "pattern": "^a"}, "b", "does not match the pattern `^a`"),
    ({"type": "duration", "le": "1m"}, "2m", "must be at most 1 minute"),
]


@pytest.mark.parametrize(("declaration", "raw", "expected"), GOOD)
def test_good_values_are_taken(declaration: dict[str, Any], raw: object, expected: object) -> None:
    assert check(declaration, raw) == expected


@pytest.mark.parametrize(("declaration", "raw", "message"), BAD)
def test_bad_values_are_refused_without_showing_them(declaration: dict[str, Any], raw: object, message: str) -> None:
    assert check(declaration, raw) == message


@pytest.mark.parametrize("text", ["strr", "list[", "list[nope]", "dict[int, str]", "int[str]", "dict[str]"])
def test_misspelt_types_are_refused(text: str) -> None:
    assert parse_type(text)[1]


def test_a_misspelt_type_is_guessed() -> None:
    assert parse_type("bol")[1] == "`bol` is not a type (did you mean `bool`?)"


@pytest.mark.parametrize("text", ["int", "list[str]", "dict[str, list[int]]"])
def test_types_are_written_as_they_are_read(text: str) -> None:
    assert str(parse_type(text)[0]) == text


def test_constraints_must_fit_the_type() -> None:
    _, problems = read_setting("X", {"type": "bool", "ge": 1})
    assert problems == [("ge", "`ge` does not apply to the type `bool`")]
    _, problems = read_setting("X", {"type": "enum"})
    assert problems == [("type", "an `enum` needs its `choices`")]
    _, problems = read_setting("X", {"type": "duration", "ge": "soon"})
    assert problems[0][0] == "ge"


def test_a_default_must_fit_its_own_setting() -> None:
    schema = TableSchema([Setting("X", SettingType("int"), default="abc")])
    assert [problem.message for problem in check_schema(schema)] == ["the default of `X` is not an integer"]


def test_a_pattern_must_compile() -> None:
    setting, _ = read_setting("X", {"type": "str", "pattern": "("})
    assert "constraints" in check_schema(TableSchema([setting]))[0].message


@given(st.integers(0, 10**9))
def test_durations_add_up(milliseconds: int) -> None:
    seconds, rest = divmod(milliseconds, 1000)
    assert parse_duration(f"{seconds}s{rest}ms") == timedelta(milliseconds=milliseconds)


@given(st.text(max_size=40), st.sampled_from(["int", "bool", "url", "json", "list[int]", "duration", "bytes", "host"]))
def test_no_message_holds_the_value(text: str, kind: str) -> None:
    marked = f"cnry{text}cnry"
    outcome = check({"type": kind}, marked)
    if isinstance(outcome, str) and outcome != marked.strip():
        assert "cnry" not in outcome
