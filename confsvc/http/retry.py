"""When to try again, and not before when."""

import time
from collections.abc import Callable, Mapping
from os import urandom
from typing import NamedTuple

from confsvc.http.messages import Answer

__all__ = ["RetryPolicy", "retry_after", "wait_before"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DIGITS = frozenset("0123456789")


class RetryPolicy(NamedTuple):
    """What is tried again, and how often.

    A request is sent at most ``attempts`` times, and ``unanswered`` times while nothing at all is heard: a server that
    is busy may need patience, one that is not there shows it soon. Those whose method is not in ``methods`` may change
    something: they are tried again only where nothing of them was sent. An answer with one of ``statuses`` is tried
    again, unless ``veto`` says that it will not get better (a sealed store, say), and so is one that ``also`` says is
    worth it, for stores that tell by more than the status. The wait before attempt n is anything from nothing to
    ``base`` times 2 to the power of n - 2 seconds, ``cap`` at most: many programs that start together must not come
    back together.
    """

    attempts: int = 4
    unanswered: int = 4
    base: float = 0.25
    cap: float = 2.0
    methods: frozenset[str] = frozenset({"GET", "HEAD", "LIST"})
    statuses: frozenset[int] = frozenset({429, 500, 502, 503, 504})
    veto: Callable[[Answer], bool] | None = None
    also: Callable[[Answer], bool] | None = None

    def mends(self, answer: Answer) -> bool:
        """Tell whether another try may bring a better answer than ``answer``."""
        if self.also and self.also(answer):
            return True
        return answer.status in self.statuses and not (self.veto and self.veto(answer))


def wait_before(attempt: int, policy: RetryPolicy) -> float:
    """Return how many seconds to wait before ``attempt``; the first one is 1."""
    longest = min(policy.cap, policy.base * 2.0 ** (attempt - 2))
    return longest * int.from_bytes(urandom(4)) / 2**32


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that a server asks to be left alone, zero where it does not, or not in a way that is defined.

    A date is counted from the server's own ``Date``, where there is one, so that neither clock has to be right.
    """
    text = headers.get("retry-after", "")
    if text and _DIGITS.issuperset(text):
        return float(text[:12])
    until = _seconds(text)
    if until is None:
        return 0.0
    now = _seconds(headers.get("date", ""))
    return max(0.0, until - (time.time() if now is None else now))


def _seconds(date: str) -> float | None:
    """Return a date such as ``Sun, 06 Nov 1994 08:49:37 GMT`` in seconds since 1970, None for any other text."""
    parts = date.replace(":", " ").split()
    if len(parts) != 8 or parts[7] != "GMT" or parts[2] not in _MONTHS:
        return None
    numbers = parts[1], *parts[3:7]
    if not all(len(number) <= 4 and _DIGITS.issuperset(number) for number in numbers):
        return None
    day, year, hour, minute, second = map(int, numbers)
    return _days(year, _MONTHS.index(parts[2]) + 1, day) * 86400.0 + hour * 3600 + minute * 60 + second


def _days(year: int, month: int, day: int) -> int:
    """Count the days since 1 January 1970; `calendar` knows it too, and brings `datetime` and `locale` along."""
    year -= month < 3
    month = (month + 9) % 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 719469
