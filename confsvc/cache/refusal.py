"""Why the cache does not help."""

from typing import NamedTuple

from confsvc.errors import CacheError

__all__ = ["Refusal"]


class Refusal(NamedTuple):
    """``reason`` is one word: ``missing``, ``too_old``, ``corrupt``, …; ``message`` says it to people."""

    reason: str
    message: str
    hint: str = ""

    def error(self) -> CacheError:
        """Return it as the error that a document gets where nothing else may be asked."""
        return CacheError(self.message, reason=self.reason, hint=self.hint)

    @property
    def is_odd(self) -> bool:
        """Whether people should hear of it although nothing is lacking now."""
        return self.reason not in {"missing", "too_old", "clock", "incomplete"}
