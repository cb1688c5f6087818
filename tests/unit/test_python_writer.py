"""`confsvc schema --python`: the model that it writes says the same of every value as the table it was written from."""

import builtins
import functools
import keyword
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import confsvc
from confsvc import _json
from confsvc.errors import UsageError
from confsvc.fields import Like
from confsvc.models import ModelSchema
from confsvc.schema import TableSchema, check_schema, read_setting
from confsvc.writers.markdown import markdown
from confsvc.writers.python import python

KINDS: dict[str, dict[str, Any]] = {
    "str": {"type": "str"},
    "short": {"type": "str", "min_length": 2, "max_length": 3, "pattern": "^[a-c0-9]+$"},
    "str choices": {"type": "str", "choices": ["a", "b", ""]},
    "str choices and a limit": {"type": "str", "choices": ["a", "abc"], "min_length": 2},
    "int": {"type": "int"},
    "small": {"type": "int", "ge": 1, "lt": 100},
    "int choices": {"type": "int", "choices": [1, 2, 42]},
    "int choices and a limit": {"type": "int", "choices": [1, 42], "gt": 1},
    "float": {"type": "float", "gt": 0, "le": 10.5},
    "bool": {"type": "bool"},
    "url": {"type": "url"},
    "short url": {"type": "url", "max_length": 24},
    "enum": {"type": "enum", "choices": ["a", "b"]},
    "enum of numbers": {"type": "enum", "choices": [1, 42]},
    "json": {"type": "json"},
    "list": {"type": "list"},
    "list[int]": {"type": "list[int]", "min_length": 2},
    "list[url]": {"type": "list[url]"},
    "list[host]": {"type": "list[host]"},
    "list[path]": {"type": "list[path]"},
    "list[list[duration]]": {"type": "list[list[duration]]"},
    "dict[str, port]": {"type": "dict[str, port]", "max_length": 1},
    "dict[str, json]": {"type": "dict[str, json]"},
    "duration": {"type": "duration", "ge": "5s", "le": "1h30m"},
    "datetime": {"type": "datetime"},
    "date": {"type": "date"},
    "uuid": {"type": "uuid"},
    "path": {"type": "path"},
    "path like": {"type": "path", "pattern": "^/"},
    "port": {"type": "port"},
    "high port": {"type": "port", "ge": 1024},
    "host": {"type": "host"},
    "host like": {"type": "host", "pattern": "b$"},
    "email": {"type": "email"},
    "email like": {"type": "email", "pattern": "b$"},
    "bytes": {"type": "bytes", "max_length": 4},
}
TABLES = [table | extra for table in KINDS.values() for extra in ({}, {"secret": True})]

LONG = "9" * 5000

RAWS: list[object] = [
    *("", " ", "a", " a ", "abc", "abcd", "0", " 42\n", "01", "2", "4.5", "1e3", "nan", "-1", "1024", "99999", LONG),
    *("true", "No", "null", "a,b", "1, 2", "1,x", "[1,2]", '["5m","90"]', '[["5m"],["x"]]', "[1,", '{"a":1}', '"a"'),
    *('{"a":80,"b":443}', '{"a":null}', '{"a":[true,"off"]}', "5m", "2h", "PT5M", "1ms", "[NaN]"),
    *("2024-02-29", "2024-02-30", "2024-02-29T12:00:00Z", "00000000-0000-0000-0000-000000000000"),
    *(
        "https://user:pw@example.com/x",
        "postgres://a:1,b:2/db",
        "https://e.org",
        "not a url",
        "https://a.b,https://c.d",
    ),
    *("::1", "fe80::1%eth0", "::1:x", "a.b", "-a", "a:b", ":\0", "a@b", "a@b.", "/srv/x", "srv/x", "YWJj", "YWJjZGVm"),
    *("\udcff", "\0", b"", b"ab", b"a@b", b"::1", b"[1,2]", b"\xff\xfe", None, True),
    *(_json.Number("1.10"), _json.Number("7"), _json.Number("42"), ["a", _json.Number("1")], [None], ["::1"]),
    *({"a": _json.Number("80")}, {"a": "x"}, ["https://e.org", " b "]),
]


