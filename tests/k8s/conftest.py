"""One podman, one image of this checkout, and one OpenBao for all tests of pods."""

from collections.abc import Iterator

import pytest

from cluster import Cluster, run_cluster
from images import build_confsvc, make_app, make_base, make_pause, wheelhouse
from openbao import Bao, run_bao
from podman import Podman, run_podman


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """Podman, with the images of an app and of confsvc, on a Debian that was made here."""
    with run_podman() as made:
        make_pause(made, tmp_path_factory.mktemp("pause"))
        make_app(made, tmp_path_factory.mktemp("app"))
        make_base(made)
        build_confsvc(made, wheelhouse(tmp_path_factory.mktemp("wheels"), "vault"))
        yield made


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A development server."""
    with run_bao(tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(bao: Bao) -> Iterator[Cluster]:
    """A cluster with the service account `shop/shop`, whose role in Vault may read everything in `secret/`."""
    with run_cluster("shop") as made:
        made.admit(bao, "shop", bao.policy("shop", "secret/data/* read", "secret/metadata/* read"))
        yield made
