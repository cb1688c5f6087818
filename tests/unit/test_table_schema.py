"""The `[settings]` table as a schema: what its types take, what its constraints keep out, and in whose words."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.schema import TableSchema, read_setting
from confsvc.types import KINDS, parse_duration, parse_type


def schema_of(**tables: dict[str, Any]) -> TableSchema:
    """Return the schema of some declarations, which must be fine."""
    settings = []
    for name, table in tables.items():
        setting, problems = read_setting(name, table)
        assert problems == []
        settings.append(setting)
    return TableSchema(settings)


def message(table: dict[str, Any], raw: object) -> str:
    """Return what is wrong with a value, or an empty string."""
    _, invalid = schema_of(X=table).validate({"X": raw})
    return invalid[0].message.removeprefix("invalid: ") if invalid else ""


# One good text for every type.
GOOD = {
    "str": "x", "int": "1", "float": "1.5", "bool": "true", "url": "https://x/", "enum": "a", "json": '{"a":1}',
    "list": "a,b", "dict": '{"a":"b"}', "duration": "5m", "datetime": "2026-01-02T03:04:05Z", "date": "2026-01-02",
    "uuid": "12345678-1234-5678-1234-567812345678", "path": "/x", "port": "80", "host": "h", "email": "a@b.c",
    "bytes": "aGk=",
}  # fmt: skip


def table_of(kind: str) -> dict[str, Any]:
    """Return a declaration of a type."""
    return {"type": kind, "choices": ["a"]} if kind == "enum" else {"type": kind}


def test_there_is_an_example_of_every_type() -> None:
    assert GOOD.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", GOOD)
def test_white_space_around_a_value_is_ignored_but_in_text(kind: str) -> None:
    schema = schema_of(X=table_of(kind))
    plain, _ = schema.validate({"X": GOOD[kind]})
    spaced, invalid = schema.validate({"X": f" \t{GOOD[kind]}\n"})
    assert invalid == []
    assert spaced == ({"X": f" \t{GOOD[kind]}\n"} if kind == "str" else plain)


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("raw", ["", b"", " \n"])
def test_empty_is_a_value_of_text_and_of_nothing_else(kind: str, raw: object) -> None:
    assert message(table_of(kind), raw) == ("" if kind == "str" or (kind, raw) == ("bytes", " \n") else "is empty") or (
        kind == "bytes"
    )


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind != "json"])
def test_null_is_a_value_of_json_alone(kind: str) -> None:
    assert message(table_of(kind), None)
    assert message({"type": "json"}, None) == ""


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind not in {"json", "list", "dict", "bytes"}])
@pytest.mark.parametrize("raw", [{"a": "b"}, ["a"]])
def test_a_mapping_is_no_value_of_a_type_for_text(kind: str, raw: object) -> None:
    assert "not text; name one of its fields, or make the setting a `json`" in message(table_of(kind), raw)


@pytest.mark.parametrize("kind", GOOD)
def test_bytes_are_read_as_text(kind: str) -> None:
    raw = GOOD[kind].encode()
    assert message(table_of(kind), raw) == ""
    assert message(table_of(kind), b"\xff") == ("" if kind == "bytes" else "is not UTF-8 text")


@pytest.mark.parametrize("word", ["true", "TRUE", "True", "yes", "on", "1", "t", "y"])
def test_what_is_true(word: str) -> None:
    assert schema_of(X={"type": "bool"}).validate({"X": word}) == ({"X": True}, [])


@pytest.mark.parametrize("word", ["false", "False", "no", "off", "0", "f", "n"])
def test_what_is_false(word: str) -> None:
    assert schema_of(X={"type": "bool"}).validate({"X": word}) == ({"X": False}, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b", ["a", "b"]),
        ('["a,b"]', ["a,b"]),
        ("a", ["a"]),
        (" a , b ", ["a", "b"]),
        ("[]", []),
        ("a,,b", ["a", "", "b"]),
    ],
)
def test_a_list_is_json_or_separated_by_commas(text: str, expected: list[str]) -> None:
    assert schema_of(X={"type": "list"}).validate({"X": text}) == ({"X": expected}, [])


@pytest.mark.parametrize(
    ("table", "raw", "expected"),
    [
        ({"type": "int", "gt": 1}, "1", "must be greater than 1"),
        ({"type": "int", "lt": 1}, "1", "must be less than 1"),
        ({"type": "float", "le": 0.5}, "0.6", "must be at most 0.5"),
        ({"type": "int", "choices": [1, 2]}, "3", "is not one of 1 or 2"),
        ({"type": "int", "choices": [1, 2], "ge": 2}, "1", "must be at least 2"),
        ({"type": "str", "choices": ["aa", "b"], "min_length": 2}, "b", "is shorter than 2 characters"),
        ({"type": "str", "choices": [1, 2]}, "3", "is not one of '1' or '2'"),
        ({"type": "port", "ge": 1024}, "80", "must be at least 1024"),
        ({"type": "port", "le": 100_000}, "70000", "must be at most 65535"),
        ({"type": "port", "ge": 0}, "0", "must be at least 1"),
        ({"type": "host", "pattern": "[.]internal$"}, "x.example", "does not match the pattern `[.]internal$`"),
        ({"type": "host", "pattern": "."}, "a b", "is not a host name or an IP address"),
        ({"type": "email", "pattern": "@x[.]y$"}, "a@b.c", "does not match the pattern `@x[.]y$`"),
        ({"type": "path", "pattern": "^/"}, "x", "does not match the pattern `^/`"),
        ({"type": "bytes", "max_length": 1}, "aGk=", "is longer than 1 bytes"),
        ({"type": "url", "max_length": 9}, "https://example.com", "is a URL longer than 9 characters"),
        ({"type": "date", "ge": "2026-01-01"}, "2025-12-31", "must be at least 2026-01-01"),
        ({"type": "duration", "ge": "1m", "le": 120}, "5s", "must be at least 1 minute"),
        ({"type": "dict[str, int]", "min_length": 1}, "{}", "has fewer than 1 items"),
        ({"type": "list[port]"}, "80,0", "must be at least 1 at item 2"),
        ({"type": "dict[str, list[int]]"}, '{"a": [1, "x"]}', "is not an integer at item 2"),
    ],
)
def test_constraints_keep_out_what_they_say(table: dict[str, Any], raw: str, expected: str) -> None:
    assert message(table, raw) == expected


def test_the_good_ones_get_their_values_beside_bad_ones() -> None:
    schema = schema_of(A={"type": "int"}, B={"type": "int"}, C={"type": "bool"}, D={"type": "url"})
    values, invalid = schema.validate({"A": "1", "B": "x", "C": "", "D": "no"})
    assert values == {"A": 1}
    assert [problem.name for problem in invalid] == ["B", "C", "D"]


def test_problems_come_in_the_order_of_the_table() -> None:
    names = ["Z", "M", "A", "Q"]
    schema = schema_of(**{name: {"type": "int"} for name in names})
    _, invalid = schema.validate({"A": "", "M": "x", "Q": "", "Z": "1.5"})
    assert [problem.name for problem in invalid] == names


def test_a_schema_of_nothing_takes_nothing() -> None:
    assert TableSchema([]).validate({}) == ({}, [])


@given(
    st.sampled_from(sorted(GOOD)),
    st.text(max_size=20) | st.binary(max_size=20) | st.integers() | st.floats() | st.lists(st.text(max_size=3)),
)
def test_no_message_holds_the_value(kind: str, raw: Any) -> None:
    text = f"cnry{raw}" if isinstance(raw, str) else raw
    marked = (
        [f"cnry{item}" for item in text]
        if isinstance(text, list)
        else b"cnry" + text
        if isinstance(text, bytes)
        else text
    )
    assert "cnry" not in message(table_of(kind), marked)


@given(
    st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["ms", "s", "m", "h", "d", "w"])), min_size=1, max_size=4)
)
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    units = {"ms": 1 / 1000, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == timedelta(seconds=sum(number * units[unit] for number, unit in parts))
    assert parse_duration(f"-{text}") == -timedelta(seconds=sum(number * units[unit] for number, unit in parts))


@given(st.text(max_size=12))
def test_a_duration_has_digits_and_the_letters_of_its_units(text: str) -> None:
    assert parse_duration(text) is None or all(char.isdecimal() or char in "+-.mshdw" for char in text)


@pytest.mark.parametrize("text", ["", "m", "5", "1.5h", "+3s", "1h 30m", "5M", "1y", "9" * 30 + "w", "PT5M"])
def test_what_is_a_duration_by_itself(text: str) -> None:
    assert (parse_duration(text) is not None) == (text in {"5", "1.5h", "+3s"})


TYPES = st.recursive(
    st.sampled_from([kind for kind in sorted(KINDS) if kind not in {"list", "dict", "enum"}]),
    lambda inner: inner.map(lambda kind: f"list[{kind}]") | inner.map(lambda kind: f"dict[str, {kind}]"),
    max_leaves=3,
)


@given(TYPES, st.sampled_from(["", " "]))
def test_types_nest_and_are_written_as_they_are_read(text: str, space: str) -> None:
    found, reason = parse_type(f"{space}{text.replace('[', '[' + space)}{space}")
    assert (str(found), reason) == (text, "")


@given(st.text(st.sampled_from("listdcr[], "), max_size=12))
def test_any_other_type_is_refused_with_a_reason(text: str) -> None:
    found, reason = parse_type(text)
    assert reason or str(found).replace(" ", "").startswith(text.replace(" ", "")[:3])
