"""A model as a tree of settings: one for each field, and one more for each field of a nested model."""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

import pydantic
from pydantic_core import PydanticSerializationError, PydanticUndefined, to_jsonable_python

from confsvc import _json
from confsvc.errors import ManifestError
from confsvc.fields import Like
from confsvc.manifest_schema import SETTING_NAME
from confsvc.models.fields import Field, default_of, fields_of
from confsvc.models.types import has_fields, holds_secret, is_settings
from confsvc.setting import UNSET, Setting

__all__ = ["DefaultText", "Node", "nodes_of", "unwrap", "walk"]


class DefaultText(str):
    """The text of a model's default: where it wins, the field is left to the model. ``value`` is it as JSON has it."""

    __slots__ = ("value",)

    value: object


class Node:
    """A field and its setting.

    ``path`` are the keys that lead to it in the model's input. ``default`` is the field's, or what a default of the
    model around it has for it. ``children`` are the parts of a nested model; ``keeps_default`` says that they are laid
    over its default, and do not replace it.
    """

    __slots__ = ("children", "default", "field", "keeps_default", "path", "setting")

    def __init__(
        self,
        field: Field,
        setting: Setting,
        path: tuple[str, ...],
        default: Any,
        children: tuple["Node", ...],
        *,
        keeps_default: bool,
    ) -> None:
        self.field = field
        self.keeps_default = keeps_default
        self.path = path
        self.setting = setting
        self.default = default
        self.children = children

    @property
    def name(self) -> str:
        """The setting's name."""
        return self.setting.name

    @property
    def is_required(self) -> bool:
        """Whether the model itself insists on the field."""
        return self.field.info.is_required()

    @property
    def starts_empty(self) -> bool:
        """Whether a nested model is made of nothing, to be told by each required part that it is missing.

        A BaseSettings that is its own factory is also made here: it would read the environment.
        """
        factory = self.field.info.default_factory
        own = isinstance(factory, type) and is_settings(factory)
        return bool(self.children) and (own or (self.is_required and any(_insists(c) for c in self.children)))

    def parts_of_default(self) -> dict[str, object]:
        """Return what parts are laid over: the fields of the default, where it is an instance."""
        if not self.keeps_default:
            return {}
        return parts_of(self.default, self.children)


def parts_of(whole: object, children: Iterable[Node]) -> dict[str, object]:
    """Return the fields of an instance, or of a mapping, by the keys of the model's input."""
    if isinstance(whole, Mapping):
        return dict(whole)
    return {c.field.key: getattr(whole, c.field.attribute) for c in children if hasattr(whole, c.field.attribute)}


def _insists(node: Node) -> bool:
    return node.is_required and (not node.children or any(_insists(child) for child in node.children))


