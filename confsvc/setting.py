"""One declared setting, and how an entry of ``[settings]`` is read."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from confsvc import _json
from confsvc._suggest import did_you_mean
from confsvc.types import KINDS, Raw, SettingType, parse_duration, parse_type

__all__ = ["UNSET", "Setting", "default_raw", "read_setting"]


class _Unset:
    """No value at all, which is something else than None or empty."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET = _Unset()


class Setting(NamedTuple):
    """One declared name with a type. ``aliases`` are further names it is looked up by, after its own.

    ``max_stale`` is how old its value may be where it comes from the cache, in seconds; None is whatever that allows.
    """

    name: str
    type: SettingType = SettingType("str")
    required: bool = True
    secret: bool = False
    description: str = ""
    default: object = UNSET
    constraints: Mapping[str, object] = {}
    aliases: tuple[str, ...] = ()
    max_stale: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it is looked up by."""
        return (self.name, *self.aliases)


def read_setting(name: str, table: Mapping[str, Any]) -> tuple[Setting, list[tuple[str, str]]]:
    """Read one entry of ``[settings]``, whose keys were checked. Returns it, and (key, message) of what is wrong."""
    kind, reason = parse_type(table.get("type", "str"))
    problems = [("type", reason)] if reason else []
    _, allowed = KINDS[kind.kind]
    every = {constraint for _, constraints in KINDS.values() for constraint in constraints}
    constraints = {key: table[key] for key in table if key in every}
    problems += [
        (key, f"`{key}` does not apply to the type `{kind}`{did_you_mean(key, allowed)}")
        for key in constraints
        if not reason and key not in allowed
    ]
    if kind.kind == "enum" and not reason and "choices" not in table:
        problems.append(("type", "an `enum` needs its `choices`"))
    if kind.kind == "int" and not all(isinstance(choice, int) for choice in constraints.get("choices", ())):
        problems.append(("choices", "the `choices` of an `int` are integers"))
    if kind.kind == "duration":
        problems += [
            (key, f"`{key}` is not a duration (`90s`, `5m`, `1h30m`)")
            for key, limit in constraints.items()
            if key in allowed and parse_duration(str(limit)) is None
        ]
    default = table.get("default", UNSET)
    max_stale = parse_duration(str(table["max_stale"])) if "max_stale" in table else None
    if "max_stale" in table and (max_stale is None or max_stale.total_seconds() < 0):
        problems.append(("max_stale", "`max_stale` is not a duration (`90s`, `5m`, `1h30m`)"))
    return (
        Setting(
            name,
            kind,
            required=table.get("required", True),
            secret=table.get("secret", False),
            description=table.get("description", ""),
            default=default,
            constraints=constraints,
            max_stale=max_stale.total_seconds() if max_stale is not None else None,
        ),
        problems,
    )


def default_raw(setting: Setting) -> Raw:
    """Return the default as a layer's raw value: text as it is, anything else as JSON would have it."""
    default = setting.default
    if isinstance(default, str | bytes | list | dict) or default is None:
        return default
    return _json.to_text(default)