def table_of(**tables: dict[str, Any]) -> TableSchema:
    read = [read_setting(name, table) for name, table in tables.items()]
    assert [problems for _, problems in read if problems] == []
    schema = TableSchema([setting for setting, _ in read])
    assert check_schema(schema) == []
    return schema


def model_of(schema: TableSchema) -> type[BaseModel]:
    """Run what is written, without a warning, and return the model."""
    written = python(schema)
    names: dict[str, Any] = {"__name__": "written"}
    with warnings.catch_warnings(action="error"):
        exec(compile(written, "written.py", "exec"), names)  # noqa: S102 - it is what we wrote
    found: type[BaseModel] = names["Settings"]
    return found


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_the_model_says_of_every_value_what_the_table_says(table: dict[str, Any]) -> None:
    schema = table_of(X=table)
    model = ModelSchema(model_of(schema))
    for raw in RAWS:
        if raw == LONG and "json" in table["type"]:  # pydantic's parser of JSON takes no number that long
            continue
        expected, wrong = schema.validate({"X": raw})
        found, problems = model.validate({"X": raw})
        assert [(p.name, p.message) for p in problems] == [(p.name, p.message) for p in wrong], raw
        if expected == expected:  # noqa: PLR0124 - not a number
            assert repr(found) == repr(expected), raw


@functools.cache
def both(number: int) -> tuple[TableSchema, ModelSchema[BaseModel]]:
    schema = table_of(X=TABLES[number])
    return schema, ModelSchema(model_of(schema))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(range(len(TABLES))), st.text())
def test_and_of_any_text(number: int, text: str) -> None:
    table, model = both(number)
    assert [p.message for p in model.validate({"X": text})[1]] == [p.message for p in table.validate({"X": text})[1]]


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_what_the_model_is_written_down_as_is_what_the_table_is(table: dict[str, Any]) -> None:
    table = {"description": "What it is.\n\nAnd *more*.", **table}
    schema = table_of(X=table)
    found = ModelSchema(model_of(schema)).settings["X"]
    expected = schema.settings["X"]
    assert (found.name, found.required, found.secret) == (expected.name, True, expected.secret)
    assert found.description == "What it is.\nAnd *more*."
    if table["type"] in {"url", "host", "email", "port", "int", "duration", "path", "list[url]"} and table.keys() <= {
        "description",
        "type",
        "secret",
    }:
        assert markdown(ModelSchema(model_of(schema))) == markdown(schema)


DEFAULTS: list[tuple[dict[str, Any], object]] = [
    ({"type": "str"}, 'it\'s "quoted"\n\0 \\ \u202e é \U0001f511'),
    ({"type": "str"}, ""),
    ({"type": "int"}, 8080),
    ({"type": "float"}, "inf"),
    ({"type": "bool"}, False),
    ({"type": "url"}, "https://example.com"),
    ({"type": "json"}, {"a": [1, None, {"b": 1.5}]}),
    ({"type": "list[duration]"}, ["5m", "1h"]),
    ({"type": "dict[str, date]"}, {"a": "2024-02-29"}),
    ({"type": "duration"}, "-1h30m"),
    ({"type": "datetime"}, "2024-02-29T12:00:00+02:00"),
    ({"type": "date"}, "2024-02-29"),
    ({"type": "uuid"}, "00000000-0000-0000-0000-000000000000"),
    ({"type": "path"}, "/srv/it's"),
    ({"type": "bytes"}, "AAH/"),
    ({"type": "enum", "choices": ["a", "b"]}, "b"),
    ({"type": "int", "choices": [1, 2]}, 2),
    ({"type": "host"}, "::1"),
]


@pytest.mark.parametrize(("table", "default"), DEFAULTS, ids=str)
def test_a_default_is_the_same_and_of_the_same_type(table: dict[str, Any], default: object) -> None:
    schema = table_of(X={**table, "default": default})
    expected = schema.validate({"X": default})[0]["X"]
    made: Any = model_of(schema)()
    assert (made.x, type(made.x)) == (expected, type(expected))
    assert not ModelSchema(model_of(schema)).settings["X"].required


def test_what_may_be_left_out_is_none() -> None:
    model: Any = model_of(table_of(A={"required": False}, B={"type": "url", "secret": True, "required": False}))
    assert (model().a, model().b) == (None, None)


