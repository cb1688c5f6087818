"""A pydantic model, a BaseSettings or a dataclass as the schema: same text, same answer as a [settings] table."""

import dataclasses
import enum
import os
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretBytes,
    SecretStr,
    create_model,
    field_validator,
)
from pydantic_core import MultiHostUrl, PydanticCustomError, PydanticKnownError
from pydantic_settings import BaseSettings, SettingsConfigDict

from confsvc import _json, fields
from confsvc.errors import ManifestError, UsageError
from confsvc.models import ModelSchema, import_schema
from confsvc.schema import UNSET, TableSchema, read_setting
from confsvc.setting import default_raw

CANARY = "canary-4711"

Port = Annotated[int, Field(ge=1, le=65535)]

# A manifest's type, and what a model writes for it.
SPELLINGS: dict[str, tuple[dict[str, Any], Any]] = {
    "str": ({"type": "str"}, str),
    "short str": (
        {"type": "str", "min_length": 2, "max_length": 3},
        Annotated[str, Field(min_length=2, max_length=3)],
    ),
    "pattern": ({"type": "str", "pattern": "^[a-c]+$"}, Annotated[str, Field(pattern="^[a-c]+$")]),
    "int": ({"type": "int"}, int),
    "port": ({"type": "port"}, Port),
    "float": ({"type": "float", "gt": 0, "lt": 10}, Annotated[float, Field(gt=0, lt=10)]),
    "bool": ({"type": "bool"}, bool),
    "url": ({"type": "url"}, MultiHostUrl),
    "enum": ({"type": "enum", "choices": ["a", "b"]}, Literal["a", "b"]),
    "json": ({"type": "json"}, pydantic.Json),
    "list[str]": ({"type": "list[str]"}, list[str]),
    "list[int]": ({"type": "list[int]", "min_length": 2}, Annotated[list[int], Field(min_length=2)]),
    "list[list[int]]": ({"type": "list[list[int]]"}, list[list[int]]),
    "list[duration]": ({"type": "list[duration]"}, list[timedelta]),
    "dict[str, int]": ({"type": "dict[str, int]"}, dict[str, int]),
    "dict[str, list[bool]]": ({"type": "dict[str, list[bool]]"}, dict[str, list[bool]]),
    "duration": ({"type": "duration", "le": "1h"}, Annotated[timedelta, Field(le=timedelta(hours=1))]),
    "datetime": ({"type": "datetime"}, datetime),
    "date": ({"type": "date"}, date),
    "uuid": ({"type": "uuid"}, UUID),
    "path": ({"type": "path"}, Path),
    "bytes": ({"type": "bytes", "max_length": 4}, Annotated[bytes, Field(max_length=4)]),
    "secret": ({"type": "str", "secret": True}, SecretStr),
    "secret bytes": ({"type": "bytes", "secret": True}, SecretBytes),
}

LONG = "9" * 5000

RAWS: list[object] = [
    "",
    " ",
    "a",
    " a ",
    "abc",
    "abcd",
    "0",
    " 42\n",
    "4.5",
    "1e3",
    "nan",
    "-1",
    "99999",
    LONG,
    "true",
    "No",
    "null",
    "a,b",
    "1, 2",
    "1,x",
    "[1,2]",
    '["5m","90"]',
    "[[1],[2,3]]",
    '[[1],["x"]]',
    "[1,",
    '{"a":1}',
    '{"a":1,"a":2}',
    '{"a":[true,"off"]}',
    '{"a":null}',
    "[NaN]",
    "[" * 50_000,
    "5m",
    "2h",
    "PT5M",
    "2024-02-29",
    "2024-02-30",
    "2024-02-29T12:00:00Z",
    "00000000-0000-0000-0000-000000000000",
    "https://user:pw@example.com/x",
    "postgres://a:1,b:2/db",
    "not a url",
    "YWJj",
    "YWJjZGVm",
    "\udcff",
    "\0",
    b"",
    b"ab",
    b"[1,2]",
    b"\xff\xfe",
    None,
    True,
    _json.Number("1.10"),
    _json.Number("7"),
    ["a", _json.Number("1")],
    [None],
    {"a": _json.Number("1")},
    {"a": {"b": []}},
]


