"""Real pods: an init container that logs in and renders, an app of another image, and a sidecar that keeps up."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cluster import Cluster
from confsvc.testing import find_leaks
from images import ROOT, build_python_app
from openbao import Bao
from podman import Podman
from pods import COMPONENT, SIDECAR, Pod, container, pod_of, python_pod
from supervised import until

MANIFEST = (ROOT / "examples" / "kubernetes" / "vault" / "confsvc.toml").read_text()
Play = Callable[..., Pod]


@pytest.fixture(scope="module")
def play(podman: Podman, bao: Bao, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """A function that starts a pod, with a service account that Vault knows."""
    begun: list[Pod] = []
    token = cluster.issue()

    def begin(
        name: str,
        app: Mapping[str, Any] | None = None,
        *,
        patch: Path = COMPONENT,
        manifest: str = MANIFEST,
        address: str = bao.address,
    ) -> Pod:
        folder = tmp_path_factory.mktemp(name, numbered=False)
        environ = {"CONFSVC_ENV": "production", "VAULT_ADDR": address}
        objects = pod_of(patch, folder, app, manifest, environ) if app else python_pod(folder, environ)
        (folder / "account" / "token").write_text(token)
        begun.append(Pod(podman, folder, objects))
        return begun[-1]

    yield begin
    for pod in begun:
        pod.close()


@pytest.fixture(scope="module")
def password(bao: Bao) -> str:
    """A password in the store that has to be quoted in a URL, and in a shell."""
    made = "it's #1/cnry-9f2b7c41d8"
    bao.put("shop/production", {"LOG_LEVEL": "debug"})
    bao.put("shop/database", {"password": made})
    return made


URL = "postgres://shop:it%27s%20%231%2Fcnry-9f2b7c41d8@db.internal/shop"


@pytest.mark.usefixtures("password")
def test_an_app_of_another_image_reads_the_files(play: Play) -> None:
    show = "id; for name in LOG_LEVEL DATABASE_URL; do echo $name=$(cat /confsvc/$name); done"
    pod = play("files", container("app", show))
    assert (pod.status("confsvc"), pod.logs("confsvc"), pod.log) == (0, "", "")
    assert pod.status("app") == 0
    said = pod.logs("app")
    assert "uid=1000 gid=65532" in said
    assert "LOG_LEVEL=debug\n" in said
    assert f"DATABASE_URL={URL}\n" in said


@pytest.mark.usefixtures("password")
def test_an_app_with_a_shell_gets_its_environment(play: Play) -> None:
    shell = ". /confsvc/env.sh && exec sh -c 'echo \"level $LOG_LEVEL url $DATABASE_URL\"'"
    pod = play("shell", container("app", shell))
    assert (pod.status("app"), pod.logs("app")) == (0, f"level debug url {URL}\n")


@pytest.mark.usefixtures("password")
def test_an_image_with_python_needs_no_second_container(play: Play, podman: Podman) -> None:
    build_python_app(podman)
    pod = play("python")
    assert (pod.status("shop"), pod.logs("shop")) == (0, f"log level debug, a database URL of {len(URL)} characters\n")


def test_a_missing_setting_ends_with_65_and_the_pod_says_which(play: Play, password: str) -> None:
    manifest = MANIFEST.replace("[settings]", "[settings]\nAPI_KEY = { secret = true }")
    pod = play("missing", container("app", "echo started"), manifest=manifest)
    assert pod.status("confsvc") == 65
    assert "API_KEY  missing:" in pod.log
    assert pod.log == pod.logs("confsvc")
    assert find_leaks(password, pod.log) == []
    assert not pod.was_started("app")


def test_a_store_that_is_down_ends_with_69(play: Play) -> None:
    pod = play("down", container("app", "echo started"), address="http://127.0.0.1:1")
    assert pod.status("confsvc") == 69
    assert "refused" in pod.log
    assert not pod.was_started("app")


READER = """\
while true; do
  cd -P /confsvc/..data 2>/dev/null || continue
  level=$(cat LOG_LEVEL 2>/dev/null) && url=$(cat DATABASE_URL 2>/dev/null) && echo "set $level $url"
done
"""


def has_more(pod: Pod, line: str, count: int) -> bool:
    return pod.logs("app").count(line) > count


def test_a_sidecar_brings_a_new_version_to_an_app_that_reads_all_the_time(
    play: Play, bao: Bao, cluster: Cluster
) -> None:
    manifest = MANIFEST.replace("vault://secret/{project}/{environment}", "vault://secret/rolling")
    manifest = manifest.replace("secret/shop/database#password", "secret/rolling#password")
    bao.put("rolling", {"LOG_LEVEL": "info", "password": "info"})
    reviews = cluster.reviews
    pod = play("sidecar", container("app", READER), patch=SIDECAR, manifest=manifest)
    until(lambda: "set info" in pod.logs("app"), lambda: pod.logs("confsvc"))
    for level in ("warning", "debug", "info"):
        bao.put("rolling", {"LOG_LEVEL": level, "password": level})
        line = f"set {level} postgres://shop:{level}@"
        until(partial(has_more, pod, line, pod.logs("app").count(line)), lambda: pod.logs("confsvc"))
    bao.put("rolling", {"LOG_LEVEL": "none of them", "password": "bad"})
    until(lambda: "the files stay as they are" in pod.logs("confsvc"))
    found = set(re.findall(r"set (\S+) postgres://shop:(\S+)@", pod.logs("app")))
    assert found == {("info", "info"), ("warning", "warning"), ("debug", "debug")}
    assert cluster.reviews == reviews + 1  # it logged in once, and nobody else did
    assert 5 < pod.memory("confsvc") < 60  # what docs/kubernetes.md promises
    pod.stop("confsvc")
    assert pod.status("confsvc") == 128 + 15
