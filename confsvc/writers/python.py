"""A pydantic model of a ``[settings]`` table, for ``confsvc.load``: the same names, types, limits and defaults."""

import ast
import builtins
import keyword
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import PurePath
from typing import Any
from uuid import UUID

from confsvc.errors import UsageError
from confsvc.schema import UNSET, Schema, Setting, TableSchema, default_raw
from confsvc.types import SettingType, parse_duration
from confsvc.writers.words import described

__all__ = ["python"]

_WIDTH = 88  # what formatters take for a line, unless they are told otherwise

# Where the names come from that a model may use, in the order of the imports.
_MODULES: Mapping[str, tuple[str, ...]] = {
    "datetime": ("date", "datetime", "timedelta"),
    "pathlib": ("Path",),
    "typing": ("Annotated", "Any", "Literal"),
    "uuid": ("UUID",),
    "confsvc.fields": ("Email", "Host", "Like", "Port", "SecretUrl", "Url"),
    "pydantic": ("BaseModel", "ConfigDict", "Field", "Json", "Secret", "SecretBytes", "SecretStr"),
}
_TYPES = {
    "json": "Json[Any]",
    "duration": "timedelta",
    "uuid": "UUID",
    "path": "Path",
    "url": "Url",
    "host": "Host",
    "email": "Email",
    "port": "Port",
}
_SECRETS = {"str": "SecretStr", "bytes": "SecretBytes", "url": "SecretUrl"}
_BASES = {"url": "str", "host": "str", "email": "str", "port": "int"}
_BASES_OF_SECRETS = {"str": "SecretStr", "bytes": "SecretBytes", **dict.fromkeys(("url", "host", "email"), "SecretStr")}

# Kinds whose limits pydantic's Field says as the manifest does, where they are no secrets.
_PLAIN = frozenset({"str", "int", "float", "duration", "datetime", "date", "bytes", "list", "dict"})


def python(schema: Schema) -> str:
    """Write a module with a model ``Settings``.

    The default of a secret is not written: the field is required then.

    Raises:
        UsageError: the schema is a class already.

    """
    if not isinstance(schema, TableSchema):
        raise UsageError("--python writes a model from a [settings] table, and this schema is one already")
    names = _field_names(schema.settings)
    fields = [_field(names[name], setting, schema) for name, setting in schema.settings.items()]
    config = ["frozen=True", "hide_input_in_errors=True"]
    if any(name.startswith("model_") for name in names.values()):
        config.append("protected_namespaces=()")
    body = (
        'class Settings(BaseModel):\n    """What the program is configured with."""\n\n'
        f"    model_config = ConfigDict({', '.join(config)})\n\n" + "".join(fields)
    )
    return f'"""Settings for `confsvc.load`, as `confsvc schema --python` wrote them."""\n\n{_imports(body)}\n\n{body}'


def _imports(body: str) -> str:
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    found = {module: [name for name in names if name in used] for module, names in _MODULES.items()}
    lines = {module: f"from {module} import {', '.join(names)}\n" for module, names in found.items() if names}
    own = "".join(line for module, line in lines.items() if module in sys.stdlib_module_names)
    others = "".join(line for module, line in lines.items() if module not in sys.stdlib_module_names)
    return f"{own}\n{others}" if own else others


def _field_names(settings: Mapping[str, Setting]) -> dict[str, str]:
    """Return what each setting's field is called: in lower case, no name that Python, pydantic or the types have."""
    from pydantic import BaseModel

    taken = {*dir(BaseModel), *dir(builtins), *keyword.kwlist, *(n for found in _MODULES.values() for n in found)}
    names: dict[str, str] = {}
    for name in sorted(settings, key=lambda name: name != name.upper()):  # the usual spelling has the first choice
        field = name.lower().lstrip("_")
        if not field.isidentifier():
            field = f"setting_{field}"
        while field in taken:
            field += "_"
        taken.add(field)
        names[name] = field
    return names


