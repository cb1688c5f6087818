"""The example of the library runs as its README says."""

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent.parent / "examples" / "library"


def run(*command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in the example's folder, with nothing of ours in the environment."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *command], cwd=FOLDER, env=clean | environ, capture_output=True, text=True, check=False
    )


def test_development() -> None:
    done = run("app.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "sending as news@localhost, in batches of 100, about python, releases\n"
        "database: localhost, 5 connections, 5 s\n"
        "smtp password: **********\n"
    )


def test_production_is_the_same_program() -> None:
    done = run("app.py", CONFSVC_ENV="production")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "sending as news@example.com, in batches of 500, about python, releases, security\n"
        "database: db.internal, 20 connections, 2 s\n"
        "smtp password: **********\n"
    )


def test_everything_wrong_is_refused() -> None:
    done = run("app.py", BATCH_SIZE="none", SENDER="x", DATABASE__POOL_SIZE="99")
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr == ("DATABASE__POOL_SIZE: invalid: must be at most 50\nBATCH_SIZE: invalid: is not an integer\n")


def test_the_rule_across_fields_is_refused() -> None:
    done = run("app.py", BATCH_SIZE="1")
    assert done.returncode == 65
    assert done.stderr.endswith("confsvc.toml:4: invalid: was refused by the schema's own validator\n")


def test_check_and_exec_see_the_same_settings() -> None:
    done = run("-m", "confsvc", "check", "--all")
    assert (done.returncode, done.stderr) == (0, "")
    done = run("-m", "confsvc", "exec", "-e", "production", "--pristine", "--", "env")
    assert "DATABASE__URL=postgres://newsletter:p%40ss%2Fword@db.internal/newsletter\n" in done.stdout
    assert "DATABASE__TIMEOUT=2s\n" in done.stdout
    assert "LOG_LEVEL=info\n" in done.stdout
