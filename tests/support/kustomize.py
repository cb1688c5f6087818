"""Kustomizations as kubectl builds them, and what they make held against Kubernetes' own published schemas."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from openbao import missing

__all__ = ["Object", "build", "build_around", "pod_spec", "validate"]

Object = Mapping[str, Any]
# The oldest release that has native sidecars by default, and a recent one.
RELEASES = ("1.29", "1.34")


def build(folder: Path) -> list[Object]:
    """Return the objects that the kustomization in ``folder`` makes."""
    if not shutil.which("kubectl"):
        missing("kubectl", "see kubernetes.io/docs/tasks/tools")
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return list(yaml.safe_load_all(done.stdout))


def build_around(folder: Path, component: Path, *objects: Object) -> list[Object]:
    """Return what ``component`` makes of ``objects``, in the same order. ``folder`` is written to."""
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    kustomization = {"resources": ["objects.yaml"], "components": [os.path.relpath(component, folder.resolve())]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    made = {(one["kind"], one["metadata"]["name"]): one for one in build(folder)}
    assert len(made) == len(objects)
    return [made[one["kind"], one["metadata"]["name"]] for one in objects]


def validate(objects: Sequence[Object]) -> None:
    """Fail where an object has a field that Kubernetes does not know, or lacks one, or one is of a wrong type."""
    for one in objects:
        for release in RELEASES:
            kubernetes_validate.validate(dict(one), release, strict=True)


def pod_spec(workload: Object) -> Any:
    """Return the specification of the pods that ``workload`` makes."""
    return workload["spec"]["template"]["spec"]