def table_of(spelling: Mapping[str, Any]) -> TableSchema:
    """Return the schema of a table with one setting, X."""
    setting, problems = read_setting("X", spelling)
    assert problems == []
    return TableSchema([setting])


def model_of(annotation: Any) -> ModelSchema[Any]:
    """Return the schema of a model with one field, x."""
    return ModelSchema(create_model("One", x=(annotation, ...)))


def plain(name: str, value: object) -> object:
    """Return a value as both spellings can be compared: a table's URL stays text, a model's becomes an object."""
    return str(MultiHostUrl(str(value))) if name == "url" else value


def assert_same(name: str, raw: object) -> None:
    """Assert that both spellings say the same about ``raw``."""
    spelling, annotation = SPELLINGS[name]
    by_table, table_problems = table_of(spelling).validate({"X": raw})
    by_model, model_problems = model_of(annotation).validate({"X": raw})
    assert model_problems == table_problems
    if name != "json":  # pydantic's own parser keeps no more of 1.10 than Python does
        assert {key: repr(plain(name, value)) for key, value in by_model.items()} == {
            key: repr(plain(name, value)) for key, value in by_table.items()
        } or model_problems


@pytest.mark.parametrize("name", SPELLINGS)
def test_both_spellings_take_and_refuse_the_same(name: str) -> None:
    for raw in RAWS:
        if (name, raw) != ("json", LONG):  # pydantic's own JSON parser has a limit that Python's text has not
            assert_same(name, raw)


@given(
    st.sampled_from(sorted(SPELLINGS)),
    st.one_of(
        st.text(max_size=12),
        st.text(alphabet='0123456789.-+eE:,[]{}"abtrue hms_', max_size=12),
        st.binary(max_size=6),
    ),
)
def test_both_spellings_agree_on_any_text(name: str, raw: object) -> None:
    assert_same(name, raw)


class Level(enum.Enum):
    """Choices whose values are of two types."""

    LOW = 1
    HIGH = "high"


class Odd(enum.Enum):
    """Choices of which one is no JSON."""

    PLAIN = "plain"
    THING = object()


@pytest.mark.parametrize(
    ("annotation", "raw", "expected"),
    [
        (set[int], "1,2,2", {1, 2}),
        (frozenset[str], '["a"]', frozenset({"a"})),
        (tuple[int, str], "1,a", (1, "a")),
        (tuple[int, ...], "[1,2]", (1, 2)),
        (Literal[1, "b"], "1", 1),
        (Level, "1", Level.LOW),
        (Level, "high", Level.HIGH),
        (Literal[Level.LOW], "1", Level.LOW),
        (Literal[Level.HIGH, Level.LOW] | None, "high", Level.HIGH),
        (Odd, "plain", Odd.PLAIN),
        (int | None, "5", 5),
        (int | None, None, None),
        (str | None, "", ""),
        (int | str, "5", "5"),
        (int | bool, " 5 ", 5),
        (list[int] | int, "[1]", [1]),
        (list[int] | int, "1", 1),
        (Decimal, " 1.10 ", Decimal("1.10")),
        (Any, " x ", " x "),
        (list[timedelta], "5m,PT1S", [timedelta(minutes=5), timedelta(seconds=1)]),
        (pydantic.Secret[int], "7", 7),
        (pydantic.Json[list[int]], "[1, 2]", [1, 2]),
        (pydantic.Base64Bytes, "YWJj", b"abc"),
        (dict[str, Any], '{"a": 1.5, "b": [null]}', {"a": 1.5, "b": [None]}),
    ],
)
def test_text_becomes_what_the_annotation_says(annotation: Any, raw: object, expected: object) -> None:
    typed, problems = model_of(annotation).validate({"X": raw})
    assert (typed.get("X"), problems) == (expected, [])