def _field(field: str, setting: Setting, schema: TableSchema) -> str:
    annotation, limits = _annotation(setting)
    arguments = [] if (default := _default(setting, schema)) is None else [default]
    optional = not setting.required and (not arguments or arguments == ["None"])
    if optional:
        annotation, arguments = f"{annotation} | None", ["None"]
    if field.upper() != setting.name:
        limits = {"validation_alias": setting.name, **limits}
    if setting.description:
        limits = {**limits, "description": described(setting)}
    note = "    # Its default is a secret, and stays in the manifest.\n" if _hides_default(setting) else ""
    named = [f"{name}={_literal(limit)}" for name, limit in limits.items()]
    start = f"    {field}: {annotation}"
    if not named:
        return note + " = ".join([start, *arguments]) + "\n"
    line = f"{start} = Field({', '.join([*arguments, *named])})"
    if len(line) > _WIDTH:
        line = f"{start} = Field(\n" + "".join(f"        {one},\n" for one in [*arguments, *named]) + "    )"
    return f"{note}{line}\n"


def _annotation(setting: Setting) -> tuple[str, Mapping[str, object]]:
    """Return the annotation of a field, and the limits that stand in its Field."""
    kind, constraints = setting.type.kind, dict(setting.constraints)
    choices = constraints.pop("choices", None)
    literal = ""
    if isinstance(choices, list):
        shown = choices if kind == "int" else [str(choice) for choice in choices]
        literal = f"Literal[{', '.join(map(_literal, shown))}]"
        if kind == "enum":
            return (f"Secret[{literal}]" if setting.secret else literal), {}
    if setting.type.item is not None:
        return _annotation_of_many(setting, _limits(kind, constraints))
    if not literal and not constraints:
        plain = _type(setting.type)
        return (_SECRETS.get(kind, f"Secret[{plain}]") if setting.secret else plain), {}
    if not literal and not setting.secret and kind in _PLAIN:
        return _type(setting.type), _limits(kind, constraints)
    base = literal or _BASES.get(kind, _type(setting.type))
    if setting.secret:
        base = f"Secret[{base}]" if literal else _BASES_OF_SECRETS.get(kind, f"Secret[{base}]")
    return f"Annotated[{base}, Like({', '.join([_literal(kind), *_named(constraints)])})]", {}


def _annotation_of_many(setting: Setting, limits: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    plain = _type(setting.type)
    if not setting.secret:
        return plain, limits
    return (f"Secret[Annotated[{plain}, Field({', '.join(_named(limits))})]]" if limits else f"Secret[{plain}]"), {}


def _limits(kind: str, constraints: Mapping[str, object]) -> dict[str, object]:
    return {n: parse_duration(str(limit)) if kind == "duration" else limit for n, limit in constraints.items()}


def _named(limits: Mapping[str, object]) -> Iterator[str]:
    return (f"{name}={_literal(limit)}" for name, limit in limits.items())


def _type(kind: SettingType) -> str:
    if kind.item is None:
        return _TYPES.get(kind.kind, kind.kind)
    return f"list[{_type(kind.item)}]" if kind.kind == "list" else f"dict[str, {_type(kind.item)}]"


def _hides_default(setting: Setting) -> bool:
    return setting.secret and setting.default is not UNSET


def _default(setting: Setting, schema: TableSchema) -> str | None:
    """Return the default as Python writes it, of the type that it has after validation; None where there is none."""
    if setting.default is UNSET or _hides_default(setting):
        return None
    return _literal(schema.validate({setting.name: default_raw(setting)})[0][setting.name])


def _literal(value: Any) -> str:
    """Return an expression that makes ``value``."""
    if isinstance(value, str):
        text = repr(value)
        return text if '"' in text else f'"{text[1:-1]}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, datetime | date):
        kind = "datetime" if isinstance(value, datetime) else "date"
        return f"{kind}.fromisoformat({_literal(value.isoformat())})"
    if isinstance(value, timedelta):
        return repr(value).removeprefix("datetime.")
    if isinstance(value, UUID | PurePath):
        return f"{'UUID' if isinstance(value, UUID) else 'Path'}({_literal(str(value))})"
    text = repr(value)
    return f'float("{text}")' if text in {"nan", "inf", "-inf"} else text
