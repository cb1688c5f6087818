"""What `confsvc report` takes on 2,000 settings in 5 environments, against `check` of one of them in the same run.

`python tests/benchmarks/report.py`
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from racing import give_up_after

SETTINGS, ENVIRONMENTS = 2000, 5
LIMIT_SECONDS, LIMIT_MIB = 10.0, 250
CONFSVC = str(Path(sys.executable).parent / "confsvc")


def main() -> None:
    """Print the table."""
    give_up_after(1800)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        names = [f"SETTING_{number:04}" for number in range(SETTINGS)]
        parts = ["[settings]\n", *(f"{name} = {{ secret = true }}\n" for name in names)]
        for number in range(ENVIRONMENTS):
            parts.append(f'[environments.e{number}]\nsources = ["dotenv://{number}.env"]\n')
            (folder / f"{number}.env").write_text("".join(f"{name}=value\n" for name in names))
        (folder / "confsvc.toml").write_text("".join(parts))
        one = seconds(folder, "check", "-e", "e0")
        all_ = seconds(folder, "report", "-o", "report.html", "--force", "-q")
        size = (folder / "report.html").stat().st_size / 1e6
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"report: {SETTINGS:,} settings x {ENVIRONMENTS} environments")
    is_over = all_ > LIMIT_SECONDS or memory > LIMIT_MIB  # on a busy machine it says nothing
    print(f"  {all_:.2f} s, {all_ / one:.1f} times `check` of one; at most {LIMIT_SECONDS:g} s")
    print(f"  {memory:.0f} MiB, at most {LIMIT_MIB}; a page of {size:.1f} MB{'  OVER' if is_over else ''}")


def seconds(folder: Path, *argv: str) -> float:
    """Return how long a command takes, the best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([CONFSVC, *argv], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - began)
    return best


if __name__ == "__main__":
    main()
