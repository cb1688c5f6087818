"""Schemas: which settings there are, and what each one must look like.

Both spellings, the ``[settings]`` table and a pydantic model, end in pydantic-core, so they accept and refuse the same
text with the same words.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from confsvc import _json
from confsvc._light import import_submodule
from confsvc._suggest import did_you_mean
from confsvc.types import KINDS, NAMED_PATTERNS, Raw, SettingType, core_schema, parse_duration, parse_type, prepare

__all__ = ["UNSET", "Invalid", "Schema", "Setting", "TableSchema", "describe_error", "read_setting"]


class _Unset:
    """No value at all, which is something else than None or empty."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET = _Unset()


class Setting(NamedTuple):
    """One declared name with a type. ``aliases`` are further names it is looked up by, after its own."""

    name: str
    type: SettingType = SettingType("str")
    required: bool = True
    secret: bool = False
    description: str = ""
    default: object = UNSET
    constraints: Mapping[str, object] = {}
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it is looked up by."""
        return (self.name, *self.aliases)


class Invalid(NamedTuple):
    """Why one setting's value does not fit. ``message`` never holds any of the value."""

    name: str
    code: str
    message: str


class Schema(Protocol):
    """What a resolution needs of a schema, however it is spelled."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The declared settings by name, in order."""
        ...

    def validate(self, raws: Mapping[str, Raw]) -> tuple[dict[str, object], list[Invalid]]:
        """Check what was found for each setting. Returns the typed values of the good ones, and what is wrong."""
        ...


class TableSchema:
    """A schema made of settings, as a ``[settings]`` table declares them."""

    __slots__ = ("_validator", "settings")

    def __init__(self, settings: Iterable[Setting]) -> None:
        self.settings: Mapping[str, Setting] = {setting.name: setting for setting in settings}
        self._validator: Any = None

    def validate(self, raws: Mapping[str, Raw]) -> tuple[dict[str, object], list[Invalid]]:
        """See ``Schema.validate``."""
        inputs, problems = _prepare_all(self.settings, raws)
        values, found = validate_python(self._compiled(), inputs)
        for name in values:
            values[name] = _finish(self.settings[name].type.kind, values[name], raws[name])
        order = {name: number for number, name in enumerate(self.settings)}
        return values, sorted([*problems, *found], key=lambda problem: order[problem.name])

    def _compiled(self) -> Any:
        if self._validator is None:
            fields = {
                name: {"type": "typed-dict-field", "required": False, "schema": _setting_schema(setting)}
                for name, setting in self.settings.items()
            }
            self._validator = _core().SchemaValidator({"type": "typed-dict", "fields": fields})
        return self._validator


def _core() -> Any:
    return import_submodule("pydantic_core", "_pydantic_core")[0]


def _setting_schema(setting: Setting) -> dict[str, Any]:
    return core_schema(setting.type, dict(setting.constraints))


def _prepare_all(
    settings: Mapping[str, Setting], raws: Mapping[str, Raw]
) -> tuple[dict[str, object], list[Invalid]]:
    inputs: dict[str, object] = {}
    problems = []
    for name, raw in raws.items():
        found, reason = prepare(settings[name].type, raw)
        if reason:
            problems.append(Invalid(name, "invalid", f"invalid: {reason}"))
        else:
            inputs[name] = found
    return inputs, problems


def validate_python(validator: Any, inputs: dict[str, object]) -> tuple[dict[str, object], list[Invalid]]:
    """Validate ``inputs`` with a typed-dict validator; what fails is taken out, so that the rest gets its values."""
    problems: list[Invalid] = []
    remaining = dict(inputs)
    while True:
        try:
            return validator.validate_python(remaining), problems
        except ValueError as error:
            found = describe_errors(error)
        problems += found
        for problem in found:
            remaining.pop(problem.name, None)


def describe_errors(error: Any) -> list[Invalid]:
    """Turn pydantic-core's ValidationError into ours, by type, constraint and place; its text and input stay behind."""
    found: dict[str, Invalid] = {}
    for detail in error.errors(include_url=False, include_input=False):
        name, *rest = detail["loc"]
        message = describe_error(detail["type"], detail.get("ctx", {}))
        where = "".join(f" at item {part + 1}" for part in rest if isinstance(part, int))
        found.setdefault(str(name), Invalid(str(name), "invalid", f"invalid: {message}{where}"))
    return list(found.values())


