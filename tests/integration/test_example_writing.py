"""The example of writing does what its README says."""

import os
import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parents[2] / "examples" / "writing" / "demo.py"


def test_the_demo_writes_copies_and_is_refused_without_showing_a_value() -> None:
    before = sorted(path.name for path in DEMO.parent.rglob("*"))
    environ = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(DEMO)], capture_output=True, text=True, check=False, env=environ, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in DEMO.parent.rglob("*")) == before
    shown = done.stdout
    assert "EDITOR        left out  no setting is called so; --extra takes it" in shown
    assert "wrote `API_KEY` to dir://production/#api_key" in shown
    assert "PORT  invalid: is not an integer" in shown
    assert "a setting of production would be overwritten, so nothing was written: `API_KEY`" in shown
    assert "ok: 4 settings resolve and validate for production" in shown
    assert "  confsvc copy    production  API_KEY, DATABASE_URL, TLS_KEY\n" in shown
    assert "placeholder" not in shown
