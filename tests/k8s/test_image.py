"""The image of `k8s/Containerfile`: small, for nobody in particular, and with nothing to write to."""

from images import BASE, CONFSVC
from podman import Podman

MB = 1_000_000
LIMITS = (
    "--network=host",
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
)


def test_it_adds_no_more_than_60_mb(podman: Podman) -> None:
    size, base = (podman.inspect(name, "image")["Size"] for name in (CONFSVC, BASE))
    assert 0 < size - base <= 60 * MB


def test_it_runs_as_nobody_who_has_a_name_on_a_root_that_is_read_only(podman: Podman) -> None:
    assert podman.inspect(CONFSVC, "image")["Config"]["User"] == "65532:65532"
    assert podman.run("run", "--rm", *LIMITS, CONFSVC, "--version").stdout.startswith("confsvc ")
    script = "import os; print(os.getuid(), os.getgid(), os.access('/', os.W_OK))"
    done = podman.run("run", "--rm", *LIMITS, "--entrypoint=/opt/confsvc/bin/python", CONFSVC, "-c", script)
    assert done.stdout == "65532 65532 False\n"


def test_it_holds_no_installer_and_is_compiled(podman: Podman) -> None:
    script = """if True:
        import importlib.util, os
        print([name for name in ("pip", "setuptools") if importlib.util.find_spec(name)])
        found = [os.path.join(root, name) for root, _, names in os.walk("/opt/confsvc/lib") for name in names]
        compiled = {name.split("/__pycache__/")[1] for name in found if name.endswith(".pyc")}
        print(len(compiled) > 100, any(name.startswith("/tmp") or "/wheels" in name for name in found))
        with open(next(name for name in found if name.endswith(".pyc")), "rb") as stream:
            print(int.from_bytes(stream.read(8)[4:], "little"))  # 1: by hash, and not compared with the source
        print(os.listdir("/tmp"), os.path.exists("/src"), os.path.exists("/root/.cache"))
    """
    done = podman.run("run", "--rm", *LIMITS, "--entrypoint=/opt/confsvc/bin/python", CONFSVC, "-c", script)
    assert done.stdout.splitlines() == ["[]", "True False", "1", "[] False False"]
