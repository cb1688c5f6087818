"""What mypy and pyright know of the library: right uses pass, and every mistake is found, where it is."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from confsvc.schema import TableSchema, read_setting
from confsvc.writers.python import python

ROOT = Path(__file__).parents[2]
RIGHT = ROOT / "tests" / "typing" / "library_types.py"
MISTAKES = (ROOT / "tests" / "typing" / "mistakes.txt").read_text()

TABLE: dict[str, dict[str, Any]] = {
    "DATABASE_URL": {"type": "url", "secret": True, "description": "DSN of the orders database"},
    "PORT": {"type": "port", "default": 8080, "ge": 1024},
    "LEVEL": {"type": "int", "choices": [1, 2], "default": 1},
    "LOG": {"type": "enum", "choices": ["a", "b"], "required": False},
    "TTL": {"type": "duration", "default": "5m", "le": "1h"},
    "PATHS": {"type": "list[path]", "default": ["/srv"]},
    "LIMITS": {"type": "json", "default": {"a": [1]}},
    "KEY": {"type": "bytes", "secret": True, "max_length": 4},
    "NUMBER": {"type": "int", "secret": True, "ge": 1},
    "HOST": {"type": "host", "required": False},
}
USE = """

def use(made: Settings) -> tuple[str, int, str | None]:
    return made.database_url.get_secret_value(), made.port, made.host


def use_secrets(made: Settings) -> tuple[bytes, int]:
    return made.key.get_secret_value(), made.number.get_secret_value()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is right, what a model is written as, and the mistakes."""
    (tmp_path / "right.py").write_text(RIGHT.read_text())
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    schema = TableSchema([read_setting(name, table)[0] for name, table in TABLE.items()])
    (tmp_path / "written.py").write_text(python(schema) + USE)
    return tmp_path


def run_mypy(folder: Path) -> dict[str, set[int]]:
    """Return the lines that it finds fault with, by file."""
    cache = ROOT / ".mypy_cache" / "typing"
    options = ["--strict", "--no-error-summary", "--config-file=", f"--cache-dir={cache}", "--no-color-output"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "."], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    found = re.findall(r"^(\w+\.py):(\d+): error", done.stdout, re.MULTILINE)
    assert len(found) == done.stdout.count(" error: "), done.stdout
    return by_file(found)


def run_pyright(folder: Path) -> dict[str, set[int]]:
    """Return the lines that it finds fault with, by file."""
    (folder / "pyrightconfig.json").write_text(
        json.dumps({"typeCheckingMode": "strict", "reportUnusedExpression": False})
    )
    done = subprocess.run(
        [Path(sys.executable).parent / "basedpyright", "--outputjson", f"--pythonpath={sys.executable}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    said = json.loads(done.stdout)["generalDiagnostics"]
    errors = [one for one in said if one["severity"] == "error"]
    return by_file((Path(one["file"]).name, str(one["range"]["start"]["line"] + 1)) for one in errors)


def by_file(found: object) -> dict[str, set[int]]:
    lines: dict[str, set[int]] = {}
    for name, line in found:  # type: ignore[attr-defined]
        lines.setdefault(name, set()).add(int(line))
    return lines


@pytest.mark.parametrize("check", [run_mypy, run_pyright])
def test_what_is_right_passes_and_what_is_not_is_found(
    check: Callable[[Path], dict[str, set[int]]], folder: Path
) -> None:
    wrong = {number for number, line in enumerate(MISTAKES.splitlines(), 1) if line.endswith("# wrong")}
    assert check(folder) == {"mistakes.py": wrong}
