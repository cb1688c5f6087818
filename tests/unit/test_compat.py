"""Compatibility of two schemas: what is said of them holds for the values that they really take."""

from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from confsvc.compat.comparing import NEW_ON_OLD, OLD_ON_NEW, compare
from confsvc.compat.declared import declared_of, from_data, to_data
from confsvc.compat.domains import domain_of_table, refused
from confsvc.manifest import manifest_of_sources
from confsvc.models import ModelSchema
from confsvc.schema import TableSchema
from confsvc.setting import read_setting

# Settings of every kind, limited in every way.
TABLES: list[dict[str, Any]] = [
    *({"type": kind} for kind in (
        "str", "int", "float", "bool", "url", "duration", "datetime", "date", "uuid", "path", "port", "host", "email",
        "bytes", "json", "list", "list[int]", "list[float]", "dict", "dict[str, int]",
    )),
    {"type": "enum", "choices": ["a", "bb"]},
    {"type": "enum", "choices": ["a", "bb", "info"]},
    {"type": "str", "choices": ["a", "bb"]},
    {"type": "int", "choices": [1, 80]},
    {"type": "str", "min_length": 2},
    {"type": "str", "min_length": 1, "max_length": 3},
    {"type": "str", "pattern": "^a"},
    {"type": "int", "ge": 1, "le": 65535},
    {"type": "int", "gt": 0, "lt": 65536},
    {"type": "int", "ge": 10},
    {"type": "float", "gt": 0.5},
    {"type": "float", "ge": 0.5},
    {"type": "duration", "le": "1h"},
    {"type": "duration", "le": "60m", "gt": "0s"},
    {"type": "list", "min_length": 2},
    {"type": "list", "max_length": 1},
    {"type": "bytes", "max_length": 3},
]  # fmt: skip

VALUES = [
    "", " ", "a", "bb", "abc", "abcd", "info", "0", "1", "2", "10", "80", "65535", "65536", "-1", "0.5", "0.6", "1.5",
    "true", "yes", "off", "1e3", "nan", "https://example.com/x", "redis://h:1/0", "5m", "2h", "1h", "3600", "PT1H",
    "2026-01-02", "2026-01-02T03:04:05Z", "2f1c7b5e-7d0c-4a57-9a5d-3c1f3f1a0b11", "/a/b", "h.example.com", "::1",
    "a@example.com", "YWJj", "YWJjZA==", "{}", '{"a": 1}', '{"a": "x"}', "[]", "[1]", "[1, 2]", "a,b", "1,2", "1.5,2",
    "null", '"x"',
]  # fmt: skip


def table(**settings: Any) -> TableSchema:
    """Return a schema as `[settings]` declares it."""
    found = [read_setting(name, one) for name, one in settings.items()]
    assert [problems for _, problems in found if problems] == []
    return TableSchema(setting for setting, _ in found)


def takes(one: dict[str, Any]) -> set[str]:
    """Return which of the values a setting takes."""
    schema = table(X=one)
    return {value for value in VALUES if not schema.validate({"X": value})[1]}


TAKEN = [takes(one) for one in TABLES]


@pytest.mark.parametrize("outer", range(len(TABLES)))
def test_what_is_said_to_be_taken_is_taken(outer: int) -> None:
    for inner, one in enumerate(TABLES):
        lost = refused(domain_of_table(*_parts(one)), domain_of_table(*_parts(TABLES[outer])))
        assert lost or TAKEN[inner] <= TAKEN[outer], f"{one} in {TABLES[outer]}"
        assert not (lost and inner == outer), f"{one} refuses itself: {lost}"


