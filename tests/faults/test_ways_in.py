"""Who gives out credentials may be slow, silent or broken as well."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aws import Aws
from fault_proxy import FaultProxy, run_proxy
from stores import secrets_manager_store
from toxics import Timeout
from trial import Trial

Start = Callable[..., None]


@pytest.fixture
def metadata(echo: int) -> Iterator[FaultProxy]:
    """The metadata service of a machine in the cloud, which does not answer."""
    with run_proxy(echo) as proxy:
        yield proxy


@pytest.fixture
def start(tmp_path: Path, moto: Aws, metadata: FaultProxy) -> Iterator[Start]:
    """A function that starts a command whose credentials are looked for as ``environ`` and a profile say."""
    store = secrets_manager_store(moto)
    config = tmp_path / "config"
    address = f"http://127.0.0.1:{metadata.port}/"
    found: dict[str, str] = {"AWS_CONFIG_FILE": str(config), "AWS_EC2_METADATA_SERVICE_ENDPOINT": address}
    with run_proxy(store.port) as proxy:

        def run(status: int, words: str, *, profile: str = "", keys: bool = False, seconds: float = 1.5) -> None:
            config.write_text(f"[default]\n{profile}\n")
            environ = {**found, **(store.environ if keys else {})}
            trial = Trial(tmp_path, store._replace(environ=environ), proxy)
            trial.check(status=status, words=[words], deadline=seconds)

        yield run


def test_with_keys_nobody_asks_the_metadata_service(start: Start, metadata: FaultProxy) -> None:
    start(0, "", keys=True, seconds=20.0)
    assert metadata.connections == 0


@pytest.mark.parametrize("kind", ["refused", "silent", "stalled"])
def test_a_metadata_service_that_is_away_does_not_outlast_the_deadline(
    start: Start, metadata: FaultProxy, kind: str
) -> None:
    if kind == "silent":
        metadata.use(Timeout())
    elif kind == "refused":
        metadata.refuse()
    else:
        metadata.stall()
    start(75 if kind != "refused" else 77, "", seconds=0.8 if kind != "refused" else 20.0)


def test_a_process_for_credentials_that_hangs_is_not_left_behind(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "hang.py"
    script.write_text("import time\ntime.sleep(20)\n")
    start(75, "within 1.5 s", profile=f"credential_process = {sys.executable} {script}")
