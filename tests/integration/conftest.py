"""The servers that integration tests talk to, started once for all of them."""

from collections.abc import Iterator

import pytest

from aws import Aws
from servers import bao, gcp, moto

__all__ = ["aws", "bao", "gcp", "moto"]


@pytest.fixture
def aws(moto: Aws) -> Iterator[Aws]:
    """The same, which lets everybody in unless a test guards it."""
    yield moto
    moto.guard(10**9)
