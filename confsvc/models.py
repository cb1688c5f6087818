"""Schemas in code: a pydantic model, a BaseSettings or a dataclass, validated as a whole."""

import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter
from pydantic_core import ValidationError

from confsvc._suggest import did_you_mean
from confsvc.errors import ManifestError
from confsvc.messages import Invalid, describe_error
from confsvc.model_fields import Field, fields_of, is_model, is_settings, setting_of
from confsvc.setting import Setting
from confsvc.types import Raw, prepare

__all__ = ["ModelSchema", "import_schema"]

T = TypeVar("T")


class ModelSchema(Generic[T]):
    """A schema that is a class. After a ``validate`` without problems, ``instance`` is what came of it."""

    def __init__(self, model: type[T]) -> None:
        if not is_model(model):
            raise ManifestError(f"`{getattr(model, '__name__', model)}` is no pydantic model and no dataclass")
        config: Mapping[str, Any] = getattr(model, "model_config", {})
        self._model = model
        self._fields = fields_of(model, config.get("env_prefix", ""), config.get("env_nested_delimiter") or "__")
        self.settings: Mapping[str, Setting] = {s.name: s for s in setting_of(self._fields)}
        self._instance: list[T] = []

    @property
    def instance(self) -> T:
        """The validated instance."""
        return self._instance[0]

    def validate(self, raws: Mapping[str, Raw]) -> tuple[dict[str, object], list[Invalid]]:
        """See ``confsvc.schema.Schema.validate``."""
        self._instance.clear()
        inputs, problems = self.inputs(raws)
        found = [] if problems else self._build(inputs)
        if problems:
            # What could be prepared is still checked, so that everything wrong is told at once.
            known = {problem.name for problem in problems}
            told = [problem for problem in self._build(inputs) if problem.code != "missing"]
            problems += [problem for problem in told if problem.name not in known]
            self._instance.clear()
        problems += found
        bad = {problem.name for problem in problems}
        typed = dict(_typed(self._fields, self._instance[0] if self._instance else inputs))
        return {name: typed.get(name, raws[name]) for name in raws if name not in bad}, problems

    def inputs(self, raws: Mapping[str, Raw]) -> tuple[dict[str, object], list[Invalid]]:
        """Return what the model's validator takes, and what could not be prepared for it."""
        problems: list[Invalid] = []
        return _inputs(self._fields, raws, problems), problems

    def _build(self, inputs: dict[str, object]) -> list[Invalid]:
        try:
            self._instance.append(self._make(inputs))
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        else:
            return []
        found: dict[str, Invalid] = {}
        for detail in details:
            invalid = _invalid(self._fields, detail["loc"], detail["type"], detail.get("ctx", {}))
            found.setdefault(invalid.name, invalid)
        return list(found.values())

    def _make(self, inputs: dict[str, object]) -> T:
        model: Any = self._model
        if is_settings(model):
            # Its own __init__ would read the environment and .env files behind our back.
            instance: T = model.__new__(model)
            model.__pydantic_validator__.validate_python(inputs, self_instance=instance)
            return instance
        if issubclass(model, BaseModel):
            made: T = model.model_validate(inputs)
            return made
        return TypeAdapter(self._model).validate_python(inputs)


def _inputs(fields: tuple[Field, ...], raws: Mapping[str, Raw], problems: list[Invalid]) -> dict[str, object]:
    found: dict[str, object] = {}
    for field in fields:
        name = field.setting.name
        if name in raws:
            value, reason = _prepare(field, raws[name])
            if reason:
                problems.append(Invalid(name, "invalid", f"invalid: {reason}"))
            else:
                found[field.key] = value
        parts = _inputs(field.parts, raws, problems)
        if parts:
            whole = found.get(field.key)
            found[field.key] = {**whole, **parts} if isinstance(whole, dict) else parts
    return found


def _prepare(field: Field, raw: Raw) -> tuple[object, str]:
    """Turn what a layer has into what pydantic takes in its lax mode."""
    value, reason = prepare(field.kind, raw)
    choices = field.setting.constraints.get("choices")
    if isinstance(choices, list) and not reason:  # Literal[1] takes no "1"
        value = next((choice for choice in choices if str(choice) == value), value)
    return value, reason


def _invalid(
    fields: tuple[Field, ...], location: tuple[int | str, ...], code: str, context: Mapping[str, Any]
) -> Invalid:
    """Say what is wrong at ``location`` of the model, by the name of the nearest setting."""
    name, position = "", 0
    while position < len(location):
        field = next((f for f in fields if location[position] in {f.key, f.attribute}), None)
        if field is None:
            break
        name, fields, position = field.setting.name, field.parts, position + 1
    if code == "missing":
        return Invalid(name, "missing", "missing: no layer has it")
    if not name:
        return Invalid("", "invalid", f"invalid: the settings together: {describe_error(code, context)}")
    where = "".join(f" at item {part + 1}" for part in location[position:] if isinstance(part, int))
    return Invalid(name, "invalid", f"invalid: {describe_error(code, context)}{where}")


def _typed(fields: tuple[Field, ...], holder: object) -> Iterator[tuple[str, object]]:
    """Yield each setting's value in a validated instance, or in its inputs where there is none."""
    for field in fields:
        if isinstance(holder, dict):
            if field.key not in holder:
                continue
            value = holder[field.key]
        else:
            value = getattr(holder, field.attribute, None)
        yield field.setting.name, value
        yield from _typed(field.parts, value)


def import_schema(target: str, directory: str) -> ModelSchema[Any]:
    """Import ``package.module:Name``; the manifest's folder is importable.

    Raises:
        ManifestError: there is no such module or name, importing it failed, or it is no model.

    """
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise ManifestError(f"a schema is written `package.module:Name`, not `{target}`")
    if directory not in sys.path:
        sys.path.insert(0, directory)
    module, reason = _import(module_name)
    if reason:
        raise ManifestError(f"schema `{target}`: {reason}")
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            near = did_you_mean(part, [name for name in vars(found) if not name.startswith("_")])
            raise ManifestError(f"schema `{target}`: `{module_name}` has no `{part}`{near}")
        found = getattr(found, part)
    return ModelSchema(found)


def _import(name: str) -> tuple[object, str]:
    """Import a module of the user's. What it raises is told by type and place: its text could hold anything."""
    try:
        return import_module(name), ""
    except ModuleNotFoundError as error:
        return None, f"there is no module `{error.name}`"
    except Exception as error:  # noqa: BLE001 - a user's module can raise what it wants
        trace = error.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        where = f" at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
        return None, f"importing `{name}` failed with {type(error).__name__}{where}"
