"""What `confsvc exec` may load: every module on the way to a command costs every start of every program."""

import json
import subprocess
import sys

import pytest

# The standard library's modules that a start may use. A new one is a decision: measure it with
# tests/benchmarks/startup.py, and import what only errors or rare types need where it is used.
ALLOWED_STDLIB = frozenset(
    "__future__ argparse base64 binascii codecs collections contextlib copyreg datetime encodings enum errno functools "
    "gettext importlib itertools keyword locale math operator re reprlib resource signal string struct threading time "
    "tomllib types typing warnings".split()
)
ALLOWED_OTHERS = frozenset({"confsvc", "confsvc_local", "dotenv", "pydantic_core"})

REPORT = """
import json, os, sys
before = set(sys.modules)
def execve(*_):
    print(json.dumps(sorted(set(sys.modules) - before)))
    sys.stdout.flush()
    os._exit(0)
os.execve = execve
sys.argv = ["confsvc", "exec", "--", sys.executable]
from confsvc.__main__ import main
main()
"""

MANIFEST = """
[settings]
URL = { type = "url", secret = true }
PORT = { type = "int", ge = 1, default = 8080 }
NAME = { type = "str" }
[environments.development]
sources = ["dotenv://.env"]
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the modules that a plain `confsvc exec` with a `.env` has loaded when it becomes the command."""
    folder = tmp_path_factory.mktemp("budget")
    (folder / "confsvc.toml").write_text(MANIFEST)
    (folder / ".env").write_text("URL=https://example.com\nNAME=shop\n")
    done = subprocess.run([sys.executable, "-I", "-c", REPORT], cwd=folder, capture_output=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def top(name: str) -> str:
    """Return the top-level package of a module; private accelerators count as what they accelerate."""
    return name.partition(".")[0]


def test_only_modules_within_the_budget_are_loaded(loaded: list[str]) -> None:
    known = ALLOWED_STDLIB | ALLOWED_OTHERS
    over = sorted({top(name) for name in loaded if top(name) not in known and not name.startswith("_")})
    assert over == []


def test_packages_are_not_run_for_one_module_of_theirs(loaded: list[str]) -> None:
    theirs = {name for name in loaded if top(name) in {"dotenv", "pydantic_core"}}
    assert theirs == {"dotenv.parser", "dotenv.variables", "pydantic_core._pydantic_core"}


def test_modules_for_errors_and_other_commands_are_not_loaded(loaded: list[str]) -> None:
    for name in (
        "confsvc._toml_lines",
        "confsvc.models",
        "confsvc.library",
        "confsvc.cli.check",
        "confsvc.cache",
        "difflib",
        "hashlib",
    ):
        assert name not in loaded
