"""Schemas in code: a pydantic model, a BaseSettings or a dataclass, validated as a whole."""

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic_core import PydanticUndefined

from confsvc.errors import InternalError, ManifestError, UsageError
from confsvc.messages import Invalid
from confsvc.models.defaults import faulty_defaults
from confsvc.models.fields import prepare_fields
from confsvc.models.importing import import_model
from confsvc.models.locating import Locator
from confsvc.models.nodes import DefaultText, Node, nodes_of, parts_of, unwrap, walk
from confsvc.models.running import Fault, annotation_of, check, make
from confsvc.models.types import has_fields, is_settings
from confsvc.secret import Secret
from confsvc.setting import Setting
from confsvc.types import Raw

__all__ = ["ModelSchema", "import_schema"]

T = TypeVar("T")

_ABSENT = PydanticUndefined
_NOT_A_MODEL = "is neither a pydantic model nor a dataclass"


class ModelSchema(Generic[T]):
    """A schema that is a class.

    After a ``validate`` without problems, ``instance`` is what came of it; ``inputs`` holds what its validator got, by
    the keys it takes, for those who validate themselves.

    Raises:
        ManifestError: a field of it cannot be a setting.
        UsageError: it is no class with fields.

    """

    def __init__(self, model: type[T]) -> None:
        if not has_fields(model):
            raise UsageError(f"`{getattr(model, '__qualname__', type(model).__name__)}` {_NOT_A_MODEL}")
        self.model = model
        self.nodes = nodes_of(model)
        self.settings: Mapping[str, Setting] = {node.name: node.setting for node in walk(self.nodes)}
        self.inputs: Secret[Mapping[str, object]] = Secret({})
        self._made: list[T] = []

    @property
    def instance(self) -> T:
        """The validated instance. There is one after a ``validate`` without problems that got every required setting.

        Raises:
            InternalError: there is none.

        """
        if not self._made:
            raise InternalError("no instance was made")
        return self._made[0]

    def validate(self, raws: Mapping[str, Raw]) -> tuple[dict[str, object], list[Invalid]]:
        """See ``Schema.validate`` in ``confsvc.schema``. Rules across fields need all required ones to be there."""
        self._made.clear()
        inputs = Inputs(self.nodes, raws)
        self.inputs = Secret(inputs.whole)
        made, faults = make(self.model, inputs.whole)
        partial = any(setting.required and name not in raws for name, setting in self.settings.items())
        locator = Locator(self.nodes, inputs.given, inputs.problems, across=not partial)
        locator.add([*inputs.faults, *faults])
        locator.add(fault for name, fault in faulty_defaults(self.model, self.nodes) if name not in inputs.given)
        if made is None and partial and not locator.problems:
            locator.add([fault for name in raws for fault in inputs.check(name)])
        problems = locator.in_order(self.settings)
        if made is not None and not problems:
            self._made.append(made)
            typed = dict(_typed(self.nodes, made, raws))
        else:
            typed = {name: value for name, value in inputs.values.items() if name not in locator.problems}
        if made is None and not partial and not problems:
            problems = [Invalid("", "invalid", "invalid: does not fit the schema")]
        return typed, problems


def import_schema(target: str, directory: str) -> ModelSchema[Any]:
    """Import ``package.module:Name``, where the manifest's folder ``directory`` is looked in first.

    Raises:
        ManifestError: there is no such module or name, importing it failed, or it is no model.

    """
    found = import_model(target, directory)
    if not has_fields(found):
        what = f"the class `{target}`" if isinstance(found, type) else f"`{target}`, a {type(found).__name__},"
        raise ManifestError(f"{what} {_NOT_A_MODEL}")
    return ModelSchema(found)


class Inputs:
    """What a model's validator gets for what the layers have.

    ``whole`` is for the model, ``values`` for each setting alone, ``given`` the names that more than a default decides.
    ``problems`` and ``faults`` are what was found on the way.
    """

    def __init__(self, nodes: tuple[Node, ...], raws: Mapping[str, Raw]) -> None:
        self._raws = raws
        self._nodes = {node.name: node for node in walk(nodes)}
        self.given = frozenset(name for name, raw in raws.items() if not isinstance(raw, DefaultText))
        self.problems: dict[str, Invalid] = {}
        self.faults: list[Fault] = []
        self.values: dict[str, object] = {}
        for name, raw in raws.items():
            self._prepare(self._nodes[name], raw)
        found = {node.field.key: self._gather(node, _ABSENT) for node in nodes}
        self.whole = {key: value for key, value in found.items() if value is not _ABSENT}

    def _prepare(self, node: Node, raw: Raw) -> None:
        if isinstance(raw, DefaultText):
            self.values[node.name] = unwrap(node.default)
            return
        value: object
        if node.children and raw is not None and node.field.shape.model is not None:
            value, reason = prepare_fields(node.field.shape.model, raw)
        else:
            value, reason = node.field.shape.prepare(raw)
        if reason:
            self.problems[node.name] = Invalid(node.name, "invalid", f"invalid: {reason}")
        else:
            self.values[node.name] = value

    def _gather(self, node: Node, inherited: object) -> object:
        """Return a field's input. ``inherited`` is what JSON for the model around it has; parts are laid over that."""
        own = self.values.get(node.name, inherited) if node.name in self.given else inherited
        if not node.children:
            return own
        parts = any(inner.name in self.given for inner in walk(node.children))
        if own is _ABSENT and not parts and not node.starts_empty:
            return _ABSENT
        if own is None and not parts:
            return None
        whole = node.parts_of_default() if own is _ABSENT else parts_of(own, node.children)
        for child in node.children:
            having = [whole.pop(key) for key in child.field.keys if key in whole]
            value = self._gather(child, having[0] if having else _ABSENT)
            if value is not _ABSENT:
                whole[child.field.key] = value
        return self._made_here(node, whole)

    def _made_here(self, node: Node, whole: dict[str, object]) -> object:
        """A nested BaseSettings is made here: left to the model around it, it would read the environment."""
        model = node.field.shape.model
        if model is None or not is_settings(model):
            return whole
        made, faults = make(model, whole)
        self.faults += [fault._replace(location=(*node.path, *fault.location)) for fault in faults]
        return _ABSENT if faults else made

    def check(self, name: str) -> list[Fault]:
        """Validate one setting alone, and keep its typed value: what is left where the model cannot be made."""
        node = self._nodes[name]
        if name not in self.given:
            return []
        value, faults = check(annotation_of(node.field.info), self.values[name])
        self.values[name] = unwrap(value)
        return [fault._replace(location=(*node.path, *fault.location)) for fault in faults]


def _typed(
    nodes: tuple[Node, ...], holder: object, raws: Mapping[str, Raw], *, json: bool = False, part: bool = False
) -> Iterator[tuple[str, object]]:
    """Yield the typed value of each setting. ``json``: the model around was given as a whole, so no default is used."""
    for node in nodes:
        value = getattr(holder, node.field.attribute, _ABSENT)
        raw = raws.get(node.name, _ABSENT)
        by_default = isinstance(raw, DefaultText)
        if raw is not _ABSENT and value is not _ABSENT and not (by_default and part and json):
            yield node.name, unwrap(value)
        whole = json or (raw is not _ABSENT and not by_default)
        yield from _typed(node.children, value, raws, json=whole, part=True)
