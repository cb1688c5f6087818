"""How long a change waits: what the options mean, and that a thousand replicas do not act together."""

import random
from collections import Counter

import pytest

from confsvc.cli.exec import parser
from confsvc.cli.options import pace_of
from confsvc.watching.pace import Gate, Pace


@pytest.mark.parametrize(
    ("options", "pace"),
    [
        (["--watch"], Pace(30.0, 0.5, minimum=10.0, splay=30.0, local_splay=0.0)),
        (["--watch=2s"], Pace(2.0, 0.5, minimum=2.0, splay=2.0, local_splay=0.0)),
        (["--watch=5m"], Pace(300.0, 0.5, minimum=10.0, splay=30.0, local_splay=0.0)),
        (["--watch", "--splay=1m"], Pace(30.0, 0.5, minimum=10.0, splay=60.0, local_splay=60.0)),
        (["--watch", "--splay=0s", "--debounce=0s", "--min-interval=1h"], Pace(30.0, 0.0, minimum=3600.0)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_and_their_defaults(options: list[str], pace: Pace) -> None:
    assert pace_of(parser().parse_args(options), "watch") == pace


def openings(pace: Pace, *, is_local: bool = False, expires: float = float("inf")) -> list[float]:
    """Return when each of a thousand replicas acts on a change that all of them see at the same moment."""
    random.seed(7)
    gates = [Gate(pace) for _ in range(1000)]
    for gate in gates:
        gate.offer(100.0, is_local=is_local, expires=expires)
    return [gate.opens() - 100.0 for gate in gates]


def test_a_thousand_replicas_act_apart() -> None:
    waits = openings(Pace(splay=30.0))
    by_second = Counter(int(wait) for wait in waits)
    assert min(waits) >= 0.5  # the debounce
    assert max(waits) <= 30.0
    assert set(by_second) == set(range(30))
    assert max(by_second.values()) < 100


def test_changes_of_files_wait_for_nobody_unless_told_to() -> None:
    assert set(openings(Pace(splay=30.0), is_local=True)) == {0.5}
    assert len(set(openings(Pace(local_splay=30.0), is_local=True))) > 900


def test_what_ends_soon_is_replaced_before_a_quarter_of_its_time_is_over() -> None:
    assert max(openings(Pace(splay=30.0), expires=108.0)) == 2.0


def test_two_changes_are_as_far_apart_as_they_have_to_be_and_one_that_is_withdrawn_is_none() -> None:
    gate = Gate(Pace(minimum=10.0))
    gate.offer(100.0, is_local=True)
    gate.tell(gate.opens())
    gate.offer(101.0, is_local=True)
    assert gate.opens() == 110.5
    gate.withdraw()
    assert gate.opens() == float("inf")


def test_a_change_that_goes_on_waits_until_nothing_has_moved() -> None:
    gate = Gate(Pace(debounce=2.0))
    for moment in (100.0, 101.0, 102.5):
        gate.offer(moment, is_local=True)
    assert gate.opens() == 104.5