@pytest.mark.parametrize("annotation", [Literal[b"x"], Literal[Odd.THING], Odd])
def test_a_choice_that_no_text_is_is_refused(annotation: Any) -> None:
    _, problems = model_of(annotation).validate({"X": "x"})
    assert [problem.code for problem in problems] == ["invalid"]


@pytest.mark.parametrize("annotation", [int | None, list[str], Decimal, Level, Path, BaseModel, int | bool])
def test_an_empty_text_is_for_str_only(annotation: Any) -> None:
    _, problems = model_of(annotation).validate({"X": ""})
    assert [problem.message for problem in problems] == ["invalid: is empty"]


class Pool(BaseModel):
    """The inner of two nested models."""

    size: int = 5
    ttl: timedelta = timedelta(minutes=5)


class Database(BaseModel):
    """A nested model."""

    host: str
    password: SecretStr = SecretStr("default")
    pool: Pool = Pool()


class Nested(BaseModel):
    """A model with a nested one that must be there, and one that need not."""

    db: Database
    replica: Database | None = None


def instance_of(model: type[Any], raws: Mapping[str, object]) -> Any:
    """Validate as the resolver does, defaults included, and return the instance."""
    schema = ModelSchema(model)
    defaults = {name: default_raw(s) for name, s in schema.settings.items() if s.default is not UNSET}
    _, problems = schema.validate({**defaults, **raws})
    assert problems == []
    return schema.instance


def messages(model: type[Any], raws: Mapping[str, object]) -> dict[str, str]:
    """Return what is wrong, by name."""
    return {problem.name: problem.message for problem in ModelSchema(model).validate(raws)[1]}


def test_a_nested_model_is_made_of_parts() -> None:
    made = instance_of(Nested, {"DB__HOST": "h", "DB__POOL__TTL": "90s"})
    assert (made.db.host, made.db.pool.size, made.db.pool.ttl) == ("h", 5, timedelta(seconds=90))
    assert made.replica is None


def test_a_nested_model_is_one_json_setting_and_parts_override_it() -> None:
    text = '{"host": "h", "pool": {"size": "7", "ttl": "1h"}}'
    made = instance_of(Nested, {"DB": text, "DB__POOL__SIZE": "8"})
    assert (made.db.host, made.db.pool.size, made.db.pool.ttl) == ("h", 8, timedelta(hours=1))


def test_parts_are_laid_over_a_default_instance() -> None:
    class Outer(BaseModel):
        db: Database = Database(host="from the default", pool=Pool(size=3))

    made = instance_of(Outer, {"DB__POOL__TTL": "1s"})
    assert (made.db.host, made.db.pool.size, made.db.pool.ttl) == ("from the default", 3, timedelta(seconds=1))
    assert ModelSchema(Outer).settings["DB__POOL__SIZE"].default == "3"


def test_a_missing_part_is_told_by_its_name() -> None:
    assert messages(Nested, {}) == {"DB__HOST": "missing: no layer has it, nor is it in `DB`"}
    assert messages(Nested, {"DB__POOL__SIZE": "1", "REPLICA": "{}"}) == {
        "DB__HOST": "missing: no layer has it, nor is it in `DB`",
        "REPLICA__HOST": "missing: no layer has it, nor is it in `REPLICA`",
    }


def test_a_wrong_part_is_told_by_the_name_it_was_given_under() -> None:
    assert messages(Nested, {"DB__HOST": "h", "DB__POOL__SIZE": "x"}) == {
        "DB__POOL__SIZE": "invalid: is not an integer"
    }
    assert messages(Nested, {"DB": '{"host": "h", "pool": {"size": "x"}}'}) == {
        "DB": "invalid: is not an integer in its field `pool.size`"
    }


