"""Which calls share a connection."""

from hypothesis import given
from hypothesis import strategies as st

from confsvc.http.batches import plan

CALLS = st.integers(0, 400).map(lambda count: list(range(count)))


@given(calls=CALLS, warm=st.integers(0, 20), free=st.integers(0, 20), depth=st.integers(1, 20))
def test_batches_are_in_order_short_enough_and_few_enough(calls: list[int], warm: int, free: int, depth: int) -> None:
    batches = plan(calls, warm=warm, free=free, depth=depth)
    sent = [call for batch in batches for call in batch]
    assert sent == calls[: len(sent)]
    assert len(batches) <= free
    assert all(1 <= len(batch) <= depth for batch in batches)
    assert sent == calls or len(batches) == free


def test_a_few_calls_use_only_the_connections_that_are_open() -> None:
    assert len(plan(list(range(8)), warm=1, free=16, depth=8)) == 1
    assert len(plan(list(range(9)), warm=1, free=16, depth=8)) == 3


def test_a_depth_of_one_gives_each_call_a_connection() -> None:
    assert [len(batch) for batch in plan(list(range(20)), warm=0, free=16, depth=1)] == [1] * 16
