"""confsvc: one resolver for an environment's configuration and secrets.

Importing it loads the standard library only, reads nothing and starts nothing; each name below is imported when it is
first used.
"""

from confsvc._version import __version__

# As typing has it, without importing typing: on the way to a command, PYTHONPATH has not been demoted yet.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from confsvc.adapter import Adapter, Backend
    from confsvc.errors import (
        AdapterError,
        ConfsvcError,
        DeadlineError,
        Denied,
        InvalidError,
        LockError,
        Malformed,
        ManifestError,
        NotFound,
        Problem,
        ResolutionError,
        Throttled,
        Unauthenticated,
        Unavailable,
        UsageError,
    )
    from confsvc.library import ConfsvcWarning, aload, load, resolve
    from confsvc.live import Change, Live, awatch, watch
    from confsvc.resolution import Origin, Resolution, Value
    from confsvc.secret import Secret

__all__ = [
    "AdapterError",
    "Change",
    "ConfsvcError",
    "ConfsvcWarning",
    "DeadlineError",
    "Denied",
    "InvalidError",
    "Live",
    "LockError",
    "Malformed",
    "ManifestError",
    "NotFound",
    "Origin",
    "Problem",
    "Resolution",
    "ResolutionError",
    "Secret",
    "Throttled",
    "Unauthenticated",
    "Unavailable",
    "UsageError",
    "Value",
    "__version__",
    "aload",
    "awatch",
    "load",
    "resolve",
    "watch",
]

# Asked before an adapter is made that reads. The pytest plugin, which must not import the core, puts its refusal here.
_guard: "Callable[[Backend, type[Adapter]], None] | None" = None

_ELSEWHERE = {
    "Change": "live",
    "ConfsvcWarning": "library",
    "Live": "live",
    "Origin": "resolution",
    "Resolution": "resolution",
    "Secret": "secret",
    "Value": "resolution",
    "aload": "library",
    "awatch": "live",
    "load": "library",
    "resolve": "library",
    "watch": "live",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name not in __all__:
        message = f"module 'confsvc' has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    value: object = getattr(import_module(f"confsvc.{_ELSEWHERE.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
