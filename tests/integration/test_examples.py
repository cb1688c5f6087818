"""The demo does what it prints, and says so when it does not; no example is without a test and a README."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from running import Project

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRETS = ("shop:example", "example-key-for-tests", "exam/ple", "exam%2Fple", "example-key-of-production")


def demo(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the demo of the copy in ``folder``."""
    environ = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONDONTWRITEBYTECODE": "1", **environ}
    command = [sys.executable, str(folder / "demo.py")]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=300)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the example, in which things may be broken."""
    return shutil.copytree(EXAMPLES / "exec", tmp_path / "exec", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the demo prints. Whatever decides settings where it is called must make no difference."""
    folder = shutil.copytree(EXAMPLES / "exec", tmp_path_factory.mktemp("demo") / "exec")
    before = sorted(path.name for path in folder.rglob("*"))
    hostile = {"PORT": "http", "LOG_LEVEL": "loud", "CONFSVC_ENV": "nowhere", "http_proxy": "http://127.0.0.1:9"}
    done = demo(folder, **hostile)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in folder.rglob("*")) == before
    return done.stdout


def test_the_service_gets_what_each_environment_says(shown: str) -> None:
    development, production = shown.split("\n=== ")[1:3]
    assert "LOG_LEVEL       debug" in development
    assert "FEATURES        search,new-cart" in development
    assert "LOG_LEVEL       warning" in production
    assert "CACHE_TTL       1h" in production
    dsn = "postgres://shop:exam%2Fple%20pass%40word@db.internal/shop"
    assert f"DATABASE_URL    ******** ({len(dsn)} characters)" in production


def test_it_says_where_each_setting_came_from(shown: str) -> None:
    development, production = shown.split("\n=== ")[1:3]
    assert re.search(r"DATABASE_URL +source +dotenv://development\.env", development)
    assert re.search(r"CACHE_TTL +default", development)
    assert re.search(r"DATABASE_URL +values +dir://production-secrets/#db-password", production)
    assert re.search(r"STRIPE_API_KEY +source +dir://production-secrets/", production)
    assert all(re.search(r"PORT +set ", part) for part in (development, production))


def test_the_artifact_is_the_same(shown: str) -> None:
    digests = re.findall(r"sha256 ([0-9a-f]{16})", shown)
    assert len(digests) == 2
    assert len(set(digests)) == 1


def test_confsvc_becomes_the_service(shown: str) -> None:
    pairs = re.findall(r"process (\d+) started, process (\d+) answered", shown)
    assert len(pairs) == 2
    assert all(started == answered for started, answered in pairs)


def test_both_problems_are_told_and_nothing_starts(shown: str) -> None:
    refused = shown.split("\n=== ")[3]
    assert "error: 2 of 6 settings could not be resolved for broken" in refused
    assert re.search(r"CACHE_TTL +dotenv://broken\.env +invalid: is not a duration", refused)
    assert re.search(r"DATABASE_URL +missing: ", refused)
    assert "exit status 65; the command was not started" in refused


def test_no_secret_is_shown(shown: str) -> None:
    assert [secret for secret in SECRETS if secret in shown] == []


def test_a_refusal_that_does_not_come_fails_the_demo(copy: Path) -> None:
    (copy / "broken.env").write_text((copy / "development.env").read_text())
    done = demo(copy)
    assert done.returncode == 1
    assert "that should have been refused with 65" in done.stderr
    assert not (copy / "started").exists()


def test_one_problem_alone_fails_the_demo(copy: Path) -> None:
    (copy / "broken.env").write_text((copy / "development.env").read_text() + "CACHE_TTL=tomorrow\n")
    done = demo(copy)
    assert done.returncode == 1
    assert "that should have been refused with 65" in done.stderr


def test_a_service_that_does_not_start_fails_the_demo(copy: Path) -> None:
    (copy / "development.env").unlink()
    done = demo(copy)
    assert done.returncode == 1
    assert "the service ended with 65" in done.stderr


def test_an_artifact_that_changes_fails_the_demo(copy: Path) -> None:
    service = copy / "service.py"
    service.write_text(service.read_text() + "# changed\n")
    changing = copy / "demo.py"
    changing.write_text(
        changing.read_text().replace(
            "    return digest\n", "    (HERE / 'service.py').open('a').write('#')\n    return digest\n"
        )
    )
    done = demo(copy)
    assert done.returncode == 1
    assert "did not run the same artifact" in done.stderr


def test_the_commands_of_the_readme_run(copy: Path) -> None:
    (copy / ".git").mkdir()
    for script in re.findall(r"^```sh\n(.*?)^```$", (copy / "README.md").read_text(), re.DOTALL | re.MULTILINE):
        done = Project(copy).shell(f"set -e\n{script}")
        assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))
def test_every_example_has_a_readme_and_is_run_by_a_test(name: str) -> None:
    assert (EXAMPLES / name / "README.md").read_text().startswith("# ")
    tests = Path(__file__).parent.glob("test_example*.py")
    assert any(
        f'"examples" / "{name}"' in path.read_text() or f'EXAMPLES / "{name}"' in path.read_text() for path in tests
    )
