"""Debian's podman in a folder of its own: nothing of the machine's containers is touched."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from openbao import missing

__all__ = ["Podman", "run_podman"]

PROGRAMS = ("podman", "runc", "buildah", "debootstrap", "busybox")
PAUSE = "localhost/confsvc-pause:test"

# Limits are given, as podman would raise them where that is not allowed; the default runtime of some machines is
# another one; and each pod needs an image that does nothing, which can be had from no registry here.
CONTAINERS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
infra_image = "{pause}"
tmp_dir = "{folder}/libpod-run"
volume_path = "{folder}/volumes"
[network]
network_config_dir = "{folder}/networks"
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/root"
runroot = "{folder}/run"
"""


class Podman:
    """The command, with all that it keeps under ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tmp").mkdir()
        (folder / "containers.conf").write_text(CONTAINERS.format(pause=PAUSE, folder=folder))
        (folder / "storage.conf").write_text(STORAGE.format(folder=folder))
        self._environ = {
            "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin",
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }

        # Said in each command, as the one that podman leaves behind for a container's end is told nothing else.
        self._command = ("podman", "--root", str(folder / "root"), "--runroot", str(folder / "run"))

    def run(
        self, *argv: str | Path, check: bool = True, data: bytes | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run `podman` with ``argv``; where ``check`` is set, it has to end with 0."""
        done = subprocess.run(
            [*self._command, *argv], env=self._environ, input=data, capture_output=True, timeout=900, check=False
        )
        out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
        if check and done.returncode:
            pytest.fail(f"podman {' '.join(map(str, argv))}: {done.returncode}\n{out[-2000:]}\n{err[-3000:]}")
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def load(self, folder: Path, name: str, *changes: str, leave_out: Sequence[str] = ()) -> None:
        """Make the image ``name`` of what is in ``folder``."""
        options = [word for change in changes for word in ("--change", change)]
        excluded = [f"--exclude={pattern}" for pattern in leave_out]
        command = ["tar", "-C", str(folder), *excluded, "--numeric-owner", "-c", "."]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as tar:
            done = subprocess.run(
                [*self._command, "import", "--quiet", *options, "-", name],
                env=self._environ, stdin=tar.stdout, capture_output=True, timeout=900, check=False,
            )  # fmt: skip
        assert (tar.returncode, done.returncode) == (0, 0), done.stderr

    def inspect(self, name: str, kind: str = "container") -> Any:
        """Return what is known about a container or an image."""
        return json.loads(self.run("inspect", "--type", kind, name).stdout)[0]

    def clear(self) -> None:
        """Remove all containers, images and mounts."""
        self.run("pod", "rm", "--all", "--force", "--time", "0", check=False)
        self.run("rm", "--all", "--force", "--time", "0", check=False)
        self.run("rmi", "--all", "--force", check=False)
        for name in ("root/overlay", "run"):
            subprocess.run(["umount", "--lazy", str(self.folder / name)], capture_output=True, check=False)


def _missing() -> Mapping[str, str]:
    found = {name: shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") for name in PROGRAMS}
    return {name: name for name, path in found.items() if path is None}


@contextmanager
def run_podman() -> Iterator[Podman]:
    """Yield podman with nothing in it."""
    if os.geteuid():
        missing("a way to run pods", "these tests need root")
    if lacking := _missing():
        missing(", ".join(lacking), "apt-get install podman runc buildah debootstrap busybox-static")
    folder = Path(tempfile.mkdtemp(prefix="podman-"))  # its path must have no more than 50 characters
    podman = Podman(folder)
    try:
        yield podman
    finally:
        podman.clear()
        shutil.rmtree(folder, ignore_errors=True)
