"""The servers that integration tests talk to, started once for all of them."""

from collections.abc import Iterator

import pytest

from aws import Aws, run_moto
from gcp import Gcp, run_drongo
from openbao import Bao, run_bao


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A development server: KV version 2 at ``secret/``, version 1 at ``kv1/``, and one further down."""
    with run_bao(tmp_path_factory.mktemp("bao")) as server:
        server.mount("kv1", "kv", options={"version": "1"})
        server.mount("team/kv", "kv", options={"version": "2"})
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Secrets Manager and Parameter Store, as moto has them."""
    with run_moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def aws(moto: Aws) -> Iterator[Aws]:
    """The same, which lets everybody in unless a test guards it."""
    yield moto
    moto.guard(10**9)


@pytest.fixture(scope="session")
def gcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gcp]:
    """Secret Manager, as drongo has it."""
    with run_drongo(tmp_path_factory.mktemp("drongo")) as server:
        yield server