# pydantic-core's error types, in our words. {} are constraints from the schema, never parts of the value.
_MESSAGES = {
    "missing": "is missing",
    "int_parsing": "is not an integer",
    "int_parsing_size": "is not an integer of reasonable size",
    "int_from_float": "is not an integer",
    "int_type": "is not an integer",
    "float_parsing": "is not a number",
    "float_type": "is not a number",
    "finite_number": "is not a finite number",
    "decimal_parsing": "is not a number",
    "bool_parsing": "is not a boolean (`true` or `false`)",
    "bool_type": "is not a boolean (`true` or `false`)",
    "string_type": "is not text",
    "string_unicode": "is not UTF-8 text",
    "string_too_short": "is shorter than {min_length} characters",
    "string_too_long": "is longer than {max_length} characters",
    "string_pattern_mismatch": "does not match the pattern `{pattern}`",
    "bytes_too_short": "is shorter than {min_length} bytes",
    "bytes_too_long": "is longer than {max_length} bytes",
    "too_short": "has fewer than {min_length} items",
    "too_long": "has more than {max_length} items",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "is not one of {expected}",
    "enum": "is not one of {expected}",
    "url_parsing": "is not a URL",
    "url_type": "is not a URL",
    "url_syntax_violation": "is not a URL",
    "url_too_long": "is a URL longer than {max_length} characters",
    "url_scheme": "is not a URL with the scheme {expected_schemes}",
    "uuid_parsing": "is not a UUID",
    "uuid_type": "is not a UUID",
    "uuid_version": "is not a UUID of version {expected_version}",
    "datetime_parsing": "is not a date and time (ISO 8601)",
    "datetime_from_date_parsing": "is not a date and time (ISO 8601)",
    "datetime_type": "is not a date and time (ISO 8601)",
    "date_parsing": "is not a date (ISO 8601)",
    "date_from_datetime_parsing": "is not a date (ISO 8601)",
    "date_from_datetime_inexact": "is a date with a time, not a date",
    "date_type": "is not a date (ISO 8601)",
    "time_delta_parsing": "is not a duration (`90s`, `5m`, `1h30m`)",
    "time_delta_type": "is not a duration (`90s`, `5m`, `1h30m`)",
    "list_type": "is not a list",
    "dict_type": "is not a JSON object",
    "model_type": "is not a JSON object",
    "json_invalid": "is not valid JSON",
    "extra_forbidden": "is not a known field",
    "value_error": "was refused by the schema's own validator",
    "assertion_error": "was refused by the schema's own validator",
}
_LIMITS = frozenset(
    "min_length max_length pattern ge gt le lt multiple_of expected expected_schemes expected_version".split()
)


def describe_error(code: str, context: Mapping[str, object]) -> str:
    """Return what to tell about pydantic-core's error ``code``; ``context`` gives the schema's limits only."""
    message = _MESSAGES.get(code)
    if message is None:
        return f"does not fit its type ({code})"
    limits = {name: limit for name, limit in context.items() if name in _LIMITS}
    if limits.get("pattern") in NAMED_PATTERNS:
        return NAMED_PATTERNS[str(limits["pattern"])]
    for name, limit in limits.items():
        message = message.replace(f"{{{name}}}", str(limit))
    return message


def _finish(kind: str, value: object, raw: Raw) -> object:
    """A URL and a host stay the text they were; a path becomes a Path."""
    if kind in {"url", "host"}:
        return (raw.decode() if isinstance(raw, bytes) else str(raw)).strip()
    if kind == "path":
        from pathlib import Path

        return Path(str(value))
    return value


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
    if kind.kind == "duration":
        problems += [
            (key, f"`{key}` is not a duration (`90s`, `5m`, `1h30m`)")
            for key, limit in constraints.items()
            if key in allowed and parse_duration(str(limit)) is None
        ]
    default = table.get("default", UNSET)
    return (
        Setting(
            name,
            kind,
            required=table.get("required", True),
            secret=table.get("secret", False),
            description=table.get("description", ""),
            default=default,
            constraints=constraints,
        ),
        problems,
    )


def default_raw(setting: Setting) -> Raw:
    """Return the default as a layer's raw value: text as it is, anything else as JSON would have it."""
    default = setting.default
    if isinstance(default, str | bytes | list | dict) or default is None:
        return default
    return _json.to_text(default) if isinstance(default, bool) else str(default)


def check_schema(schema: TableSchema) -> list[Invalid]:
    """Check that every constraint compiles and every default fits its own setting."""
    problems = [
        Invalid(setting.name, "manifest", f"`{setting.name}`: {reason}")
        for setting in schema.settings.values()
        if (reason := _compile_error(setting))
    ]
    if problems:
        return problems
    defaults = {s.name: default_raw(s) for s in schema.settings.values() if s.default is not UNSET}
    return [
        invalid._replace(code="manifest", message=f"the default of `{invalid.name}` {invalid.message[9:]}")
        for invalid in schema.validate(defaults)[1]
    ] if defaults else []


def _compile_error(setting: Setting) -> str:
    """Only a pattern, or limits of the wrong type, can fail here; the others are compiled all at once."""
    if not setting.constraints:
        return ""
    try:
        _core().SchemaValidator(_setting_schema(setting))
    except (_core().SchemaError, TypeError, ValueError):
        return "its constraints (" + ", ".join(f"`{key}`" for key in setting.constraints) + ") do not fit its type"
    return ""
