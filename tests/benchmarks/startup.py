"""What putting confsvc in front of a command costs: `python tests/benchmarks/startup.py [RUNS]`.

30 settings of mixed types from one `.env`. Whole processes, run in turn; the table gives medians, and ratios against a
bare `python -c pass` of the same run. Compare rows of one run only.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from racing import give_up_after

TYPES = ("str", "int", "bool", "url", "float", "port", "host", "duration", "list[str]", "email")
VALUES = (
    "plain text",
    "42",
    "true",
    "https://example.com/a",
    "0.5",
    "8080",
    "db.internal",
    "5m",
    "a,b,c",
    "a@b.example",
)
PYDANTIC = ("str", "int", "bool", "AnyUrl", "float", "int", "str", "str", "str", "str")

PYDANTIC_SCRIPT = """
import os, sys
from dotenv import dotenv_values
from pydantic import AnyUrl, BaseModel
class Settings(BaseModel):
{fields}
values = dotenv_values(".env")
Settings.model_validate(values)
os.execvpe(sys.argv[1], sys.argv[1:], {{**os.environ, **values}})
"""


def main() -> None:
    """Print the table."""
    give_up_after(1800)
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 31
    scripts = Path(sysconfig.get_path("scripts"))
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder))
        cases = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "confsvc exec": [str(scripts / "confsvc"), "exec", "--", "/bin/true"],
            "dotenv run": [str(scripts / "dotenv"), "run", "--", "/bin/true"],
            "dotenv_values + pydantic": [sys.executable, "validate.py", "/bin/true"],
        }
        cases = {name: command for name, command in cases.items() if shutil.which(command[0])}
        for name, times in measure(cases, runs, folder).items():
            print(f"{name:28} {median(times) * 1000:7.1f} ms  {ratio(times):5.2f} times a bare python")


def write_project(folder: Path) -> None:
    """Write a manifest, its `.env`, and the pydantic script that does the same work."""
    names = [f"SETTING_{number}" for number in range(30)]
    kinds = [TYPES[n % len(TYPES)] for n in range(30)]
    settings = "".join(f'{name} = {{ type = "{kind}" }}\n' for name, kind in zip(names, kinds, strict=True))
    manifest = f'[settings]\n{settings}\n[environments.development]\nsources = ["dotenv://.env"]\n'
    (folder / "confsvc.toml").write_text(manifest)
    (folder / ".env").write_text("".join(f"{name}={VALUES[n % 10]!r}\n" for n, name in enumerate(names)))
    fields = "".join(f"    {name}: {PYDANTIC[n % 10]}\n" for n, name in enumerate(names))
    (folder / "validate.py").write_text(PYDANTIC_SCRIPT.format(fields=fields))


_floor: list[float] = []


def measure(cases: dict[str, list[str]], runs: int, folder: str) -> dict[str, list[float]]:
    """Run every case in turn, `runs` times after one warm-up. Returns the seconds of each run."""
    environ = {"PATH": os.environ["PATH"]}
    times: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(runs + 1):
        for name, command in cases.items():
            start = time.perf_counter()
            subprocess.run(command, cwd=folder, env=environ, check=True)
            if number:
                times[name].append(time.perf_counter() - start)
    _floor[:] = times["python -c pass"]
    return times


def ratio(times: list[float]) -> float:
    """Return the median of the ratios of runs that stood next to each other."""
    return median(mine / floor for mine, floor in zip(times, _floor, strict=True))


if __name__ == "__main__":
    main()