def test_with_json_given_no_default_part_is_injected_beside_it() -> None:
    schema = ModelSchema(Nested)
    defaults = {name: default_raw(s) for name, s in schema.settings.items() if s.default is not UNSET}
    typed, _ = schema.validate({**defaults, "DB": '{"host": "h", "pool": {"size": 1}}'})
    assert set(typed) == {"DB"}
    typed, _ = schema.validate({**defaults, "DB__HOST": "h"})
    assert set(typed) == {"DB__HOST", "DB__PASSWORD", "DB__POOL__SIZE", "DB__POOL__TTL"}


def test_a_model_in_itself_ends() -> None:
    tree = ModelSchema(Tree)
    assert list(tree.settings) == ["NAME", "LEFT"]
    typed, problems = tree.validate({"NAME": "a", "LEFT": '{"name": "b", "left": null}'})
    assert problems == []
    assert typed["LEFT"] == Tree(name="b")


class Tree(BaseModel):
    """A model that holds itself."""

    name: str
    left: "Tree | None" = None


class Named(BaseModel):
    """Names of every kind."""

    database_url: str
    kept: str = Field("", alias="keptAsWritten")
    many: str = Field("", validation_alias=AliasChoices("FIRST", "SECOND"))


def test_names_and_aliases() -> None:
    settings = ModelSchema(Named).settings
    assert [setting.names for setting in settings.values()] == [
        ("DATABASE_URL",),
        ("keptAsWritten",),
        ("FIRST", "SECOND"),
    ]
    made = instance_of(Named, {"DATABASE_URL": "u", "keptAsWritten": "k", "FIRST": "m"})
    assert (made.kept, made.many) == ("k", "m")


def test_populate_by_name_adds_the_name() -> None:
    class Both(BaseModel):
        model_config = ConfigDict(populate_by_name=True)
        level: str = Field(alias="logLevel")

    assert ModelSchema(Both).settings["logLevel"].aliases == ("LEVEL",)


class Service(BaseSettings):
    """A BaseSettings, which would read the environment if it were simply made."""

    model_config = SettingsConfigDict(env_prefix="shop_", env_nested_delimiter="___")
    home: str = "nowhere"
    pool: Pool = Pool()
    url: str = Field("", alias="PLAIN")


def test_settings_keep_their_prefix_and_delimiter() -> None:
    assert list(ModelSchema(Service).settings) == [
        "SHOP_HOME",
        "SHOP_POOL",
        "SHOP_POOL___SIZE",
        "SHOP_POOL___TTL",
        "PLAIN",
    ]


def test_settings_do_not_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_HOME", CANARY)
    monkeypatch.setenv("PLAIN", CANARY)
    made = instance_of(Service, {"SHOP_POOL___SIZE": "1"})
    assert (made.home, made.url, made.pool.size) == ("nowhere", "", 1)


class Inner(BaseSettings):
    """Nested where it would read the environment by itself."""

    x: int = 1
    y: int = 2


def test_nested_settings_do_not_read_the_environment_either(monkeypatch: pytest.MonkeyPatch) -> None:
    class Outer(BaseModel):
        inner: Inner
        more: list[Inner] = []
        made: Inner = Field(default_factory=Inner)

    monkeypatch.setenv("X", "99")
    made = instance_of(Outer, {"INNER__Y": "5", "MORE": '[{"y": 6}]'})
    assert (made.inner, made.more[0], made.made.x) == (
        Inner.model_construct(x=1, y=5),
        Inner.model_construct(x=1, y=6),
        1,
    )


@dataclasses.dataclass
class Plain:
    """A dataclass of the standard library."""

    name: str
    pool: Pool
    ports: list[Port] = dataclasses.field(default_factory=list)
    total: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        self.total = len(self.ports)


@pydantic.dataclasses.dataclass(frozen=True)
class Frozen:
    """A dataclass of pydantic's."""

    token: SecretStr
    nested: Plain | None = None


