"""The oracles themselves: each is content with a good run, and finds a bug that was put in for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fault_proxy import run_proxy
from openbao import Bao
from oracles import ORACLES, judge
from seeded import BUGS
from stores import approle_store
from toxics import Timeout
from trial import MODES, Trial


@pytest.fixture
def trial(tmp_path: Path, bao: Bao) -> Iterator[Trial]:
    """A project that reads a real server, and logs in to it."""
    store = approle_store(bao)
    with run_proxy(store.port) as proxy:
        yield Trial(tmp_path, store, proxy)


@pytest.mark.parametrize("mode", MODES)
def test_a_good_run_is_good(trial: Trial, mode: str) -> None:
    assert trial.check(mode).received == trial.store.generations[-1]
    trial.proxy.refuse()
    trial.check(mode, status=69, words=["refused"])


# The bug, the state of the server, how the run ought to end, and the oracles that find it.
CONTROLS = [
    ("starts_anyway", "exec", "down", 69, {"O1", "O5"}),
    ("mixes", "exec", "up", 0, {"O1"}),
    ("is_late", "exec", "silent", 75, {"O2"}),
    ("prints", "exec", "up", 0, {"O3"}),
    ("calls", "exec", "up", 0, {"O3"}),
    ("keeps_a_copy", "exec", "up", 0, {"O3", "O7"}),
    ("overwrites", "render", "down", 69, {"O4"}),
    ("traces", "exec", "down", 69, {"O5"}),
    ("chatters", "exec", "down", 69, {"O5"}),
    ("exits", "exec", "down", 69, {"O5"}),
    ("insists", "exec", "broken", 69, {"O6"}),
    ("leaves_a_child", "exec", "up", 0, {"O7"}),
    ("leaves_a_file_open", "exec", "up", 0, {"O7"}),
    ("leaves_a_token", "exec", "up", 0, {"O7"}),
]


@pytest.mark.parametrize(("bug", "mode", "server", "status", "finders"), CONTROLS)
def test_each_bug_is_found(trial: Trial, bug: str, mode: str, server: str, status: int, finders: set[str]) -> None:
    if mode == "render":
        trial.check(mode)
    if server == "down":
        trial.proxy.refuse()
    elif server != "up":
        trial.proxy.use(Timeout(None if server == "silent" else 0.0))
    deadline = 0.5 if server == "silent" else 20.0
    one = trial.run(mode, status=status, deadline=deadline, orphans=0 if server == "up" else 100, bug=bug)
    assert set(found := judge(one)) == finders, f"{found}\n{one.seen.err.decode()}"


def test_no_oracle_and_no_bug_is_without_a_control() -> None:
    assert {finder for *_, finders in CONTROLS for finder in finders} == set(ORACLES)
    assert {bug for bug, *_ in CONTROLS} == set(BUGS)
