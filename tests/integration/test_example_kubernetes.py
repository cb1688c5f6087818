"""The Kustomize components and every example that uses them, built by kubectl and held against Kubernetes' schemas."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kustomize import Object, build, build_around, pod_spec, validate

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "kubernetes"
INIT, SIDECAR, AGENT = (ROOT / "k8s" / name for name in ("component", "sidecar", "agent-sidecar"))
NAMES = sorted(path.parent.name for path in EXAMPLE.glob("*/kustomization.yaml"))
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


def workload(kind: str, name: str = "app", label: str = "init", **spec: object) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"containers": [{"name": "app", "image": "shop"}, {"name": "other", "image": "shop"}], **spec}
    template = {"metadata": {"labels": labels}, "spec": pod}
    made: dict[str, Any] = {"template": template}
    if kind == "Job":
        pod["restartPolicy"] = "Never"
    else:
        made["selector"] = {"matchLabels": labels}
    if kind == "StatefulSet":
        made["serviceName"] = name
    meta = {"name": name, "labels": {"confsvc-inject": label}}
    return {"apiVersion": "batch/v1" if kind == "Job" else "apps/v1", "kind": kind, "metadata": meta, "spec": made}


def mounts(container: Any) -> dict[str, str]:
    return {one["name"]: one["mountPath"] for one in container.get("volumeMounts", ())}


def check_injected(one: Object) -> Any:
    """Return our container, once everything around it is as it has to be."""
    spec = pod_spec(one)
    ours = spec["initContainers"][0]
    assert ours["name"] == "confsvc"
    assert mounts(ours).items() >= {"confsvc": "/confsvc", "confsvc-manifest": "/etc/confsvc"}.items()
    assert ours["securityContext"]["readOnlyRootFilesystem"] is True
    assert ours["securityContext"]["runAsNonRoot"] is True
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes["confsvc"]["emptyDir"]["medium"] == "Memory"
    assert spec["securityContext"]["fsGroup"] == ours["securityContext"]["runAsGroup"]
    for container in spec["containers"]:
        (mount,) = [found for found in container["volumeMounts"] if found["name"] == "confsvc"]
        assert mount == {"name": "confsvc", "mountPath": "/confsvc", "readOnly": True}
    return ours


def check_agent(one: Object) -> None:
    """Check that there is an agent, and that every container finds it and the manifest that it serves."""
    spec = pod_spec(one)
    ours = spec["initContainers"][0]
    assert (ours["name"], ours["restartPolicy"]) == ("confsvc-agent", "Always")
    assert ours["securityContext"]["readOnlyRootFilesystem"] is True
    assert ours["securityContext"]["runAsNonRoot"] is True
    socket = ours["args"][ours["args"].index("--socket") + 1]
    group = int(ours["args"][ours["args"].index("--allow-gid") + 1])
    assert spec["securityContext"]["fsGroup"] == group
    (volume,) = [volume for volume in spec["volumes"] if volume["name"] == "confsvc-agent"]
    assert volume["emptyDir"]["medium"] == "Memory"
    for container in spec["containers"]:
        environ = {one["name"]: one["value"] for one in container["env"]}
        assert environ["CONFSVC_AGENT_SOCKET"] == socket
        assert environ["CONFSVC_AGENT_UID"] == str(ours["securityContext"]["runAsUser"])
        assert environ["CONFSVC_FILE"].startswith(mounts(ours)["confsvc-manifest"])
        assert (
            mounts(container).items() >= {"confsvc-manifest": "/etc/confsvc", "confsvc-agent": "/confsvc-agent"}.items()
        )
        assert all(one["readOnly"] for one in container["volumeMounts"] if one["name"].startswith("confsvc"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_workload_labelled_for_it_gets_an_agent_beside_it(tmp_path: Path, kind: str) -> None:
    (made,) = build_around(tmp_path, AGENT, workload(kind, label="agent"))
    validate([made])
    check_agent(made)


def test_the_agent_of_a_node_is_valid_and_has_no_right_of_root_but_its_folder() -> None:
    objects = build(ROOT / "k8s" / "agent")
    validate(objects)
    (agent,) = objects
    assert agent["kind"] == "DaemonSet"
    (container,) = pod_spec(agent)["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert mounts(container)["socket"] == "/run/confsvc"


@pytest.mark.parametrize("kind", KINDS)
def test_a_labelled_workload_gets_an_init_container_and_every_container_the_files(tmp_path: Path, kind: str) -> None:
    (made,) = build_around(tmp_path, INIT, workload(kind))
    validate([made])
    assert "restartPolicy" not in check_injected(made)


@pytest.mark.parametrize("kind", KINDS)
def test_a_workload_labelled_for_it_gets_a_sidecar(tmp_path: Path, kind: str) -> None:
    (made,) = build_around(tmp_path, SIDECAR, workload(kind, label="sidecar"))
    validate([made])
    ours = check_injected(made)
    assert ours["restartPolicy"] == "Always"
    assert "--watch" in ours["args"]
    assert {ours[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe")} == {"/readyz"}


@pytest.mark.parametrize("component", [INIT, SIDECAR, AGENT], ids=["init", "sidecar", "agent"])
def test_what_has_no_such_label_stays_as_it_is(tmp_path: Path, component: Path) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"}, "spec": {"ports": [{"port": 80}]}}
    others = [workload(kind, label="no") for kind in KINDS]
    assert build_around(tmp_path, component, *others, service) == [*others, service]


def test_what_a_pod_had_before_is_kept(tmp_path: Path) -> None:
    mount = {"name": "data", "mountPath": "/data"}
    before = workload(
        "Deployment",
        initContainers=[{"name": "migrate", "image": "shop"}],
        containers=[{"name": "app", "image": "shop", "volumeMounts": [mount]}],
        volumes=[{"name": "data", "emptyDir": {}}],
        securityContext={"runAsUser": 1000},
    )
    (made,) = build_around(tmp_path, INIT, before)
    validate([made])
    check_injected(made)
    spec = pod_spec(made)
    assert [one["name"] for one in spec["initContainers"]] == ["confsvc", "migrate"]
    assert mounts(spec["containers"][0]) == {"data": "/data", "confsvc": "/confsvc"}
    assert {volume["name"] for volume in spec["volumes"]} == {"data", "confsvc", "confsvc-manifest"}
    assert spec["securityContext"] == {"runAsUser": 1000, "fsGroup": 65532}


def test_both_components_serve_one_kustomization(tmp_path: Path) -> None:
    for label in ("init", "sidecar"):
        (tmp_path / label).mkdir()
    once = build_around(tmp_path / "init", INIT, workload("Deployment", "one"), workload("Job", "two", "sidecar"))
    first, second = build_around(tmp_path / "sidecar", SIDECAR, *once)
    validate([first, second])
    assert "restartPolicy" not in check_injected(first)
    assert check_injected(second)["restartPolicy"] == "Always"


@pytest.mark.parametrize("name", NAMES)
def test_each_example_is_valid_and_brings_its_manifest(name: str) -> None:
    objects = build(EXAMPLE / name)
    validate(objects)
    maps = {one["metadata"]["name"]: one["data"] for one in objects if one["kind"] == "ConfigMap"}
    (work,) = [one for one in objects if one["kind"] in KINDS]
    if name == "python":  # its own image holds the manifest
        assert "initContainers" not in pod_spec(work)
        return
    if name == "agent":
        check_agent(work)
    else:
        check_injected(work)
    manifest = [data for key, data in maps.items() if key.startswith("confsvc-manifest")]
    assert manifest == [{"confsvc.toml": (EXAMPLE / name / "confsvc.toml").read_text()}]
    (ours,) = [volume for volume in pod_spec(work)["volumes"] if volume["name"] == "confsvc-manifest"]
    assert ours["configMap"]["name"] in maps


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_of_each_example_is_one(name: str) -> None:
    command = [sys.executable, "-m", "confsvc", "schema", "-f", str(EXAMPLE / name / "confsvc.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_job_gives_up_on_each_exit_status_that_does_not_get_better_and_tries_the_others_again() -> None:
    page = (ROOT / "docs" / "exit-codes.md").read_text()
    rows = re.findall(r"^\| ([0-9]+) \| .* \| (yes|no) \|$", page, re.MULTILINE)
    said = {answer: {int(status) for status, one in rows if one == answer} for answer in ("yes", "no")}
    (job,) = [one for one in build(EXAMPLE / "job") if one["kind"] == "Job"]
    rules = {rule["action"]: rule["onExitCodes"] for rule in job["spec"]["podFailurePolicy"]["rules"]}
    assert {action: set(codes["values"]) for action, codes in rules.items()} == {
        "FailJob": said["no"],
        "Count": said["yes"],
    }
    assert {codes["containerName"] for codes in rules.values()} == {check_injected(job)["name"]}


def test_the_roles_are_valid() -> None:
    for path in (ROOT / "k8s" / "rbac").rglob("kustomization.yaml"):
        objects = build(path.parent)
        assert objects
        validate(objects)


def test_the_page_names_every_example() -> None:
    page = (EXAMPLE / "README.md").read_text()
    assert [name for name in NAMES if f"[{name}]({name})" not in page] == []


def test_what_the_documentation_shows_is_in_the_examples() -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    shown = re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(shown) > 3
    files = [lines_of(path.read_text()) for path in [*EXAMPLE.rglob("*.yaml"), *(ROOT / "k8s").rglob("*.yaml")]]
    assert [text for text in shown if not any(lines_of(text) in one for one in files)] == []


def lines_of(text: str) -> str:
    """Return all lines, wherever they begin: a page shows a part of a file less deeply indented."""
    return "".join(f"{line.strip()}\n" for line in text.splitlines())
