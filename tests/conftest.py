"""What tests share: a project folder with the real command in it, and a value that must show nowhere."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

CONFSVC = Path(sys.executable).parent / "confsvc"


class Done(NamedTuple):
    """What a command ended with."""

    status: int
    out: str
    err: str
    raw: bytes


class Project:
    """A folder with a manifest, in which `confsvc` is run as a user would, in an environment of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": f"{CONFSVC.parent}:/usr/bin:/bin", "NO_COLOR": "1", "COLUMNS": "100"}

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files, by their path in the folder."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def manifest(self, text: str, **files: str | bytes) -> None:
        """Write `confsvc.toml`, and `.env` where `env` is given."""
        self.write({"confsvc.toml": text, **{{"env": ".env"}.get(name, name): data for name, data in files.items()}})

    def run(self, *argv: str, env: Mapping[str, str] | None = None, stdin: bytes = b"", cwd: str = ".") -> Done:
        """Run `confsvc` with `argv`; `env` is added to the project's environment."""
        environ = {**self.environ, **(env or {})}
        done = subprocess.run(
            [CONFSVC, *argv],
            cwd=self.folder / cwd,
            env=environ,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Done(
            done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.stdout
        )

    def started(self) -> bool:
        """Whether a command that touches `started` was run."""
        return (self.folder / "started").exists()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project, which no manifest above it reaches into."""
    (tmp_path / ".git").mkdir()
    return Project(tmp_path)


@pytest.fixture
def canary() -> str:
    """A value that must show nowhere but in the child."""
    return "cnry-9f2b7c41d8"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in os.environ:
        if name.startswith(("CONFSVC_", "VAULT_", "BAO_")):
            monkeypatch.delenv(name)
