"""The images that tests of pods need, made here: there is no registry to take them from."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from podman import PAUSE, Podman

__all__ = [
    "APP",
    "BASE",
    "CONFSVC",
    "PYTHON_APP",
    "PYTHON_EXAMPLE",
    "ROOT",
    "build_confsvc",
    "build_python_app",
    "make_app",
    "make_base",
    "make_pause",
    "wheelhouse",
]

ROOT = Path(__file__).parents[2]
BASE = "localhost/debian-python:test"
APP = "localhost/shop:test"
CONFSVC = "localhost/confsvc:test"
PYTHON_APP = "localhost/python-shop:test"
PYTHON_EXAMPLE = ROOT / "examples" / "kubernetes" / "python"

SUITE, PYTHON = "bookworm", "3.11"
NOT_NEEDED = (
    "./var/cache/*",
    "./var/lib/apt/lists/*",
    "./usr/share/doc/*",
    "./usr/share/man/*",
    "./usr/share/locale/*",
)

# An app of another image: it shows who it is, and what it was given, as an environment and as files.
SHOP = """#!/bin/sh
echo "uid $(id -u) groups $(id -G)"
echo "environment DATABASE_URL=$DATABASE_URL"
for file in /confsvc/*; do test -f "$file" && echo "file $file: $(cat "$file")"; done
echo "shop ran"
"""


def _cache() -> Path:
    found = os.environ.get("XDG_CACHE_HOME", "") or os.path.expanduser("~/.cache")
    folder = Path(found, "confsvc-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_pause(podman: Podman, folder: Path) -> None:
    """Make what keeps a pod's namespaces: a program that sleeps, and is killed at once."""
    _busybox(folder, "sleep")
    podman.load(folder, PAUSE, 'ENTRYPOINT ["/bin/sleep", "2147483647"]', "STOPSIGNAL SIGKILL")


def make_app(podman: Podman, folder: Path) -> None:
    """Make an app's image: busybox, with nothing of Python or confsvc in it."""
    _busybox(folder, "sh", "cat", "id", "sleep", "test", "echo", "ls", "readlink")
    (folder / "bin" / "shop").write_text(SHOP)
    (folder / "bin" / "shop").chmod(0o755)
    podman.load(folder, APP, 'ENTRYPOINT ["/bin/shop"]', "ENV PATH=/bin", "STOPSIGNAL SIGKILL")


def _busybox(folder: Path, *names: str) -> None:
    for one in ("bin", "etc", "tmp", "proc", "sys", "dev"):
        (folder / one).mkdir(parents=True, exist_ok=True)
    shutil.copy(str(shutil.which("busybox")), folder / "bin" / "busybox")
    for name in names:
        (folder / "bin" / name).symlink_to("busybox")


def make_base(podman: Podman) -> None:
    """Make a Debian with Python. What debootstrap did is kept for the next run in the user's cache folder."""
    folder = _cache() / f"debian-{SUITE}-python"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            fresh = folder.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            command = ["debootstrap", "--variant=minbase", "--include=python3,python3-venv", SUITE, str(fresh)]
            environ = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
            done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=900, check=False)
            assert done.returncode == 0, done.stdout[-2000:]
            fresh.rename(folder)
    podman.load(folder, BASE, leave_out=NOT_NEEDED)


def wheelhouse(folder: Path, extras: str) -> Path:
    """Fill ``folder`` with the wheels of this checkout, and of what it needs in the versions of the lock."""
    _python("-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT))
    (wheel,) = folder.glob("confsvc-*.whl")
    pins = re.findall(r"^([\w.-]+==[^\s;\\]+)", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE)
    constraints = folder.with_suffix(".txt")
    constraints.write_text("\n".join(pins))
    platforms = [f"--platform=manylinux{name}_{os.uname().machine}" for name in ("2014", "_2_17", "_2_28")]
    options = ["--only-binary=:all:", f"--python-version={PYTHON}", *platforms, "--constraint", str(constraints)]
    _python("-m", "pip", "download", "--quiet", *options, "--dest", str(folder), f"{wheel}[{extras}]")
    return folder


def build_confsvc(podman: Podman, wheels: Path, name: str = CONFSVC, extras: str = "vault") -> None:
    """Build the image from ``k8s/Containerfile``, asking no index."""
    arguments = [f"--build-arg=BASE={BASE}", f"--build-arg=EXTRAS={extras}", "--network=host"]
    context = f"--build-context=wheels={wheels}"
    podman.run("build", "--quiet", "-f", ROOT / "k8s" / "Containerfile", "-t", name, *arguments, context, ROOT)


def build_python_app(podman: Podman) -> None:
    """Build the image of the example that needs no second container."""
    arguments = [f"--build-arg=BASE={BASE}", f"--build-arg=CONFSVC={CONFSVC}"]
    podman.run("build", "--quiet", "-t", PYTHON_APP, *arguments, PYTHON_EXAMPLE)


def _python(*argv: str) -> None:
    done = subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        pytest.fail(f"python {' '.join(argv)}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
