"""What tests share: a project folder with the real command in it, and a value that must show nowhere."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from running import Project


def pytest_configure() -> None:
    """Be as most processes are begun, whoever runs us: programs that we start inherit it.

    A signal that `nohup` or a script ignores is not; and a folder that is made is nobody else's to write to.
    """
    os.umask(0o022)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


# How long an example takes, or the making of one, says how busy the machine is. Every run has the same examples.
settings.register_profile("confsvc", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("confsvc")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project, which no manifest above it reaches into."""
    (tmp_path / ".git").mkdir()
    return Project(tmp_path)


@pytest.fixture
def canary() -> str:
    """A value that must show nowhere but in the child."""
    return "cnry-9f2b7c41d8"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in os.environ:
        if name.startswith(("CONFSVC_", "VAULT_", "BAO_")):
            monkeypatch.delenv(name)
