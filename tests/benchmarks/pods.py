"""What the image and its containers cost: size, memory at rest, time until the files are there.

`python tests/benchmarks/pods.py`, as root. The same podman starts a bare Python of the same base in the same run.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from images import BASE, CONFSVC, build_confsvc, make_base, make_pause, wheelhouse
from openbao import ROOT, Bao, run_bao
from podman import Podman, run_podman
from racing import give_up_after
from usage import resident, used

ROUNDS = 9
REST = 10.0  # seconds of doing nothing
MB = 1_000_000
SIZE_LIMIT, MEMORY_LIMIT = 60, 60  # MB above the base; MiB at rest
HARDENED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=host")

MANIFEST = """
[settings]
LOG_LEVEL = {}
PASSWORD = { secret = true }
[environments.production]
sources = ["vault://secret/app"]
"""


def main() -> None:
    """Print the tables."""
    give_up_after(1800)
    if os.geteuid():
        print("pods: left out, as they need root")
        return
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name in ("pause", "bao", "wheels"):
            (folder / name).mkdir()
        with run_podman() as podman, run_bao(folder / "bao") as bao:
            make_pause(podman, folder / "pause")
            make_base(podman)
            build_confsvc(podman, wheelhouse(folder / "wheels", "vault"))
            measure(podman, bao, folder)


def measure(podman: Podman, bao: Bao, folder: Path) -> None:
    """Print all three."""
    size, base = (podman.inspect(name, "image")["Size"] / MB for name in (CONFSVC, BASE))
    print(f"{'image, with the extra vault, above its base':48}{size - base:>7.1f} MB   (limit {SIZE_LIMIT})")
    bao.put("app", {"LOG_LEVEL": "info", "PASSWORD": "example"})
    (folder / "confsvc.toml").write_text(MANIFEST)
    (folder / "files").mkdir()
    (folder / "files").chmod(0o777)
    options = [
        *HARDENED,
        *(f"--env={name}" for name in (f"VAULT_ADDR={bao.address}", f"VAULT_TOKEN={ROOT}")),
        f"--volume={folder}/confsvc.toml:/etc/confsvc/confsvc.toml:ro",
        f"--volume={folder}/files:/confsvc",
    ]
    resting(podman, options)
    starting(podman, options, folder / "files")


def resting(podman: Podman, options: Sequence[str]) -> None:
    """Print what a sidecar keeps, and uses, while nothing changes."""
    watch = ["render", "--to", "/confsvc", "--watch=1s", "--health-address", "127.0.0.1:0"]
    podman.run("run", "--detach", "--name", "sidecar", *options, CONFSVC, *watch)
    pid = int(podman.inspect("sidecar")["State"]["Pid"])
    time.sleep(5)
    before = used(pid)
    time.sleep(REST)
    share = (used(pid) - before) / REST
    print(f"{'sidecar at rest, looking every second':48}{resident(pid):>7.1f} MiB  (limit {MEMORY_LIMIT}), {share:.2%}")
    podman.run("rm", "--force", "--time", "1", "sidecar")


def starting(podman: Podman, options: Sequence[str], files: Path) -> None:
    """Print how long containers take from `podman run` to their end, the files being there by then."""

    def bare() -> None:
        podman.run("run", "--rm", *options, "--entrypoint", "python3", BASE, "-c", "pass")

    def render() -> None:
        podman.run("run", "--rm", *options, CONFSVC, "render", "--to", "/confsvc")

    times: dict[Callable[[], None], list[float]] = {bare: [], render: []}
    for _ in range(ROUNDS):
        for case, found in times.items():
            began = time.perf_counter()
            case()
            found.append(time.perf_counter() - began)
        assert (files / "PASSWORD").read_text() == "example"
        podman.run("run", "--rm", *options, CONFSVC, "render", "--to", "/confsvc", "--wipe")
        assert not (files / "PASSWORD").exists()
    floor, ours = (statistics.median(found) for found in times.values())
    print(f"{'container of a bare python -c pass':48}{floor * 1000:>7.0f} ms")
    print(f"{'container that renders, one Vault path':48}{ours * 1000:>7.0f} ms   {ours / floor:.2f} times")


if __name__ == "__main__":
    main()
