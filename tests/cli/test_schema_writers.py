"""`confsvc schema` writes the settings down for others, from either spelling."""

import json
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from confsvc.schema import Setting, TableSchema
from confsvc.testing import find_leaks
from confsvc.types import SettingType
from confsvc.writers.env_example import env_example
from confsvc.writers.markdown import markdown
from confsvc.writers.typescript import typescript
from openbao import missing
from running import Project

MANIFEST = r"""
project = "shop"
[settings]
DATABASE_URL = { type = "url", secret = true, description = "DSN of the orders\n  database\n\nAsk *ops* | or me" }
PORT = { type = "port", default = 8080, ge = 1024 }
LEVEL = { type = "enum", choices = ["debug", "info"], default = "info" }
TAGS = { type = "list[str]", default = ["a b", "it's"] }
NICKNAME = { required = false }
KEY = { secret = true, default = "CANARY" }
[environments.development]
"""
MODEL = """
from typing import Literal
from pydantic import BaseModel, Field, SecretStr

class Settings(BaseModel):
    database_url: SecretStr = Field(description="DSN of the orders database")
    port: int = Field(8080, ge=1024)
    level: Literal["debug", "info"] = "info"
    key: SecretStr = SecretStr("CANARY")
"""
CANARY = "cnry-5d2f81c07be94a63"
WRITERS = ("--env-example", "--markdown", "--typescript")


@pytest.fixture
def shop(project: Project) -> Project:
    project.manifest(MANIFEST.replace("CANARY", CANARY), **{"shop_model.py": MODEL.replace("CANARY", CANARY)})
    return project


def test_an_example_of_a_env_file(shop: Project) -> None:
    done = shop.run("schema", "--env-example")
    assert (done.status, done.err) == (0, "")
    assert done.out == (
        "# DSN of the orders database\n# Ask *ops* | or me\n# url, secret\nDATABASE_URL=\n\n"
        "# port, at least 1024, optional\n#PORT=8080\n\n"
        "# enum, one of debug, info, optional\n#LEVEL=info\n\n"
        '# list[str], optional\n#TAGS=\'["a b","it\\\'s"]\'\n\n'
        "# str, optional\n#NICKNAME=\n\n"
        "# str, secret, optional\n#KEY=\n"
    )


def test_a_table_for_people(shop: Project) -> None:
    done = shop.run("schema", "--markdown")
    assert (done.status, done.err) == (0, "")
    rows = done.out.splitlines()
    assert rows[2] == "| `DATABASE_URL` | url, secret | yes | DSN of the orders database Ask \\*ops\\* \\| or me |"
    assert rows[3] == "| `PORT` | port, at least 1024 | no; `8080` |  |"
    assert rows[6:] == ["| `NICKNAME` | str | no |  |", "| `KEY` | str, secret | no |  |"]


def test_declarations_for_typescript(shop: Project) -> None:
    done = shop.run("schema", "--typescript")
    assert (done.status, done.err) == (0, "")
    for line in ("  DATABASE_URL: string;", '  LEVEL: "debug" | "info";', "  NICKNAME?: string;", "  PORT: string;"):
        assert line in done.out.splitlines()
    assert 'export type SecretName = "DATABASE_URL" | "KEY";' in done.out


