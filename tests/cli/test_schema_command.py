"""`confsvc schema`: what it prints is JSON Schema, and says the same as the checks of a start."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.errors import ManifestError
from confsvc.loading import load_manifest
from confsvc.manifest_schema import MANIFEST

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "examples").glob("**/confsvc.toml"))

TABLE = """
project = "shop"
[settings]
URL = { type = "url", secret = true, description = "where the orders are", default = "https://canary-4711" }
PORT = { type = "port", default = 8080, ge = 1024 }
RATIO = { type = "float", gt = 0, lt = 1.5 }
LEVEL = { type = "enum", choices = ["debug", "info"], default = "info" }
TAGS = { type = "list[int]", min_length = 1, default = [1] }
NAMES = { type = "dict[str, duration]", required = false }
TTL = { type = "duration", default = "5m", le = "1h" }
SINCE = { type = "date", default = 2024-02-29 }
CODE = { type = "str", pattern = "^[a-z]+$", max_length = 4 }
DATA = { type = "bytes", max_length = 3, required = false }
ANY = { type = "json", default = { a = [1] } }
"""

MODEL = """
from datetime import timedelta
from typing import Callable
from pydantic import BaseModel, Field, SecretStr
class Inner(BaseModel):
    host: str
    password: SecretStr = SecretStr("canary-4711")
class Settings(BaseModel):
    port: int = Field(8080, ge=1024, description="where it listens")
    ttl: timedelta = timedelta(minutes=5)
    token: SecretStr = SecretStr("canary-4711")
    name: str
    db: Inner
    hook: Callable | None = None
"""


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `confsvc schema` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "confsvc", "schema", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def printed(folder: Path, *arguments: str) -> dict[str, Any]:
    """Return what is printed, which is a JSON Schema."""
    done = run(folder, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "canary" not in done.stdout
    schema: dict[str, Any] = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def test_a_table(tmp_path: Path) -> None:
    (tmp_path / "confsvc.toml").write_text(TABLE)
    schema = printed(tmp_path)
    assert (schema["title"], schema["required"]) == ("shop", ["RATIO", "CODE"])
    assert schema["properties"] == {
        "URL": {
            "type": "string",
            "format": "uri",
            "minLength": 1,
            "description": "where the orders are",
            "writeOnly": True,
        },
        "PORT": {"type": "integer", "minimum": 1024, "maximum": 65535, "default": 8080},
        "RATIO": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1.5},
        "LEVEL": {"enum": ["debug", "info"], "default": "info"},
        "TAGS": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "default": [1]},
        "NAMES": {
            "type": "object",
            "additionalProperties": {
                "type": "string",
                "description": "A duration: `90s`, `5m`, `1h30m`, or ISO 8601.",
            },
        },
        "TTL": {
            "type": "string",
            "description": "A duration: `90s`, `5m`, `1h30m`, or ISO 8601.",
            "default": "5m",
        },
        "SINCE": {"type": "string", "format": "date", "default": "2024-02-29"},
        "CODE": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 4},
        "DATA": {"type": "string", "contentEncoding": "base64"},
        "ANY": {"default": {"a": [1]}},
    }


def test_a_model(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(MODEL)
    (tmp_path / "confsvc.toml").write_text('schema = "settings:Settings"\n')
    schema = printed(tmp_path)
    properties = schema["properties"]
    assert (schema["title"], schema["required"]) == ("Settings", ["NAME"])
    assert properties["PORT"] == {
        "type": "integer",
        "minimum": 1024,
        "default": 8080,
        "description": "where it listens",
    }
    assert properties["TTL"] == {"type": "string", "format": "duration", "default": "PT5M"}
    assert properties["TOKEN"] == {"type": "string", "format": "password", "writeOnly": True}
    assert properties["DB"]["required"] == ["host"]
    assert properties["DB__HOST"] == {"type": "string"}
    assert properties["HOOK"] == {}


def test_a_model_needs_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(MODEL)
    assert list(printed(tmp_path, "-s", "settings:Inner")["properties"]) == ["HOST", "PASSWORD"]


def test_without_settings_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "confsvc.toml").write_text('project = "shop"\n')
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("error: the manifest declares no settings\n")


def test_manifest_takes_no_other_option(tmp_path: Path) -> None:
    assert run(tmp_path, "--manifest", "-f", "x").returncode == 64


def test_the_manifests_own_schema_is_printed(tmp_path: Path) -> None:
    assert printed(tmp_path, "--manifest") == MANIFEST


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.parent.name)
def test_the_examples_keep_to_it(file: Path) -> None:
    jsonschema.validate(tomllib.loads(file.read_text()), MANIFEST)


def refused_by_both(folder: Path, text: str) -> None:
    """Assert that a start and the JSON Schema refuse the same manifest."""
    file = folder / "confsvc.toml"
    file.write_text(text)
    with pytest.raises(ManifestError):
        load_manifest(str(file))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), MANIFEST)


@pytest.mark.parametrize(
    "text",
    [
        "colour = 1",
        "project = 1",
        'project = "a/b"',
        'schema = "settings"',
        'extra = "take"',
        "settings = []",
        "[settings]\nX = { typ = 'str' }",
        "[settings]\nX = { type = 1 }",
        "[settings]\nX = { choices = [] }",
        "[settings]\nX = { min_length = -1 }",
        "[settings]\nX = { required = 'yes' }",
        "[settings]\n'a-b' = {}",
        "[backends]\nVault = {}",
        "[environments.x]\nsource = []",
        "[environments.x]\nsources = 'dotenv://.env'",
        "[environments.x]\nsources = [{ optional = true }]",
        "[environments.x]\nsources = [{ from = 'dotenv://.env', missing = 'ok' }]",
        "[environments.x.values]\n'a-b' = 1",
        "[environments.x.backends.UPPER]\nadapter = 'env'",
    ],
)
def test_what_a_start_refuses_an_editor_refuses(tmp_path: Path, text: str) -> None:
    refused_by_both(tmp_path, text)


@given(
    st.sampled_from(["", "[settings.X]", "[environments.x]"]),
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12),
)
def test_unknown_keys_are_refused_by_both(tmp_path_factory: pytest.TempPathFactory, table: str, key: str) -> None:
    where: Any = MANIFEST["properties"]
    if table:
        (inner,) = where[table.strip("[]").partition(".")[0]]["patternProperties"].values()
        where = inner["properties"]
    if key not in where:
        refused_by_both(tmp_path_factory.mktemp("unknown"), f"{table}\n{key} = 'x'\n")
