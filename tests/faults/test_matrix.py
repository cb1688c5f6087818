"""Every store behind every fault of the network: the outcome, and what every oracle says of the run."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from fault_proxy import run_proxy
from stores import STORES
from toxics import After, Bandwidth, Latency, LimitData, ResetPeer, Slicer, SlowClose, Timeout, Toxic
from trial import MODES, Store, Trial

IN_TIME = 20.0  # seconds: what has to be said before a deadline that is far away
SILENCE = 0.7  # seconds to wait where nothing comes
TRIES = 1 + 4  # of each request: one over a connection that was no good to begin with does not count
IN_HEAD, IN_BODY = 20, -1  # bytes of a first answer; the second is another one for each store


class Fault(NamedTuple):
    """What the network does to the next ``times`` connections, None for all, and how a start ends that meets it.

    ``tries`` is how often each request may be made.
    """

    toxics: tuple[Toxic, ...]
    status: int
    words: str = ""
    times: int | None = None
    tries: int = TRIES


def silence(*toxics: Toxic) -> Fault:
    """Return a fault under which no whole answer comes."""
    return Fault(toxics, 75, "within 0.7 s")


def broken(toxic: Toxic) -> Fault:
    """Return a fault that breaks every connection."""
    return Fault((toxic,), 69, "unavailable: ")


def passing(toxic: Toxic) -> Fault:
    """Return a fault of the first connection only."""
    return Fault((toxic,), 0, times=1, tries=2)


FAULTS = {
    "B05 slow": Fault((Latency(0.05, 0.05), Latency(0.05, 0.05, side="up")), 0, tries=1),
    "B05 narrow": Fault((Bandwidth(8000),), 0, tries=1),
    "B05 sliced": Fault((Slicer(7, 6), Slicer(5, 4, side="up")), 0, tries=1),
    "B05 slow to close": Fault((SlowClose(30.0), SlowClose(30.0, side="up")), 0, tries=2),
    "B05 no first byte": silence(Latency(30.0)),
    "B05 nothing arrives": silence(Timeout(side="up")),
    "B06 hangs in the head": silence(Timeout(count=IN_HEAD)),
    "B06 hangs in the body": silence(Timeout(count=IN_BODY)),
    "B06 the request hangs": silence(Timeout(count=40, side="up")),
    "B07 drips": silence(Slicer(1, 0, 0.1)),
    "B07 next to nothing a second": silence(Bandwidth(20)),
    "B07 the request drips": silence(Bandwidth(20, side="up")),
    "B09 reset": broken(ResetPeer()),
    "B09 reset in the body": broken(ResetPeer(count=IN_BODY)),
    "B09 reset once": passing(ResetPeer()),
    "B09 reset in the body once": passing(ResetPeer(count=IN_BODY)),
    "B10 closed": broken(LimitData(count=0)),
    "B10 closed in the head": broken(LimitData(count=IN_HEAD)),
    "B10 closed in the body": broken(LimitData(count=IN_BODY)),
    "B10 closed in the body once": passing(LimitData(count=IN_BODY)),
    "B10 the request is cut": broken(LimitData(count=40, side="up")),
    "B10 closed after a while": broken(Timeout(0.1)),
}


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    """The store that the test is about, of which there is one for all tests of a process."""
    server, make = STORES[request.param]
    made: dict[str, Store] = request.config.stash.setdefault(MADE, {})
    if request.param not in made:
        made[request.param] = make(request.getfixturevalue(server))
    return made[request.param]


MADE = pytest.StashKey[dict[str, Store]]()


@pytest.fixture
def trial(tmp_path: Path, store: Store) -> Iterator[Trial]:
    """A project that reads the store."""
    with run_proxy(store.port) as proxy:
        yield Trial(tmp_path, store, proxy)


each_store = pytest.mark.parametrize("store", STORES, indirect=True)


def in_body(toxic: Toxic, count: int) -> Toxic:
    """Return ``toxic`` with ``count`` where it is to act in the body."""
    if isinstance(toxic, After) and toxic.count == IN_BODY:
        return replace(toxic, count=count)
    return toxic


def meet(trial: Trial, fault: Fault, mode: str) -> None:
    """Start under ``fault``, and judge how that ends."""
    toxics = [in_body(one, trial.store.in_body) for one in fault.toxics]
    trial.proxy.use(*toxics, times=fault.times)
    trial.check(
        mode,
        status=fault.status,
        words=[fault.words],
        deadline=SILENCE if fault.status == 75 else IN_TIME,
        requests=trial.store.requests * fault.tries,
        # An answer that is lost on the way may be that of a login: then a token stays behind, which nobody knows.
        orphans=fault.tries,
    )


@each_store
@pytest.mark.parametrize("fault", FAULTS)
def test_a_start_under_a_fault(trial: Trial, fault: str) -> None:
    meet(trial, FAULTS[fault], "exec")


@pytest.mark.parametrize("store", ["vault"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_rendered_before_stays_under_a_fault(trial: Trial, fault: str) -> None:
    trial.check("render")
    meet(trial, FAULTS[fault], "render")


@each_store
@pytest.mark.parametrize("mode", MODES)
def test_a_refused_connection_names_host_and_port(trial: Trial, mode: str) -> None:
    trial.check(mode)
    trial.proxy.refuse()
    trial.check(mode, status=69, words=[f"`127.0.0.1:{trial.proxy.port}` refused the connection"])


@each_store
def test_a_connection_that_nobody_takes(trial: Trial) -> None:
    trial.proxy.stall()
    trial.check(status=75, words=["within 0.7 s"], deadline=SILENCE)


@each_store
def test_a_store_that_is_silent_once_is_asked_again(trial: Trial) -> None:
    trial.proxy.use(Timeout(), times=1)
    trial.check(deadline=6.0, requests=2 * trial.store.requests, orphans=1)


@each_store
def test_a_store_that_comes_back_serves_the_next_start(trial: Trial) -> None:
    trial.proxy.refuse()
    trial.check(status=69)
    trial.proxy.clear()
    trial.check()
