"""Schemas: which settings there are, and what each one must look like.

Both spellings, the ``[settings]`` table and a pydantic model, end in pydantic-core, so they accept and refuse the same
text with the same words.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from confsvc._light import import_submodule
from confsvc.messages import Invalid, describe_error, describe_errors
from confsvc.setting import UNSET, Setting, default_raw, read_setting
from confsvc.types import Raw, core_schema, prepare

__all__ = [
    "UNSET",
    "Invalid",
    "Schema",
    "Setting",
    "TableSchema",
    "check_schema",
    "default_raw",
    "describe_error",
    "describe_errors",
    "read_setting",
    "validate_python",
]


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


def _prepare_all(settings: Mapping[str, Setting], raws: Mapping[str, Raw]) -> tuple[dict[str, object], list[Invalid]]:
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
    return (
        [
            invalid._replace(code="manifest", message=f"the default of `{invalid.name}` {invalid.message[9:]}")
            for invalid in schema.validate(defaults)[1]
        ]
        if defaults
        else []
    )


def _compile_error(setting: Setting) -> str:
    """Only a pattern, or limits of the wrong type, can fail here; the others are compiled all at once."""
    if not setting.constraints:
        return ""
    try:
        _core().SchemaValidator(_setting_schema(setting))
    except (_core().SchemaError, TypeError, ValueError):
        return "its constraints (" + ", ".join(f"`{key}`" for key in setting.constraints) + ") do not fit its type"
    return ""
