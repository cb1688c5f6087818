"""What looking at several environments costs: `python tests/benchmarks/environments.py [RUNS]`.

Five environments of 100 settings each in three stores, a real OpenBao and two services of a moto_server, all of them
documents of their own, with 20 ms added to every round trip: `check --all` against each environment alone, run in turn,
so that the ratio holds on a noisy machine. Then `diff` of two environments of 2,000 settings, with its memory. Compare
rows of one run only.
"""

import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from aws import ENVIRON, Aws, run_moto
from openbao import ROOT, Bao, run_bao
from racing import distant, give_up_after, print_times, race, ratio

ENVIRONMENTS = ("one", "two", "three", "four", "five")
COUNTS = {"vault://secret/bench/{}-{}#value": 34, "aws-sm://bench/{}-{}": 33, "aws-ssm:///bench/{}-{}": 33}
MANY, PART = 2000, 100  # settings, and how many of them stand in one document
DISTANCE = 0.02  # seconds
SCRIPT = str(Path(sysconfig.get_path("scripts")) / "confsvc")


def main() -> None:
    """Print the tables."""
    give_up_after(1800)
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as text, run_bao(Path(text)) as bao, run_moto(Path(text)) as moto:
        folder = Path(text)
        prepare(bao, moto, folder)
        with distant(bao.port, DISTANCE) as vault, distant(moto.port, DISTANCE) as aws:
            environ = {
                **ENVIRON,
                "PATH": os.environ["PATH"],
                "HOME": text,
                "VAULT_ADDR": f"http://127.0.0.1:{vault}",
                "VAULT_TOKEN": ROOT,
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws}",
            }
            compare(environ, folder, runs)
            many(environ, folder, runs)


def prepare(bao: Bao, moto: Aws, folder: Path) -> None:
    """Store the values, and write the manifests."""
    text = "[settings]\n" + "".join(f"S{n} = {{ secret = true }}\n" for n in range(sum(COUNTS.values())))
    for environment in ENVIRONMENTS:
        references = [form.format(environment, n) for form, count in COUNTS.items() for n in range(count)]
        text += f"[environments.{environment}.values]\n"
        text += "".join(f'S{n} = "${{{one}}}"\n' for n, one in enumerate(references))
        for number in range(max(COUNTS.values())):
            bao.put(f"bench/{environment}-{number}", {"value": f"value {number}"})
            moto.put_secret(f"bench/{environment}-{number}", f"value {number}")
            moto.put_parameter(f"/bench/{environment}-{number}", f"value {number}")
    (folder / "five.toml").write_text(text)
    settings = "".join(f'S{n} = {{ type = "str" }}\n' for n in range(MANY))
    sources = ", ".join(f'"vault://secret/many/{{environment}}-{part}"' for part in range(0, MANY, PART))
    (folder / "many.toml").write_text(
        f'[settings]\n{settings}[environments.one]\nsources = [{sources}]\n[environments.two]\nextends = "one"\n'
    )
    for environment in ("one", "two"):
        for part in range(0, MANY, PART):
            fields = {f"S{n}": f"{environment if n % 4 else 'both'} {n}" for n in range(part, part + PART)}
            bao.put(f"many/{environment}-{part}", fields)


def compare(environ: dict[str, str], folder: Path, runs: int) -> None:
    """Check every environment alone and all of them together, in turn."""
    quiet = ["sh", "-c", 'exec "$@" >/dev/null', "sh", SCRIPT, "check", "--timeout", "5m", "-f", "five.toml"]
    cases = {name: [*quiet, "-e", name] for name in ENVIRONMENTS}
    cases["all of them"] = [*quiet, "--all"]
    times = race(cases, environ, folder, runs)
    count = sum(COUNTS.values())
    print(f"check of {count} settings in 3 stores, {DISTANCE * 1000:.0f} ms added to every round trip, {runs} runs")
    slowest = max(ENVIRONMENTS, key=lambda name: median(times[name]))
    print_times(times, slowest)
    found = ratio(times["all of them"], times[slowest])
    print(f"five environments take {found:.2f} times as long as the slowest alone; at most 2 are wanted\n")


def many(environ: dict[str, str], folder: Path, runs: int) -> None:
    """Print what a large diff takes."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        command = [SCRIPT, "diff", "--timeout", "5m", "-f", "many.toml", "one", "two"]
        status = subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=False).returncode
        seconds.append(time.perf_counter() - start)
        assert status == 1, status  # three quarters of them differ
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"diff of {MANY} settings: {median(seconds):.2f} s; no process here took more than {largest:.0f} MiB")


if __name__ == "__main__":
    main()
