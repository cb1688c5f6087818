"""One podman, one image of this checkout, and one OpenBao for all tests of pods."""

from collections.abc import Iterator

import pytest

from images import build_confsvc, make_app, make_base, make_pause, wheelhouse
from podman import Podman, run_podman


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """Podman, with the images of an app and of confsvc, on a Debian that was made here."""
    with run_podman(tmp_path_factory.mktemp("podman")) as made:
        make_pause(made, tmp_path_factory.mktemp("pause"))
        make_app(made, tmp_path_factory.mktemp("app"))
        make_base(made)
        build_confsvc(made, wheelhouse(tmp_path_factory.mktemp("wheels"), "vault"))
        yield made
