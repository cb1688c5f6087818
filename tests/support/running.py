"""Running the real command in a folder of its own, as a user would."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["CONFSVC", "Done", "Project"]

CONFSVC = str(Path(sys.executable).parent / "confsvc")


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
        self.environ = {"PATH": f"{Path(CONFSVC).parent}:/usr/bin:/bin", "NO_COLOR": "1", "COLUMNS": "100"}

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files, by their path in the folder."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def swap(self, name: str, text: str) -> None:
        """Put a file in the place of another in one step: who watches it sees one of them, never half of one."""
        new = self.folder / f"{name}.new"
        new.write_text(text)
        new.replace(self.folder / name)

    def manifest(self, text: str, **files: str | bytes) -> None:
        """Write `confsvc.toml`, and `.env` where `env` is given."""
        self.write({"confsvc.toml": text, **{{"env": ".env"}.get(name, name): data for name, data in files.items()}})

    def run(self, *argv: str, env: Mapping[str, str] | None = None, stdin: bytes = b"", cwd: str = ".") -> Done:
        """Run `confsvc` with `argv`; `env` is added to the project's environment."""
        return self._run([CONFSVC, *argv], {**self.environ, **(env or {})}, stdin, cwd)

    def shell(self, script: str, env: Mapping[str, str] | None = None) -> Done:
        """Run a script with bash, in which a failure anywhere in a pipe counts; `confsvc` is in its PATH."""
        return self._run(["bash", "-o", "pipefail", "-c", script], {**self.environ, **(env or {})}, b"", ".")

    def _run(self, command: list[str], environ: Mapping[str, str], stdin: bytes, cwd: str) -> Done:
        done = subprocess.run(
            command,
            cwd=self.folder / cwd,
            env=environ,
            input=stdin,
            capture_output=True,
            timeout=180,
            check=False,
        )
        out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
        return Done(done.returncode, out, err, done.stdout)

    def started(self) -> bool:
        """Whether a command that touches `started` was run."""
        return (self.folder / "started").exists()