def test_dataclasses() -> None:
    made = instance_of(Plain, {"NAME": "n", "POOL__SIZE": "2", "PORTS": "1,2"})
    assert made == Plain("n", Pool(size=2), [1, 2])
    assert type(made) is Plain
    assert made.total == 2
    frozen = instance_of(Frozen, {"TOKEN": "t", "NESTED__NAME": "n", "NESTED__POOL": "{}"})
    assert (frozen.token.get_secret_value(), frozen.nested) == ("t", Plain("n", Pool(), []))
    assert messages(Plain, {"NAME": "n", "POOL": "{}", "PORTS": "0"}) == {
        "PORTS": "invalid: must be at least 1 at item 1"
    }


class Defaults(BaseModel):
    """Defaults of every kind."""

    name: str = "x"
    flag: bool = True
    ratio: float = 0.5
    ports: set[int] = {2, 1}
    made: dict[str, int] = Field(default_factory=lambda: {"a": 1})
    level: Level = Level.HIGH
    secret: SecretStr = SecretStr("s")
    secrets: list[SecretStr] = [SecretStr("s")]
    data: bytes = b"\xff"
    where: Path = Path("/x")
    none: int | None = None
    of_others: str = Field(default_factory=lambda data: data["name"])
    odd: Any = object()


def test_defaults_become_text() -> None:
    settings = ModelSchema(Defaults).settings
    assert {name: s.default for name, s in settings.items() if s.default is not UNSET} == {
        "NAME": "x",
        "FLAG": "true",
        "RATIO": "0.5",
        "PORTS": "[1,2]",
        "MADE": '{"a":1}',
        "LEVEL": "high",
        "SECRET": "s",
        "SECRETS": '["s"]',
        "DATA": "/w==",
        "WHERE": "/x",
    }
    assert not any(setting.required for setting in settings.values())


class Wrong(BaseModel):
    """Defaults that their types refuse."""

    port: int = Field(0, ge=1)
    size: int = "big"  # type: ignore[assignment]
    level: Literal["a", "b"] = "c"  # type: ignore[assignment]
    where: fields.Port = 70_000


@dataclasses.dataclass
class WrongToo:
    """The same, in a dataclass."""

    port: Annotated[int, Field(ge=1)] = 0


def test_a_default_that_its_type_refuses_is_told() -> None:
    defaults = {name: setting.default for name, setting in ModelSchema(Wrong).settings.items()}
    assert messages(Wrong, defaults) == {
        "PORT": "invalid: must be at least 1",
        "SIZE": "invalid: is not an integer",
        "LEVEL": "invalid: is not one of 'a' or 'b'",
        "WHERE": "invalid: must be at most 65535",
    }
    assert messages(Wrong, {"PORT": "1", "SIZE": "1", "LEVEL": "a", "WHERE": "80"}) == {}
    assert messages(WrongToo, {}) == {"PORT": "invalid: must be at least 1"}


def test_a_default_that_only_its_model_can_judge_is_left_to_it() -> None:
    class Odd(BaseModel):
        data: bytes = b"\xff"
        document: pydantic.Json[Any] = {"a": 1}
        parts: list[str] = "a,b"  # type: ignore[assignment]
        upper: Annotated[int, BeforeValidator(lambda text: int(text.removeprefix("n")))] = 1
        checked: int = 1
        trusted: int = Field("x", validate_default=False)  # type: ignore[assignment]
        path: Path = "/srv"  # type: ignore[assignment]

        @field_validator("checked", mode="before")
        @classmethod
        def read(cls, text: str) -> int:
            return int(text.removeprefix("n"))

    class Trusting(BaseModel):
        model_config = ConfigDict(validate_default=False)
        port: int = Field(0, ge=1)

    odd: Any = Odd
    assert instance_of(Odd, {}) == odd()
    assert instance_of(Trusting, {}).port == 0