def test_the_default_of_a_secret_is_not_written() -> None:
    schema = table_of(KEY={"secret": True, "default": "canary"})
    assert "canary" not in python(schema)
    assert "Its default is a secret" in python(schema)
    assert ModelSchema(model_of(schema)).settings["KEY"].required


NAMES = ["PORT", "port", "Port", "_PRIVATE", "__x", "_1", "_", "CLASS", "DATE", "COPY", "MODEL_CONFIG", "MODEL_DUMP_X",
         "STR", "JSON", "Path", "Field", "SETTINGS", "LIST", "SELF", "A__B", "None", "Like"]  # fmt: skip


def test_every_name_becomes_a_field_and_stays_the_settings() -> None:
    schema = table_of(**{name: {"type": "date", "default": "2024-02-29"} for name in NAMES})
    model = model_of(schema)
    assert list(ModelSchema(model).settings) == NAMES
    fields = set(model.model_fields)
    assert fields.isdisjoint([*keyword.kwlist, *dir(builtins), *dir(BaseModel)])
    assert all(field.isidentifier() and field == field.lower() for field in fields)


def test_load_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "confsvc.toml").write_text("[environments.app]\nsources = ['dotenv://.env']\n")
    (tmp_path / ".env").write_text("DATABASE_URL=postgres://u:p@a:1,b:2/db\nHOSTS=::1,example.com\nPORT=80\nLevel=2\n")
    monkeypatch.chdir(tmp_path)
    schema = table_of(
        DATABASE_URL={"type": "url", "secret": True},
        HOSTS={"type": "list[host]"},
        PORT={"type": "port", "default": 8080},
        Level={"type": "int", "choices": [1, 2]},
        TTL={"type": "duration", "default": "5m"},
    )
    made: Any = confsvc.load(model_of(schema))
    assert made.database_url.get_secret_value() == "postgres://u:p@a:1,b:2/db"
    assert (made.hosts, made.port, made.level, made.ttl.seconds) == (["::1", "example.com"], 80, 2, 300)
    assert "p@a" not in repr(made)
    with pytest.raises(confsvc.ResolutionError) as caught:
        confsvc.load(model_of(schema), set={"PORT": "70000", "DATABASE_URL": "canary"})
    assert [(p.name, p.message) for p in caught.value.problems] == [
        ("DATABASE_URL", "invalid: is not a URL"),
        ("PORT", "invalid: must be at most 65535"),
    ]


def test_its_types_also_read_what_is_written_in_python() -> None:
    model: Any = model_of(table_of(TTL={"type": "port", "ge": 2}, URL={"type": "url", "secret": True}))
    made = model(ttl=" 80 ", url="https://example.com")
    assert (made.ttl, made.url.get_secret_value()) == (80, "https://example.com")
    assert model.model_validate(made.model_dump()) == made
    for wrong in ({"ttl": 1}, {"ttl": ""}, {"url": "canary"}):
        with pytest.raises(ValueError, match="Settings") as caught:
            model(**{"ttl": 80, "url": "https://example.com", **wrong})
        assert "canary" not in str(caught.value)


ABOUT = "What it is for, in more words than fit on one line of a module that people read"


def test_what_is_written_is_formatted_and_imports_what_it_uses(tmp_path: Path) -> None:
    tables = {f"S{n}": table for n, table in enumerate(TABLES)}
    usual = [*(table for table in KINDS.values() if len(table) == 1), KINDS["enum"]]
    (tmp_path / "all.py").write_text(python(table_of(**tables)))
    described = {f"S{n}": {**table, "description": ABOUT} for n, table in enumerate(usual)}
    (tmp_path / "usual.py").write_text(python(table_of(**described, PLAIN={}, FLAG={"type": "bool", "default": True})))
    for command in (["check", "--isolated", "--select=F,I", "."], ["format", "--isolated", "--check", "usual.py"]):
        ruff = [str(Path(sys.executable).parent / "ruff"), *command]
        done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_what_is_a_class_already_is_not_written() -> None:
    with pytest.raises(UsageError, match="one already"):
        python(ModelSchema(model_of(table_of(A={}))))


@pytest.mark.parametrize("kind", ["json", "list[int]", "dict[str, int]", "prot", "list["])
def test_like_takes_what_it_can_check(kind: str) -> None:
    with pytest.raises(UsageError):
        Like(kind)
