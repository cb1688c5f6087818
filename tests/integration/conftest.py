"""The servers that integration tests talk to, started once for all of them."""

from collections.abc import Iterator

import pytest

from openbao import Bao, run_bao


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A development server: KV version 2 at ``secret/``, version 1 at ``kv1/``, and one further down."""
    with run_bao(tmp_path_factory.mktemp("bao")) as server:
        server.mount("kv1", "kv", options={"version": "1"})
        server.mount("team/kv", "kv", options={"version": "2"})
        yield server
