"""What the functions of the library have in common: their options, what they warn of, and errors without variables."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any, TypedDict, TypeVar

from confsvc.errors import ConfsvcError, UsageError
from confsvc.finding import make_request
from confsvc.resolution import Resolution
from confsvc.resolver import Request
from confsvc.schema import Schema
from confsvc.secret import Secret

__all__ = ["ConfsvcWarning", "Options", "bare", "hide", "request_for", "warn_of"]

T = TypeVar("T")


class ConfsvcWarning(UserWarning):
    """Something about a source is odd, but nothing is wrong with the settings."""


class Options(TypedDict, total=False):
    """The options of ``confsvc.load``, which says what they mean."""

    environment: str
    file: str
    sources: Iterable[str]
    set: Mapping[str, str] | None
    override: bool
    timeout: float
    locked: bool | str
    offline: bool
    cache: bool


def hide(options: Any) -> Secret[Any]:
    """Return ``Options`` hidden, and take what ``set`` decides out of them: a frame of the caller's keeps them."""
    hidden = Secret(copy(options))
    options.pop("set", None)
    return hidden


def bare(function: Callable[[], T]) -> T:
    """Return what ``function`` returns. An error of ours loses its frames: their variables hold what was read.

    A crash reporter that captures variables sees those of the functions above only, so these may hold no value.
    """
    try:
        return function()
    except ConfsvcError as error:
        found = error
    raise found.with_traceback(None)


def request_for(schema: Schema | str | None, options: Options, *, only: Iterable[str] = ()) -> Request:
    """Return what is asked for.

    Raises:
        UsageError: one text stands where several are meant, which no type checker finds.

    """
    for name, several in (("sources", options.get("sources")), ("only", only)):
        if isinstance(several, str):
            raise UsageError(f"`{name}` takes a list, and this is one text", hint=f"{name}=[…]")
    others: dict[str, Any] = {**options}
    return make_request(schema=schema, given=others.pop("set", None), only=only, **others)


def warn_of(resolution: Resolution, stacklevel: int) -> None:
    """Warn of what is odd, in the name of the caller ``stacklevel`` frames above this one."""
    for warning in resolution.warnings:
        warnings.warn(warning, ConfsvcWarning, stacklevel=stacklevel + 1)
