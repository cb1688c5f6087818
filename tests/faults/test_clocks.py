"""A clock that is wrong by minutes, days or years is no reason not to start, and deadlines do not hang on it."""

import sys
from pathlib import Path

import pytest

from fault_proxy import run_proxy
from stores import STORES
from toxics import Timeout
from trial import Trial

SHIFTED = str(Path(__file__).parents[1] / "support" / "shifted.py")
DAY = 86400


@pytest.mark.parametrize("seconds", [-300, 300, -DAY, DAY, -365 * DAY, 365 * DAY])
@pytest.mark.parametrize("name", ["vault with a login", "aws-sm", "gcp-sm"])
def test_a_start_with_a_clock_that_is_wrong(
    tmp_path: Path, request: pytest.FixtureRequest, name: str, seconds: int
) -> None:
    server, make = STORES[name]
    store = make(request.getfixturevalue(server))
    with run_proxy(store.port) as proxy:
        trial = Trial(tmp_path, store, proxy, prefix=[sys.executable, SHIFTED, str(seconds)])
        trial.check()
        if seconds == -DAY:
            proxy.use(Timeout())
            # Each request is sent four times at most while nobody answers.
            trial.check(status=75, words=["within 0.7 s"], deadline=0.7, requests=4 * store.requests, orphans=4)
