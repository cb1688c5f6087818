"""Install a wheel where nothing else of this checkout is, and try it: `python tests/try_wheel.py WHEEL`."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path


def main() -> None:
    """Install and try; any failure ends it."""
    wheel = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        constraints = Path(__file__).parent.parent / "requirements" / "dev.txt"
        pins = [line.split(" ")[0] for line in constraints.read_text().splitlines() if "==" in line]
        (folder / "pins.txt").write_text("\n".join(pins) + "\n")
        run(str(python), "-m", "pip", "install", "--quiet", "-c", str(folder / "pins.txt"), str(wheel), cwd=folder)
        (folder / ".env").write_text("GREETING=hello\n")
        where = run(str(python), "-c", "import confsvc; print(confsvc.__file__)", cwd=folder)
        if "site-packages" not in where:
            sys.exit(f"the wheel was not what was imported: {where}")
        confsvc = str(folder / "venv" / "bin" / "confsvc")
        run(confsvc, "--version", cwd=folder)
        got = run(confsvc, "exec", "--source", "dotenv://.env", "--", "sh", "-c", 'echo "$GREETING"', cwd=folder)
        if got != "hello\n":
            sys.exit(f"the wheel's exec gave {got!r}")
        print(f"{wheel.name}: installs, imports and runs")


def run(*command: str, cwd: Path) -> str:
    """Run and return stdout; exit where it fails."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
