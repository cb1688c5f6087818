"""What all writers say of a setting in the same words."""

from collections.abc import Mapping

from confsvc import _json
from confsvc.schema import UNSET, Setting

__all__ = ["default_text", "described", "distinct_names", "is_needed", "type_words"]

_SIGNS: Mapping[str, str] = {
    "ge": "at least",
    "gt": "more than",
    "le": "at most",
    "lt": "less than",
    "min_length": "at least this long:",
    "max_length": "at most this long:",
    "pattern": "like",
}


def is_needed(setting: Setting) -> bool:
    """Whether nothing starts without it."""
    return setting.required and setting.default is UNSET


def default_text(setting: Setting) -> str:
    """Return the default as an environment variable would have it; empty where there is none, or it is secret."""
    default = getattr(setting.default, "value", setting.default)
    if setting.secret or default is UNSET or default is None:
        return ""
    return _json.to_text(default)


def distinct_names(setting: Setting) -> list[str]:
    """Return its names, each in one case only: a BaseSettings reads all of its own in both."""
    found: dict[str, str] = {}
    for name in setting.names:
        found.setdefault(name.lower(), name)
    return list(found.values())


def described(setting: Setting) -> str:
    """Return what people wrote about a setting, each paragraph on one line."""
    return "\n".join(" ".join(part.split()) for part in setting.description.split("\n\n") if part.strip())


def type_words(setting: Setting) -> str:
    """Return the type and its limits."""
    return ", ".join([str(setting.type), *(_limit(name, limit) for name, limit in setting.constraints.items())])


def _limit(name: str, limit: object) -> str:
    if name == "choices" and isinstance(limit, list):
        return "one of " + ", ".join(map(str, limit))
    return f"{_SIGNS.get(name, name)} {' '.join(str(limit).split())}"
