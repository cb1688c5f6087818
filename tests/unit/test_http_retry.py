"""When a call is tried again: what servers ask for, and how long the waits are."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.http import Answer, RetryPolicy
from confsvc.http.retry import retry_after, wait_before


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("7", 7.0), ("86400", 86400.0), ("-1", 0.0), ("1.5", 0.0), ("soon", 0.0), ("", 0.0), ("٣", 0.0)],
)
def test_a_number_of_seconds_is_understood_and_nonsense_is_none(text: str, seconds: float) -> None:
    assert retry_after({"retry-after": text}) == seconds


def test_a_number_beyond_reason_is_just_very_long() -> None:
    assert retry_after({"retry-after": "9" * 400}) > 1e9


@given(
    now=st.datetimes(datetime(1971, 1, 1), datetime(2400, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC)),
    seconds=st.integers(0, 10**8),
)
def test_a_date_counts_from_the_servers_own_clock(now: datetime, seconds: int) -> None:
    headers = {
        "date": format_datetime(now, usegmt=True),
        "retry-after": format_datetime(now + timedelta(seconds=seconds), usegmt=True),
    }
    assert retry_after(headers) == seconds


def test_a_date_without_the_servers_clock_counts_from_ours() -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    assert 3500 < retry_after({"retry-after": format_datetime(later, usegmt=True)}) <= 3600


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +0200",
        "Sun, 06 Foo 2094 08:49:37 GMT",
        "Sun, xx Nov 2094 08:49:37 GMT",
    ],
)
def test_a_date_that_is_past_or_none_asks_for_nothing(text: str) -> None:
    assert retry_after({"retry-after": text}) == 0.0


@given(attempt=st.integers(2, 40))
def test_a_wait_is_between_nothing_and_its_longest(attempt: int) -> None:
    policy = RetryPolicy()
    assert 0 <= wait_before(attempt, policy) <= min(policy.cap, policy.base * 2 ** (attempt - 2))


def test_waits_differ() -> None:
    assert len({wait_before(2, RetryPolicy()) for _ in range(20)}) > 1


def test_a_policy_mends_what_may_pass_unless_the_caller_knows_better() -> None:
    sealed = Answer(503, {}, b"sealed")
    assert RetryPolicy().mends(sealed)
    assert not RetryPolicy(veto=lambda answer: answer.body == b"sealed").mends(sealed)
    assert not any(RetryPolicy().mends(Answer(status, {}, b"")) for status in (200, 301, 400, 401, 403, 404, 501))
