"""The servers that the contract is tested with, started once."""

import pytest

from aws import Aws
from servers import bao, gcp, moto

__all__ = ["aws", "bao", "gcp", "moto"]


@pytest.fixture(scope="session")
def aws(moto: Aws) -> Aws:
    """Secrets Manager and Parameter Store, as moto has them."""
    return moto