def test_a_default_leaves_text_alone() -> None:
    class Odd(BaseModel):
        port: int = Field(0, ge=1)

    assert messages(Odd, {"PORT": "0"}) == {"PORT": "invalid: must be at least 1"}


def test_secrets_are_found_at_any_depth() -> None:
    class Deep(BaseModel):
        direct: SecretBytes
        optional: SecretStr | None = None
        listed: list[dict[str, pydantic.Secret[int]]] = []
        nested: list[Database] = []
        marked: str = Field("", json_schema_extra={"writeOnly": True})
        public: str = ""

    secret = [name for name, setting in ModelSchema(Deep).settings.items() if setting.secret]
    assert secret == ["DIRECT", "OPTIONAL", "LISTED", "NESTED", "MARKED"]


def test_typed_values_are_those_of_the_instance() -> None:
    schema = ModelSchema(Nested)
    typed, _ = schema.validate({"DB": '{"host": "h"}', "DB__PASSWORD": "p"})
    assert (typed["DB"], typed["DB__PASSWORD"]) == (schema.instance.db, "p")


class Refusing(BaseModel):
    """Refuses in every way that a validator can, with the value in its text."""

    a: str = ""
    b: int = Field(0, ge=0)
    nested: "RefusingPart | None" = None

    @pydantic.field_validator("a")
    @classmethod
    def check_a(cls, value: str) -> str:
        kind, _, _ = value.partition(":")
        if kind == "value":
            raise ValueError(value)
        if kind == "assert":
            raise AssertionError(value)
        if kind == "custom":
            raise PydanticCustomError(value, "{it}", {"it": value})
        if kind == "known":
            raise PydanticKnownError("greater_than", {"gt": value})
        if kind == "literal":
            raise PydanticKnownError("literal_error", {"expected": value})
        if kind == "key":
            raise KeyError(value)
        return value

    @pydantic.model_validator(mode="after")
    def check_all(self) -> "Refusing":
        if self.a.startswith("model"):
            raise ValueError(self.a)
        return self


class RefusingPart(BaseModel):
    """Refuses as a whole."""

    x: str = ""

    @pydantic.model_validator(mode="after")
    def check_all(self) -> "RefusingPart":
        raise ValueError(self.x)


@pytest.mark.parametrize("kind", ["value", "assert", "custom", "known", "literal", "key", "model"])
def test_what_a_validator_says_does_not_escape(kind: str) -> None:
    _, problems = ModelSchema(Refusing).validate({"A": f"{kind}:{CANARY}"})
    assert len(problems) == 1
    assert CANARY not in repr(problems)
    assert problems[0].name == ("" if kind in {"key", "model"} else "A")
    assert problems[0].message.startswith("invalid: ")


def test_a_validator_that_fails_is_told_by_type_and_place() -> None:
    (problem,) = ModelSchema(Refusing).validate({"A": f"key:{CANARY}"})[1]
    assert problem.message.startswith(
        "invalid: was refused by the schema's own validator, which failed with KeyError at "
    )


def test_a_nested_rule_is_told_by_the_name_that_was_given() -> None:
    assert messages(Refusing, {"NESTED__X": CANARY}) == {"NESTED": "invalid: was refused by the schema's own validator"}


def test_everything_wrong_is_told_at_once_in_order() -> None:
    _, problems = ModelSchema(Refusing).validate({"NESTED": "[", "B": "-1", "A": f"value:{CANARY}"})
    assert [(problem.name, problem.message) for problem in problems] == [
        ("A", "invalid: was refused by the schema's own validator"),
        ("B", "invalid: must be at least 0"),
        ("NESTED", "invalid: is not a JSON object"),
    ]


def test_keys_of_a_dict_are_not_told() -> None:
    _, problems = model_of(dict[str, dict[str, int]]).validate({"X": {CANARY: {CANARY: "x"}}})
    assert [problem.message for problem in problems] == ["invalid: is not an integer"]