def walk(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield every node, parents first."""
    for node in nodes:
        yield node
        yield from walk(node.children)


def nodes_of(model: type) -> tuple[Node, ...]:
    """Return the fields of ``model`` as settings.

    Raises:
        ManifestError: a field's name or alias cannot be a setting's, or two fields claim the same one.

    """
    config: Mapping[str, Any] = getattr(model, "model_config", {}) if is_settings(model) else {}
    naming = _Naming(config)
    nodes = tuple(naming.node(model, field) for field in fields_of(model))
    owners: dict[str, Node] = {}
    for node in walk(nodes):
        for name in node.setting.names:
            if owners.setdefault(name, node) is not node:
                raise ManifestError(f"two fields of `{model.__name__}` are the setting `{name}`")
    if is_settings(model) and not config.get("case_sensitive"):
        _add_cases(nodes, owners)
    return nodes


def _add_cases(nodes: tuple[Node, ...], owners: dict[str, Node]) -> None:
    """A BaseSettings reads its names in upper and in lower case, unless it says that case matters."""
    for node in walk(nodes):
        cases = [case for name in node.setting.names for case in (name.upper(), name.lower())]
        added = tuple(dict.fromkeys(case for case in cases if owners.setdefault(case, node) is node))
        names = dict.fromkeys((*node.setting.names, *added))
        node.setting = node.setting._replace(aliases=tuple(names)[1:])


class _Around(NamedTuple):
    """The models around a field: the names of the nearest one's setting, the way to it, and all their classes."""

    names: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    classes: tuple[type, ...] = ()


_NOTHING = _Around()


class _Naming:
    """How the names of settings are made, by the configuration of a BaseSettings."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        prefix: str = config.get("env_prefix") or ""
        target = config.get("env_prefix_target", "variable")
        self._prefix = prefix if target in {"variable", "all"} else ""
        self._prefix_of_aliases = prefix if target in {"alias", "all"} else ""
        self._delimiter: str = config.get("env_nested_delimiter") or "__"
        self._as_written = bool(config.get("case_sensitive"))
        # As pydantic-settings has it: it says no, unless it says otherwise.
        self._keeps_default = bool(config.get("nested_model_default_partial_update", True))

    def node(self, model: type, field: Field, around: "_Around | None" = None, default: Any = ...) -> Node:
        """Make the node of a field; ``default`` is what a default of the model around has for it, if there is one."""
        parents, path, seen = around or _NOTHING
        names = self._names(model, field, parents)
        path = (*path, field.key)
        own = default_of(field.info) if default is ... else default
        shape = field.shape
        children: tuple[Node, ...] = ()
        if shape.model is not None and shape.model not in {*seen, model}:
            inside = _Around(names, path, (*seen, model))
            children = tuple(
                self.node(shape.model, part, inside, getattr(own, part.attribute, ...))
                for part in fields_of(shape.model)
                if part.keys
            )
        setting = Setting(
            names[0],
            shape.kind,
            required=field.info.is_required() and not around and not children,
            secret=holds_secret(field.info.annotation) or _is_write_only(field),
            description=field.info.description or "",
            default=UNSET if children else _default_text(own),
            constraints=_constraints(field),
            aliases=names[1:],
        )
        return Node(field, setting, path, own, children, keeps_default=self._keeps_default)

    def _names(self, model: type, field: Field, parents: tuple[str, ...]) -> tuple[str, ...]:
        own = [alias if parents else self._prefix_of_aliases + alias for alias in field.aliases]
        if field.by_name:
            name = field.attribute if parents else self._prefix + field.attribute
            own.append(name if self._as_written else name.upper())
        names = tuple(f"{parent}{self._delimiter}{n}" for parent in parents for n in own) if parents else tuple(own)
        names = tuple(dict.fromkeys(names))
        if not names:
            raise ManifestError(
                f"`{model.__name__}.{field.attribute}` has only an AliasPath, which no setting can be called",
                hint="give it an alias of plain text, or make what it looks into a nested model",
            )
        for name in names:
            if not re.search(SETTING_NAME, name):
                raise ManifestError(f"`{model.__name__}.{field.attribute}`: `{name}` cannot be a setting's name")
        return names


def _is_write_only(field: Field) -> bool:
    extra = field.info.json_schema_extra
    return isinstance(extra, dict) and extra.get("writeOnly") is True


_LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern")


def _constraints(field: Field) -> dict[str, object]:
    """Return what may be shown of the constraints; pydantic itself checks them."""
    marks = [(name, getattr(mark, name, None)) for mark in field.info.metadata for name in _LIMITS]
    found: dict[str, object] = {name: limit for name, limit in marks if isinstance(limit, str | int | float)}
    for mark in field.info.metadata:
        found |= mark.constraints if isinstance(mark, Like) else {}
    return found | ({"choices": list(field.shape.choices)} if field.shape.choices else {})


def _default_text(value: Any) -> object:
    """Return the text of a default, or UNSET where there is none: None is no value."""
    if value is PydanticUndefined or value is None:
        return UNSET
    try:
        found = _jsonable(value)
    except (PydanticSerializationError, ValueError, RecursionError):
        return UNSET  # it is the model's business, and no text
    text = DefaultText(_json.to_text(found))
    text.value = found
    return text


def _jsonable(value: Any) -> object:
    """Return ``value`` as JSON has it, secrets revealed, and by the names that the input has."""
    value = unwrap(value)
    if isinstance(value, bytes):
        from base64 import b64encode

        return b64encode(value).decode()
    if isinstance(value, Enum):
        return _jsonable(value.value)
    if isinstance(value, pydantic.RootModel):
        return _jsonable(value.root)
    if has_fields(type(value)):
        fields = [field for field in fields_of(type(value)) if field.keys]
        return {field.key: _jsonable(getattr(value, field.attribute)) for field in fields}
    if isinstance(value, Mapping):
        return {str(_jsonable(key)): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_jsonable(item) for item in value), key=_json.compact)
    return to_jsonable_python(value)


def unwrap(value: Any) -> Any:
    """Return what one of pydantic's secrets holds; anything else is itself."""
    if isinstance(value, pydantic.SecretStr | pydantic.SecretBytes | pydantic.Secret):
        return value.get_secret_value()
    return value
