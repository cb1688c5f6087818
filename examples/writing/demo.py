"""A `.env` that a team passed around is imported, copied to production, and corrected there; a trail says who did what.

Run it with the Python that confsvc is installed for. It works in a folder of its own, and leaves nothing behind.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CONFSVC = str(Path(sys.executable).parent / "confsvc")
TRAIL = "audit.jsonl"


def main() -> None:
    """Run the demo. Ends with an error as soon as anything is not as it should be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("confsvc.toml", "team.env"):
            shutil.copy(HERE / file, folder)
        (folder / "production").mkdir()
        run(folder, "import team.env -e staging")
        run(folder, "set TLS_KEY -e staging --raw", stdin="-----BEGIN KEY-----\nplaceholder\n-----END KEY-----\n")
        run(folder, "copy staging production --all --dry-run")
        run(folder, "copy staging production --all")
        run(folder, "set API_KEY -e production", stdin="placeholder-of-production\n")
        run(folder, "set PORT -e production", stdin="http\n", status=65)
        run(folder, "copy staging production API_KEY", status=64)
        run(folder, "check -e production")
        show_trail(folder / TRAIL)
    print("\nevery setting is where its environment reads it from, and no value was shown")


def run(folder: Path, command: str, *, stdin: str = "", status: int = 0) -> None:
    """Run confsvc and show what it says; ``status`` is how it must end."""
    print(f"\n$ confsvc {command}")
    environ = {"PATH": os.environ.get("PATH", os.defpath), "NO_COLOR": "1", "CONFSVC_AUDIT": TRAIL}
    done = subprocess.run(
        [CONFSVC, *command.split()],
        cwd=folder,
        env=environ,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout, end="", flush=True)
    if done.returncode != status:
        sys.exit(f"it ended with {done.returncode}, not with {status}")


def show_trail(trail: Path) -> None:
    """Show who wrote what, without a value: there is none in it."""
    print(f"\n{trail.name}, its writes:")
    for line in map(json.loads, trail.read_text().splitlines()):
        if line["event"] == "write":
            names = ", ".join(setting["name"] for setting in line["settings"])
            print(f"  {line['command']:15} {line['environment']:11} {names}")


if __name__ == "__main__":
    main()