def _parts(one: dict[str, Any]) -> tuple[Any, Any]:
    setting, _ = read_setting("X", one)
    return setting.type, setting.constraints


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"type": "port"}, {"type": "int", "ge": 1, "le": 65535}),
        ({"type": "int", "ge": 1, "le": 65535}, {"type": "int", "gt": 0, "lt": 65536, "ge": 1, "le": 65535}),
        ({"type": "enum", "choices": ["a", "b"]}, {"type": "str", "choices": ["b", "a"]}),
        ({"type": "duration", "le": "1h"}, {"type": "duration", "le": "60m"}),
    ],
)
def test_what_is_spelled_in_two_ways_is_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    found = compare(declared_of(table(X=one)), declared_of(table(X=other)))
    assert not any(finding.breaks for finding in found)


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    """Return what changed from one setting to the other, and what it breaks."""
    found = compare(declared_of(table(X=old)), declared_of(table(X=new)))
    assert all(finding.step for finding in found if finding.breaks)
    return [(finding.change, finding.breaks) for finding in found]


BOTH = (NEW_ON_OLD, OLD_ON_NEW)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {}, []),
        ({"required": False}, {}, [("required", (NEW_ON_OLD,))]),
        ({"default": "x"}, {}, [("required", (NEW_ON_OLD,))]),
        ({}, {"required": False}, [("optional", ())]),
        ({"default": "x"}, {"default": "y"}, [("default", ())]),
        ({"default": "x", "secret": True}, {"default": "x"}, [("secret", ())]),
        ({}, {"secret": True}, [("secret", ())]),
        ({}, {"min_length": 3}, [("narrowed", (NEW_ON_OLD,))]),
        ({"min_length": 3}, {"min_length": 2}, [("widened", ())]),
        ({"min_length": 3}, {"max_length": 9}, [("narrowed", BOTH)]),
        ({"pattern": "^a"}, {"pattern": "^b"}, [("narrowed", BOTH)]),
        ({"type": "int"}, {}, [("retyped", ())]),
        ({}, {"type": "int"}, [("retyped", (NEW_ON_OLD,))]),
        ({"type": "int"}, {"type": "port"}, [("narrowed", (NEW_ON_OLD,))]),
        ({"type": "int"}, {"type": "float"}, [("retyped", ())]),
        ({"type": "int"}, {"type": "bool"}, [("retyped", BOTH)]),
        ({"type": "list[int]"}, {"type": "list[float]"}, [("retyped", ())]),
        ({"type": "enum", "choices": ["a"]}, {"type": "enum", "choices": ["a", "b"]}, [("widened", ())]),
        ({"type": "enum", "choices": ["a", "b"]}, {"type": "enum", "choices": ["a"]}, [("narrowed", (NEW_ON_OLD,))]),
        ({"type": "enum", "choices": ["a", "b"]}, {"pattern": "^[ab]$"}, [("retyped", ())]),
    ],
)
def test_every_change_has_its_name_and_its_direction(
    old: dict[str, Any], new: dict[str, Any], expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert changes(old, new) == expected


def test_what_is_gone_and_what_is_new() -> None:
    old = declared_of(table(KEPT={}, NEEDED={"type": "int"}, OPTIONAL={"type": "uuid", "required": False}))
    new = declared_of(table(KEPT={}, ADDED={"type": "url"}, EXTRA={"type": "date", "default": "2026-01-01"}))
    found = {finding.name: (finding.change, finding.breaks) for finding in compare(old, new)}
    assert found == {
        "NEEDED": ("removed", (OLD_ON_NEW,)),
        "OPTIONAL": ("removed", ()),
        "ADDED": ("required", (NEW_ON_OLD,)),
        "EXTRA": ("added", ()),
    }


@pytest.mark.parametrize(
    ("old", "new", "is_guessed"),
    [
        (("DB_URL", {"type": "url"}), ("DATABASE_URL", {"type": "url"}), True),
        (("DSN", {"description": "the orders database"}), ("ORDERS", {"description": "the orders database"}), True),
        (("SMTP_PASSWORD", {"secret": True}), ("MAIL_PASSWORD", {"secret": True}), False),
        (("PORT", {"type": "port"}), ("TIMEOUT", {"type": "duration"}), False),
    ],
)
def test_a_rename_is_guessed_where_enough_hints_at_it(
    old: tuple[str, dict[str, Any]], new: tuple[str, dict[str, Any]], is_guessed: bool
) -> None:
    found = compare(declared_of(table(**dict([old]))), declared_of(table(**dict([new]))))
    assert ([finding.change for finding in found] == ["renamed"]) is is_guessed
    assert all(finding.guess and finding.breaks == BOTH for finding in found if finding.change == "renamed")


def test_a_setting_that_still_answers_to_its_old_name_breaks_nothing() -> None:
    class Old(BaseModel):
        db_url: str

    class New(BaseModel):
        database_url: str = Field(validation_alias="DB_URL")

    class Both(BaseModel):
        model_config = {"validate_by_name": True}
        database_url: str = Field(alias="DB_URL")

    assert compare(declared_of(ModelSchema(Old)), declared_of(ModelSchema(New))) == []
    found = compare(declared_of(ModelSchema(Old)), declared_of(ModelSchema(Both)))
    assert not any(finding.breaks for finding in found)


class Level(Enum):
    """Some words."""

    DEBUG = "debug"
    INFO = "info"


class Model(BaseModel):
    """Every kind of field that is also a type of the manifest."""

    port: int = Field(ge=1, le=65535)
    level: Level = Level.INFO
    mode: Literal["a", "b"] = "a"
    token: SecretStr
    note: str | None = Field(default=None, max_length=10)
    tags: list[str] = []
    ratio: float = Field(default=0.5, gt=0)


def test_a_model_and_a_table_that_mean_the_same_are_the_same() -> None:
    same = table(
        PORT={"type": "port"},
        LEVEL={"type": "enum", "choices": ["debug", "info"], "default": "info"},
        MODE={"type": "str", "choices": ["a", "b"], "default": "a"},
        TOKEN={"secret": True},
        NOTE={"required": False, "max_length": 10},
        TAGS={"type": "list[str]", "default": []},
        RATIO={"type": "float", "gt": 0, "default": 0.5},
    )
    assert compare(declared_of(ModelSchema(Model)), declared_of(same)) == []
    assert compare(declared_of(same), declared_of(ModelSchema(Model))) == []


def test_what_goes_to_another_process_comes_back_as_it_was() -> None:
    manifest = manifest_of_sources([], "/")
    other = table(A={"type": "dict[str, list[int]]"}, B={"default": 1, "ge": 0, "type": "int"})
    for schema in (ModelSchema(Model), other):
        settings = declared_of(schema)
        assert from_data(to_data(settings), manifest) == settings


class Tree(BaseModel):
    """A type that is made of itself."""

    name: str
    children: "list[Tree]" = []


def test_a_type_that_is_made_of_itself_is_compared() -> None:
    class Old(BaseModel):
        tree: list[Tree]
        level: Level | None = None

    class New(BaseModel):
        tree: list[Tree] = []
        level: Literal["debug", "info", "more"] | None = None

    found = compare(declared_of(ModelSchema(Old)), declared_of(ModelSchema(New)))
    assert [(one.name, one.change) for one in found] == [("TREE", "optional"), ("LEVEL", "widened")]


def test_a_default_of_a_secret_is_not_told() -> None:
    old, new = ({"secret": True, "default": text} for text in ("first-canary", "second-canary"))
    (finding,) = compare(declared_of(table(X=old)), declared_of(table(X=new)))
    assert "canary" not in finding.message + finding.step


def test_two_thousand_settings_that_all_have_other_names_are_compared() -> None:
    old = declared_of(table(**{f"A{n}": {"description": f"number {n}"} for n in range(2000)}))
    new = declared_of(table(**{f"B{n}": {"description": f"number {n}"} for n in range(2000)}))
    found = compare(old, new)
    assert len(found) == 2000
    assert {finding.change for finding in found} == {"renamed"}
