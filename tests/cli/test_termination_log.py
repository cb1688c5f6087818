"""What the kubelet shows of a container that ended: the same that was told, and no value."""

import os

import pytest

from confsvc.testing import find_leaks
from running import Project

MANIFEST = """
[settings]
PORT = { type = "int" }
[environments.development]
sources = ["dotenv://.env"]
"""


@pytest.fixture
def shop(project: Project, canary: str) -> Project:
    """A project that cannot be resolved, and a file that the kubelet would read."""
    project.manifest(MANIFEST, env=f"PORT={canary}\n")
    (project.folder / "log").write_text("left by the container before\n" * 100)
    project.environ["CONFSVC_TERMINATION_LOG"] = str(project.folder / "log")
    return project


@pytest.mark.parametrize(
    "command", [("render", "--to", "out"), ("exec", "--", "true"), ("exec", "--watch", "--", "true")]
)
def test_it_says_what_is_wrong(command: tuple[str, ...], shop: Project, canary: str) -> None:
    done = shop.run(*command)
    assert done.status == 65
    assert (shop.folder / "log").read_text() == done.err
    assert "PORT" in done.err
    assert find_leaks(canary, done.err) == []


def test_it_is_no_longer_than_what_is_read(shop: Project) -> None:
    names = "".join(f"SETTING_{number} = {{}}\n" for number in range(200))
    shop.manifest(MANIFEST.replace("[env", f"{names}[env"))
    done = shop.run("render", "--to", "out")
    data = (shop.folder / "log").read_bytes()
    assert len(data) <= 4096
    assert data.decode().endswith("\n…\n")
    assert done.err.encode().startswith(data[:4000])


def test_success_leaves_it_alone(shop: Project) -> None:
    (shop.folder / ".env").write_text("PORT=1\n")
    assert shop.run("render", "--to", "out").status == 0
    assert "left by" in (shop.folder / "log").read_text()


def test_where_it_cannot_be_written_nothing_else_changes(shop: Project) -> None:
    (shop.folder / "link").symlink_to("log")
    os.mkfifo(shop.folder / "pipe")
    for name in ("link", "pipe", "none", "out/none"):
        shop.environ["CONFSVC_TERMINATION_LOG"] = str(shop.folder / name)
        assert shop.run("render", "--to", "out").status == 65
    assert "left by" in (shop.folder / "log").read_text()
    assert not (shop.folder / "none").exists()
