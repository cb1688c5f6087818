"""Fixtures: the real servers, started once for all tests of a process that ask for one."""

from collections.abc import Iterator

import pytest

from aws import Aws, run_moto
from gcp import Gcp, run_drongo
from openbao import Bao, run_bao

__all__ = ["bao", "gcp", "moto"]


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


@pytest.fixture(scope="session")
def gcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gcp]:
    """Secret Manager, as drongo has it."""
    with run_drongo(tmp_path_factory.mktemp("drongo")) as server:
        yield server
