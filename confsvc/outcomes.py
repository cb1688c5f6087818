"""What a backend said, as JSON can hold it: for processes that read for one another."""

from collections.abc import Mapping
from typing import Any

from confsvc.adapter import Description, Document
from confsvc.carrying import pack, unpack
from confsvc.errors import AdapterError, ConfsvcError, DeadlineError

__all__ = ["decode", "encode"]

_ERRORS: Mapping[str, type[ConfsvcError]] = {
    **{one.code: one for one in AdapterError.__subclasses__()},
    DeadlineError.code: DeadlineError,
}


def encode(outcome: object) -> object:
    """Return an outcome as JSON can hold it; None where it is for whoever asked the backend alone."""
    if isinstance(outcome, ConfsvcError):
        return ["error", outcome.code, outcome.message, outcome.hint] if outcome.code in _ERRORS else None
    if isinstance(outcome, Description):
        return ["description", outcome.version, outcome.time, outcome.state, dict(outcome.custom)]
    packed = pack(outcome) if isinstance(outcome, Document) else None
    return ["document", *packed] if packed else None


def decode(said: Any) -> Document | Description | ConfsvcError | None:
    """Return what ``encode`` was given."""
    if said is None:
        return None
    what, *parts = said
    if what == "error":
        code, message, hint = parts
        return _ERRORS[code](message, hint=hint)
    if what == "description":
        return Description(*parts)
    return unpack(parts)
