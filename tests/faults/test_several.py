"""Several stores at once, and stores that change while they are read."""

import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from aws import Aws
from fault_proxy import FaultProxy, run_proxy
from gcp import Gcp
from openbao import Bao
from stores import gcp_store, secrets_manager_store, vault_store
from supervised import until
from toxics import Latency, ResetPeer, Timeout
from trial import Store, Trial


def together(stores: list[Store], ports: list[int]) -> Store:
    """Return all ``stores`` as one, each behind its port but for the first, which `Trial` puts behind its proxy."""
    first, *others = stores
    tables = [
        f"[backends.{store.name}]\n{store.backend.replace('{port}', str(port))}"
        for store, port in zip(others, ports, strict=True)
    ]
    named = [{f"{name}_{n}": text for name, text in store.values.items()} for n, store in enumerate(stores)]
    generation = {f"{name}_{n}": text for n, s in enumerate(stores) for name, text in s.generations[0].items()}
    return first._replace(
        backend="\n".join([first.backend, *tables]),
        values={name: text for one in named for name, text in one.items()},
        environ={name: text for store in stores for name, text in store.environ.items()},
        secrets=[text for store in stores for text in store.secrets],
        generations=[generation],
    )


@pytest.fixture
def three(tmp_path: Path, bao: Bao, moto: Aws, gcp: Gcp) -> Iterator[tuple[Trial, Mapping[str, FaultProxy]]]:
    """A project with settings of three stores, each behind a proxy of its own."""
    stores = [vault_store(bao), secrets_manager_store(moto), gcp_store(gcp)]
    with ExitStack() as stack:
        proxies = [stack.enter_context(run_proxy(store.port)) for store in stores]
        trial = Trial(tmp_path, together(stores, [proxy.port for proxy in proxies[1:]]), proxies[0])
        yield trial, {store.name: proxy for store, proxy in zip(stores, proxies, strict=True)}


Three = tuple[Trial, Mapping[str, FaultProxy]]


def test_three_stores_are_read_together(three: Three) -> None:
    """None of them answers before all have been asked."""
    trial, proxies = three
    for proxy in proxies.values():
        proxy.use(Timeout())

    def answer() -> None:
        until(lambda: all(proxy.first_at for proxy in proxies.values()))
        for proxy in proxies.values():
            proxy.clear()

    answering = threading.Thread(target=answer)
    answering.start()
    try:
        trial.check()
    finally:
        answering.join()


@pytest.mark.parametrize("down", ["vault", "aws-sm", "gcp-sm"])
def test_one_of_three_that_is_down_is_named_and_nothing_starts(three: Three, down: str) -> None:
    trial, proxies = three
    proxies[down].refuse()
    one = trial.check(status=69, words=["2 of 6", f"{down}://", f"`127.0.0.1:{proxies[down].port}` refused"])
    rows = [line for line in one.seen.err.decode().splitlines() if line.startswith("  ")]
    assert len(rows) == 2


@pytest.mark.parametrize("silent", ["vault", "aws-sm", "gcp-sm"])
def test_one_of_three_that_is_silent_holds_up_the_others_until_the_deadline_and_no_longer(
    three: Three, silent: str
) -> None:
    trial, proxies = three
    proxies[silent].use(Timeout())
    # What is asked first of a Vault that does not answer is asked four times at most.
    trial.check(status=75, words=["2 of 6", f"{silent}://"], deadline=4.0, requests=4 if silent == "vault" else None)


def test_three_that_fail_in_three_ways_are_all_told(three: Three) -> None:
    trial, proxies = three
    proxies["vault"].refuse()
    proxies["aws-sm"].use(Timeout())
    proxies["gcp-sm"].use(ResetPeer(side="up"))
    trial.check(status=69, words=["6 of 6", "refused", "within 4 s", "closed or reset"], deadline=4.0)


def test_the_fields_of_one_secret_come_from_one_version_of_it(tmp_path: Path, bao: Bao) -> None:
    """A writer replaces the secret as fast as it can: what arrives is one of the sets that were written."""
    store = vault_store(bao)
    folder = store.values["SETTING_A"].split("/")[3]
    names = [f"SETTING_{n}" for n in range(6)]
    generations: list[dict[str, str]] = []
    is_over = threading.Event()

    def write(number: int) -> None:
        generations.append({name: f"cnry-value-{number}-of-{name}" for name in names})
        bao.put(f"{folder}/all", generations[-1])

    def go_on() -> None:
        for number in itertools.count(1):
            write(number)
            if is_over.is_set():
                return

    write(0)
    values = {name: f"vault://secret/{folder}/all#{name}" for name in names}
    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        with run_proxy(store.port) as proxy:
            trial = Trial(tmp_path, store._replace(values=values, generations=generations), proxy)
            proxy.use(Latency(0.0, 0.05))
            received = [trial.check(requests=2).received for _ in range(4)]
    finally:
        is_over.set()
        writer.join()
    assert len({one["SETTING_0"] for one in received if one}) > 1
