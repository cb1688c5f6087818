"""The example of GCP runs as its README says, with one command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "gcp" / "demo.py"


@pytest.fixture(scope="module")
def shown() -> str:
    """What the demo prints."""
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(DEMO)], capture_output=True, text=True, check=False, env=environ, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_program_runs_in_both_environments(shown: str) -> None:
    development, production = shown.split("\n=== ")[1:]
    assert "SHOP_LOG_LEVEL  debug" in development
    assert "SHOP_PORT       8080" in development
    assert "SHOP_LOG_LEVEL  warning" in production
    assert "SHOP_PORT       80" in production
    assert "(46 characters)" in production


def test_no_secret_is_shown(shown: str) -> None:
    assert not any(word in shown for word in ("p@ss", "p%40ss", "shop:example"))
