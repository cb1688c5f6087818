"""What pydantic-core's errors are called here: by type, constraint and place, never with any of the value."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from confsvc.types import NAMED_PATTERNS

__all__ = ["Invalid", "describe_error", "describe_errors"]


class Invalid(NamedTuple):
    """Why one setting's value does not fit. ``message`` never holds any of the value."""

    name: str
    code: str
    message: str


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
