"""What the last good settings cost, and what they save: `python tests/benchmarks/cache.py [RUNS]`.

30 settings of two documents in a real OpenBao, behind a proxy that can refuse. Whole processes that become `/bin/true`,
run in turn: without a cache, with one that is written each time, and with the store away. The limits are those of a
start without an agent. On a busy machine compare processor time, of one run only.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from fault_proxy import FaultProxy, run_proxy
from openbao import ROOT, run_bao
from racing import give_up_after

CONFSVC = str(Path(sysconfig.get_path("scripts")) / "confsvc")
REFUSED, BLACK_HOLE = 0.150, 2.7  # seconds added, at most
HOLES = 5


class Run(NamedTuple):
    """One start: seconds that passed, and that it kept a processor busy."""

    wall: float
    busy: float


def start(folder: Path, environ: Mapping[str, str], manifest: str) -> Run:
    """Start once, which must work."""
    began = time.perf_counter()
    command = [CONFSVC, "exec", "-q", "-f", manifest, "--", "/bin/true"]
    process = subprocess.Popen(command, cwd=folder, env=environ)
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{manifest}: a start failed")
    process.returncode = 0
    return Run(time.perf_counter() - began, used.ru_utime + used.ru_stime)


def write_manifests(folder: Path, port: int) -> None:
    """Write the same manifest twice, with a cache and without."""
    settings = "".join(f"SETTING_{n} = {{ secret = true }}\n" for n in range(30))
    text = (
        f'[settings]\n{settings}[backends.vault]\naddress = "http://127.0.0.1:{port}"\n[environments.production]\n'
        'sources = ["vault://secret/one", "vault://secret/two"]\n'
    )
    (folder / "off.toml").write_text(f"cache = false\n{text}")
    (folder / "on.toml").write_text(f"cache = true\n{text}")


def race(folder: Path, environ: Mapping[str, str], proxy: FaultProxy, runs: int) -> dict[str, list[Run]]:
    """Run all cases in turn, after one round that does not count."""
    cases: dict[str, tuple[str, Callable[[], None]]] = {
        "no cache": ("off.toml", proxy.clear),
        "a cache, written": ("on.toml", proxy.clear),
        "the store refuses": ("on.toml", proxy.refuse),
    }
    found: dict[str, list[Run]] = {name: [] for name in cases}
    for number in range(runs + 1):
        for name, (manifest, prepare) in cases.items():
            prepare()
            one = start(folder, environ, manifest)
            if number:
                found[name].append(one)
    return found


def show(found: Mapping[str, list[Run]]) -> None:
    """Print each case, and what it adds to the first."""
    base = found["no cache"]
    for name, runs in found.items():
        added = [one.wall - other.wall for one, other in zip(runs, base, strict=True)]
        busy = median(one.busy - other.busy for one, other in zip(runs, base, strict=True))
        print(
            f"{name:20} {median(one.wall for one in runs) * 1000:7.1f} ms; added: {median(added) * 1000:6.1f} ms, "
            f"p95 {quantiles(added, n=20)[-1] * 1000:6.1f} ms; processor {busy * 1000:+6.1f} ms"
        )
    print(f"limit where it refuses: p95 of {REFUSED * 1000:.0f} ms added")


def main(runs: int) -> None:
    """Print everything."""
    give_up_after(1800)
    with tempfile.TemporaryDirectory() as name, run_bao(Path(name)) as bao, run_proxy(bao.port) as proxy:
        folder = Path(name)
        for number, path in enumerate(("one", "two")):
            bao.put(path, {f"setting_{n}": f"value {n}" for n in range(number * 15, number * 15 + 15)})
        write_manifests(folder, proxy.port)
        environ = {
            "PATH": os.environ["PATH"],
            "VAULT_TOKEN": ROOT,
            "CONFSVC_CACHE_DIR": str(folder / "cache"),
            "XDG_STATE_HOME": str(folder / "state"),
        }
        found = race(folder, environ, proxy, runs)
        show(found)
        print(f"the store away: {len(found['the store refuses'])} of {runs} started")
        proxy.clear()
        proxy.stall()
        base = median(one.wall for one in found["no cache"])
        holes = [start(folder, environ, "on.toml").wall - base for _ in range(HOLES)]
        print(f"a black hole: added {median(holes):.2f} s, at most {max(holes):.2f} s; limit {BLACK_HOLE} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
