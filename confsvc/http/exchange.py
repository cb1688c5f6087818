"""One call on its way: how often it was sent, what was heard of it, and whether it is sent again."""

import time

from confsvc.adapter import Deadline
from confsvc.errors import AdapterError, DeadlineError, Throttled
from confsvc.http.failures import Failure
from confsvc.http.messages import Answer, Call, request_problem
from confsvc.http.origin import Origin
from confsvc.http.retry import RetryPolicy, retry_after, wait_before

__all__ = ["Exchange"]

_SAFE = frozenset({"GET", "HEAD"})


class Exchange:
    """A call that is sent to ``origin`` as ``policy`` says, until ``deadline``.

    ``alone`` says that no other call may share its connection, ``ready_at`` when it may be sent, on the monotonic
    clock. ``repeatable`` ones may be sent again even when the first time may have worked.
    """

    __slots__ = (
        "_answered",
        "_deadline",
        "_heard",
        "_origin",
        "_policy",
        "_spared",
        "alone",
        "attempts",
        "call",
        "ready_at",
        "repeatable",
    )

    def __init__(self, call: Call, origin: Origin, policy: RetryPolicy, deadline: Deadline) -> None:
        self.call = call
        self._origin, self._policy, self._deadline = origin, policy, deadline
        self.repeatable = call.method in policy.methods
        self.alone = call.alone or not self.repeatable or call.method not in _SAFE
        self.attempts = 0
        self.ready_at = 0.0
        self._spared = self._answered = False
        self._heard: Answer | AdapterError | None = request_problem(call)

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was heard of it, not even that it cannot be written as HTTP."""
        return self._heard is None

    @property
    def outcome(self) -> Answer | AdapterError | DeadlineError:
        """The last that was heard of it; that the deadline passed, if that is nothing."""
        if self._heard is not None:
            return self._heard
        return DeadlineError(f"no answer from `{self._origin.place}` within {self._deadline.seconds:g} s")

    @property
    def is_last_try(self) -> bool:
        """Whether there is no further attempt after the present one."""
        most = self._policy.attempts
        return self.attempts >= (most if self._answered else min(most, self._policy.unanswered))

    def spare(self) -> bool:
        """Take the present attempt as not made, as the connection was no good to begin with. Once only: false then."""
        if self._spared:
            return False
        self._spared = True
        self.forget_attempt()
        return True

    def forget_attempt(self) -> None:
        """Take the present attempt as not made."""
        self.attempts -= 1
        self.ready_at = 0.0

    def hears_answer(self, answer: Answer) -> bool:
        """Take note of ``answer``. Returns whether the call is to be sent again, at ``ready_at``."""
        self._heard = answer
        self._answered = True
        if not self.repeatable or self.is_last_try or not self._policy.mends(answer):
            return False
        asked = retry_after(answer.headers)
        if self._can_wait(asked + self.pause()):
            return True
        if answer.status == 429 and asked:
            self._heard = Throttled(f"`{self._origin.place}` asks to wait {asked:.0f} s, which is past the deadline")
        return False

    def hears_failure(self, failure: Failure, pause: float) -> bool:
        """Take note of ``failure``. Returns whether the call is to be sent again, ``pause`` seconds from now."""
        if not failure.silent:
            self._heard = failure.error()
        if not failure.again or self.is_last_try or not (self.repeatable or failure.unsent):
            return False
        if self._deadline.hurried and failure.unsent and not failure.silent:
            return False
        return self._can_wait(pause)

    def pause(self) -> float:
        """Return how many seconds to wait before the next attempt, a different number each time."""
        return wait_before(self.attempts + 1, self._policy)

    def _can_wait(self, seconds: float) -> bool:
        self.ready_at = time.monotonic() + seconds
        return self.ready_at < self._deadline.at