def test_missing_required_settings_are_left_to_the_resolver() -> None:
    class Two(BaseModel):
        one: int
        two: str

    schema = ModelSchema(Two)
    assert schema.settings["ONE"].required
    assert schema.validate({"TWO": "t"}) == ({"TWO": "t"}, [])
    assert schema.validate({"ONE": "1"}) == ({"ONE": 1}, [])
    assert messages(Two, {"ONE": "x"}) == {"ONE": "invalid: is not an integer"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"x": (str, Field(validation_alias=AliasPath("a", 0)))}, "AliasPath"),
        ({"x": (str, Field(alias="not-a-name"))}, "`not-a-name` cannot be a setting's name"),
        ({"x": (str, ...), "X": (str, ...)}, "two fields of `Bad` are the setting `X`"),
        ({"db__host": (str, ""), "db": (Database, ...)}, "are the setting `DB__HOST`"),
    ],
)
def test_models_that_cannot_be_settings(fields: dict[str, Any], message: str) -> None:
    bad = create_model("Bad", **fields)
    with pytest.raises(ManifestError, match="Bad") as caught:
        ModelSchema(bad)
    assert message in str(caught.value)


def test_what_is_no_model_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="`int` is neither a pydantic model nor a dataclass"):
        ModelSchema(int)


def write(folder: Path, name: str, text: str) -> str:
    """Write a module with a unique name, and return it."""
    (folder / f"{name}.py").write_text(text)
    return name


def test_a_schema_is_imported_from_the_manifests_folder(tmp_path: Path) -> None:
    name = write(
        tmp_path, "imported_well", "from pydantic import BaseModel\nclass Outer:\n  class S(BaseModel):\n    x: int\n"
    )
    assert list(import_schema(f"{name}:Outer.S", str(tmp_path)).settings) == ["X"]


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("", "imported_bad_1x:S", "there is no module `imported_bad_1x` (did you mean `imported_bad_1`?)"),
        ("class Settings: ...", "imported_bad_2:Setings", "has no `Setings` (did you mean `Settings`?)"),
        ("S = 5", "imported_bad_3:S", "a int, is neither a pydantic model nor a dataclass"),
        (f"x = 1\nraise ValueError('{CANARY}')", "imported_bad_4:S", "failed with ValueError at imported_bad_4.py:2"),
        (f"x = '{CANARY}", "imported_bad_5:S", "failed with SyntaxError at imported_bad_5.py:1"),
        ("import no_such_module_x", "imported_bad_6:S", "failed with ModuleNotFoundError at imported_bad_6.py:1"),
    ],
)
def test_a_schema_that_cannot_be_had(tmp_path: Path, text: str, target: str, message: str) -> None:
    name = target.partition(":")[0].removesuffix("x")
    write(tmp_path, name, text)
    with pytest.raises(ManifestError) as caught:
        import_schema(target, str(tmp_path))
    assert message in str(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_loaded_module_is_not_taken_for_one_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, "json", "class S: ...")
    with pytest.raises(ManifestError, match="another module called `json` is loaded already"):
        import_schema("json:S", str(tmp_path))


def test_nothing_is_left_first_in_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    first = sys.path[0]
    import_schema(f"{write(tmp_path, 'imported_path', 'from pydantic import BaseModel as S')}:S", str(tmp_path))
    assert sys.path[0] == first
    assert os.fspath(tmp_path) == sys.path[-1]


class Shrub(pydantic.RootModel[dict[str, "Shrub"]]):
    """Made of itself."""


class Forest(BaseModel):
    tree: Shrub


def test_a_root_model_that_is_made_of_itself_is_json() -> None:
    schema = ModelSchema(Forest)
    assert schema.validate({"TREE": '{"a": {"b": {}}}'})[1] == []
    assert [one.name for one in schema.validate({"TREE": '{"a": 3}'})[1]] == ["TREE"]
