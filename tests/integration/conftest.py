"""The servers that integration tests talk to, started once for all of them."""

from collections.abc import Iterator

import pytest

from aws import Aws
from browser import Browser, run_browser
from servers import bao, gcp, moto

__all__ = ["aws", "bao", "gcp", "moto"]


@pytest.fixture
def aws(moto: Aws) -> Iterator[Aws]:
    """The same, which lets everybody in unless a test guards it."""
    yield moto
    moto.guard(10**9)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A real Chromium, for pages that people open."""
    with run_browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one