def test_a_model_for_load(shop: Project) -> None:
    done = shop.run("schema", "--python")
    assert (done.status, done.err) == (0, "")
    assert done.out == (
        '"""Settings for `confsvc.load`, as `confsvc schema --python` wrote them."""\n\n'
        "from typing import Annotated, Literal\n\n"
        "from confsvc.fields import Like, SecretUrl\n"
        "from pydantic import BaseModel, ConfigDict, Field, SecretStr\n\n\n"
        "class Settings(BaseModel):\n"
        '    """What the program is configured with."""\n\n'
        "    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)\n\n"
        "    database_url: SecretUrl = Field(\n"
        '        description="DSN of the orders database\\nAsk *ops* | or me",\n'
        "    )\n"
        '    port: Annotated[int, Like("port", ge=1024)] = 8080\n'
        '    level: Literal["debug", "info"] = "info"\n'
        '    tags: list[str] = ["a b", "it\'s"]\n'
        "    nickname: str | None = None\n"
        "    # Its default is a secret, and stays in the manifest.\n"
        "    key: SecretStr\n"
    )
    shop.write({"shop_settings.py": done.out})
    written = json.loads(shop.run("schema", "-s", "shop_settings:Settings").out)["properties"]
    table = json.loads(shop.run("schema").out)["properties"]
    assert list(written) == list(table)
    assert written["PORT"]["default"] == 8080
    assert written["DATABASE_URL"]["writeOnly"]
    shop.write({".env": "DATABASE_URL=https://example.com\nKEY=x\n"})
    command = ["exec", "-s", "shop_settings:Settings", "--source", "dotenv://.env", "--", "sh", "-c", "echo $PORT $KEY"]
    assert shop.run(*command).out == "8080 x\n"
    assert shop.run(*command, env={"PORT": "80"}).status == 65


def test_a_class_is_no_table_to_write_a_model_from(shop: Project) -> None:
    done = shop.run("schema", "--python", "-s", "shop_model:Settings")
    assert (done.status, done.out) == (64, "")
    assert done.err == "error: --python writes a model from a [settings] table, and this schema is one already\n"


@pytest.mark.parametrize("writer", WRITERS)
def test_a_model_is_written_down_too_and_no_secret_shows(writer: str, shop: Project) -> None:
    for arguments in ((), ("-s", "shop_model:Settings")):
        done = shop.run("schema", writer, *arguments)
        assert (done.status, done.err) == (0, "")
        assert "DATABASE_URL" in done.out
        assert find_leaks(CANARY, done.out) == []
        assert shop.run("schema", writer, *arguments).out == done.out


def test_a_model_has_the_words_that_a_table_has(shop: Project) -> None:
    """What is chosen from, and what limits a type of the manifest's, is told of both spellings."""
    shop.write({"shop_settings.py": shop.run("schema", "--python").out})
    said = {kind: shop.run("schema", "--typescript", *kind).out for kind in ((), ("-s", "shop_settings:Settings"))}
    for text in said.values():
        assert '  LEVEL: "debug" | "info";\n' in text
        assert "   * enum, one of debug, info\n" in text
        assert "   * port, at least 1024\n" in text


def test_one_thing_at_a_time(shop: Project) -> None:
    for arguments in (("--markdown", "--typescript"), ("--manifest", "--env-example")):
        done = shop.run("schema", *arguments)
        assert (done.status, done.out) == (64, "")
        assert "one thing is printed at a time" in done.err


def test_typescript_takes_the_declarations(shop: Project) -> None:
    compiler = shutil.which("tsc") or missing("tsc", "apt-get install node-typescript")
    (shop.folder / "env.d.ts").write_text(shop.run("schema", "--typescript").out)
    done = subprocess.run([compiler, "--noEmit", "env.d.ts"], cwd=shop.folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


@given(text, text)
def test_what_is_shown_is_read_back_and_stays_in_its_place(default: str, description: str) -> None:
    schema = TableSchema([Setting("NAME", SettingType("str"), default=default, description=description)])
    shown = env_example(schema)
    uncommented = shown.splitlines(keepends=True)
    found = "".join(uncommented[next(i for i, line in enumerate(uncommented) if line.startswith("#NAME=")) :])[1:]
    if "\r" not in default and "${" not in default:
        assert dotenv_values(stream=StringIO(found, newline="")) == {"NAME": default}
    assert len(markdown(schema).split("\n")) == 4
    assert typescript(schema).count("*/") == 1


def test_the_writers_are_not_imported_on_the_way_to_a_command() -> None:
    source = Path(__file__).parents[2] / "confsvc" / "cli" / "schema.py"
    assert "from confsvc.writers" not in source.read_text()
