"""Pods made of the component's and the examples' own manifests, run by podman.

What podman does not know of a cluster is put in its place: its network is the machine's, so that servers of the tests
are reached; the service account's token and the termination log are mounted; as podman knows no ``fsGroup``, the volume
is a folder that belongs to it as the kubelet would make it, and the app is put into that group. A sidecar is an
ordinary container, as podman knows none that stays beside the start of others, and looks every second.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from images import APP, CONFSVC, PYTHON_APP, PYTHON_EXAMPLE, ROOT
from podman import Podman
from supervised import until
from usage import resident

__all__ = ["COMPONENT", "SIDECAR", "Pod", "container", "pod_of", "python_pod"]

COMPONENT = ROOT / "k8s" / "component" / "init-container.yaml"
SIDECAR = ROOT / "k8s" / "sidecar" / "sidecar.yaml"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
LOG = "/dev/termination-log"
_STAYS = "io.podman.annotations.init.container.type"


def pod_of(
    patch: Path, folder: Path, app: Mapping[str, Any], manifest: str, environ: Mapping[str, str]
) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a pod: what ``patch`` adds to any, around the container ``app``.

    ``folder`` gets the files `token` and `log`, which the pod mounts; its name is the pod's.
    """
    (folder / "account").mkdir()
    (folder / "log").touch(mode=0o666)
    (folder / "log").chmod(0o666)
    shared = folder / "shared"
    shared.mkdir()
    spec: dict[str, Any] = yaml.safe_load(patch.read_text())["spec"]["template"]["spec"]
    (ours,) = spec["initContainers"]
    ours["image"] = CONFSVC
    ours["volumeMounts"] += [{"name": "account", "mountPath": ACCOUNT}, {"name": "log", "mountPath": LOG}]
    spec["volumes"] += [
        {"name": "account", "hostPath": {"path": str(folder / "account"), "type": "Directory"}},
        {"name": "log", "hostPath": {"path": str(folder / "log"), "type": "File"}},
    ]
    mount = {"name": "confsvc", "mountPath": "/confsvc", "readOnly": True}
    group = spec["securityContext"]["fsGroup"]
    os.chown(shared, 0, group)
    shared.chmod(0o2777)
    context = {**app.get("securityContext", {}), "runAsGroup": group}
    apps = [{**app, "securityContext": context, "volumeMounts": [mount]}]
    if ours.pop("restartPolicy", "") == "Always":
        spec["initContainers"] = []
        for name in ("ports", "startupProbe", "readinessProbe", "livenessProbe"):
            ours.pop(name)  # the ports are the machine's, and the tests ask themselves
        ours["args"] = ["--watch=1s" if word == "--watch" else word for word in ours["args"]]
        apps.insert(0, ours)
    spec |= {"containers": apps, "restartPolicy": "Never", "hostNetwork": True}
    for volume in spec["volumes"]:
        if "configMap" in volume:
            volume["configMap"]["name"] = f"{folder.name}-manifest"
        if "emptyDir" in volume:
            del volume["emptyDir"]
            volume["hostPath"] = {"path": str(shared), "type": "Directory"}
    ours["envFrom"] = [{"configMapRef": {"name": f"{folder.name}-env"}}]
    data = {f"{folder.name}-manifest": {"confsvc.toml": manifest}, f"{folder.name}-env": dict(environ)}
    maps = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": found}
        for name, found in data.items()
    ]
    metadata = {"name": folder.name, "annotations": {_STAYS: "always"}}
    return [*maps, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}]


class Pod:
    """A pod that podman plays. Once it is made, its init container has ended, and its others have started."""

    def __init__(self, podman: Podman, folder: Path, objects: Sequence[Mapping[str, Any]]) -> None:
        self.name = folder.name
        self.folder = folder
        self._podman = podman
        file = folder / "pod.yaml"
        file.write_text("\n---\n".join(json.dumps(one, indent=1) for one in objects))
        done = podman.run("kube", "play", file, check=False)
        self.said = done.stdout + done.stderr
        assert done.returncode == 0 or "exited with code" in self.said, self.said

    def status(self, container: str) -> int:
        """Wait until a container has ended, and return its exit status."""
        name = f"{self.name}-{container}"
        until(lambda: self._podman.inspect(name)["State"]["Status"] == "exited", lambda: self.said)
        return int(self._podman.inspect(name)["State"]["ExitCode"])

    def logs(self, container: str) -> str:
        """Return what a container has printed, to both streams."""
        done = self._podman.run("logs", f"{self.name}-{container}")
        return done.stdout + done.stderr

    def was_started(self, container: str) -> bool:
        """Tell whether a container was ever started."""
        return bool(self._podman.inspect(f"{self.name}-{container}")["State"]["Status"] != "created")

    def memory(self, container: str) -> float:
        """Return the resident memory, in MiB, of a container's first process."""
        return resident(int(self._podman.inspect(f"{self.name}-{container}")["State"]["Pid"]))

    @property
    def log(self) -> str:
        """What is in the termination log."""
        return (self.folder / "log").read_text()

    def stop(self, container: str) -> None:
        """Send SIGTERM to a container."""
        self._podman.run("kill", "--signal", "TERM", f"{self.name}-{container}")

    def close(self) -> None:
        """Remove it."""
        self._podman.run("pod", "rm", "--force", "--time", "0", self.name, check=False)


def container(name: str, script: str) -> Mapping[str, Any]:
    """Return an app's container, of an image that knows nothing of confsvc, that runs a shell script."""
    return {"name": name, "image": APP, "command": ["sh", "-c", script], "securityContext": {"runAsUser": 1000}}


def python_pod(folder: Path, environ: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a pod of `examples/kubernetes/python`, whose image is ``PYTHON_APP``."""
    (folder / "account").mkdir()
    (folder / "log").touch()
    deployment: dict[str, Any] = yaml.safe_load((PYTHON_EXAMPLE / "deployment.yaml").read_text())
    spec = deployment["spec"]["template"]["spec"]
    (app,) = spec["containers"]
    volume = f"{folder.name}-account"
    app |= {
        "image": PYTHON_APP,
        "env": [{"name": name, "value": value} for name, value in environ.items()],
        "volumeMounts": [{"name": volume, "mountPath": ACCOUNT}],
    }
    spec["volumes"] = [{"name": volume, "hostPath": {"path": str(folder / "account"), "type": "Directory"}}]
    spec |= {"restartPolicy": "Never", "hostNetwork": True}
    return [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": folder.name}, "spec": spec}]
