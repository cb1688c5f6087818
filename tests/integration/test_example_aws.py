"""The example of AWS runs as its README says, with one command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "aws" / "demo.py"


@pytest.fixture(scope="module")
def shown() -> str:
    """What the demo prints."""
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(DEMO)], capture_output=True, text=True, check=False, env=environ, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_program_runs_in_both_environments_and_gets_the_new_password(shown: str) -> None:
    development, production, rotated = shown.split("\n=== ")[1:]
    assert "LOG_LEVEL     debug" in development
    assert "PORT          8080" in development
    assert "LOG_LEVEL     warning" in production
    assert "PORT          80" in production
    lines = [line for line in rotated.splitlines() if "DATABASE_URL" in line]
    assert len(lines) == 2
    assert lines[0] != lines[1]


def test_no_secret_is_shown(shown: str) -> None:
    assert not any(word in shown for word in ("p@ss", "p%40ss", "next@", "shop:example"))
