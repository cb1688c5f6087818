"""What the functions of the library have in common: their options, and what they warn of."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from confsvc.finding import make_request
from confsvc.resolution import Resolution
from confsvc.resolver import Request
from confsvc.schema import Schema

__all__ = ["ConfsvcWarning", "Options", "request_for", "warn_of"]


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


def request_for(schema: Schema, options: Options) -> Request:
    """Return what is asked for. It holds the environment: no frame that an error passes may keep it."""
    others: dict[str, Any] = {**options}
    return make_request(schema=schema, given=others.pop("set", None), **others)


def warn_of(resolution: Resolution, stacklevel: int) -> None:
    """Warn of what is odd, in the name of the caller ``stacklevel`` frames above this one."""
    for warning in resolution.warnings:
        warnings.warn(warning, ConfsvcWarning, stacklevel=stacklevel + 1)
