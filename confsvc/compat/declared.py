"""What is compared of a setting, however its schema is spelled."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from confsvc import _json
from confsvc.compat.domains import Domain, domain_of_json, domain_of_table
from confsvc.manifest import Manifest
from confsvc.schema import UNSET, Schema, default_raw

__all__ = ["Declared", "declared_of", "from_data", "to_data"]


class Declared(NamedTuple):
    """One setting. ``default`` is its text, None where it has none. ``evidence`` says where its values come from."""

    name: str
    domain: Domain
    required: bool
    secret: bool
    default: str | None = None
    description: str = ""
    aliases: tuple[str, ...] = ()
    evidence: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it is looked up by."""
        return (self.name, *self.aliases)

    @property
    def is_needed(self) -> bool:
        """Whether nothing starts without a value for it."""
        return self.required and self.default is None


def declared_of(schema: Schema, manifest: Manifest | None = None) -> dict[str, Declared]:
    """Return the settings of ``schema`` by name; ``manifest`` says where their values come from."""
    evidence = _evidence(manifest) if manifest is not None else {}
    domains = _domains_of_model(schema) if hasattr(schema, "nodes") else {}
    return {
        name: Declared(
            name,
            domains[name] if name in domains else domain_of_table(setting.type, setting.constraints),
            required=setting.required,
            secret=setting.secret,
            default=None if setting.default is UNSET else _json.to_text(default_raw(setting)),
            description=setting.description,
            aliases=setting.aliases,
            evidence=frozenset(evidence.get(name, ())),
        )
        for name, setting in schema.settings.items()
    }


def _domains_of_model(schema: Schema) -> dict[str, Domain]:
    from confsvc.json_schema import settings_schema

    whole = settings_schema(schema)
    definitions = whole.get("$defs", {})
    return {name: domain_of_json(one, definitions) for name, one in whole["properties"].items()}


def _evidence(manifest: Manifest) -> dict[str, set[str]]:
    """Return for each setting what the environments' ``values`` say of it, where that refers to something."""
    found: dict[str, set[str]] = {}
    for environment in manifest.environments:
        for name, entries in manifest.environment(environment).values.items():
            texts = (f"{environment}: {entry.value}" for entry in entries if "${" in str(entry.value))
            found.setdefault(name, set()).update(texts)
    return found


def to_data(settings: Mapping[str, Declared]) -> list[dict[str, Any]]:
    """Return ``settings`` as JSON has it, to go from one process to another."""
    return [
        {**one._asdict(), "domain": _domain_data(one.domain), "evidence": sorted(one.evidence)}
        for one in settings.values()
    ]


def from_data(data: list[dict[str, Any]], manifest: Manifest) -> dict[str, Declared]:
    """Undo ``to_data``."""
    evidence = _evidence(manifest)
    return {one.name: one for one in _read(data, evidence)}


def _read(data: list[dict[str, Any]], evidence: Mapping[str, set[str]]) -> Iterator[Declared]:
    for one in data:
        changed = {
            "domain": _domain(one["domain"]),
            "aliases": tuple(one["aliases"]),
            "evidence": frozenset(evidence.get(one["name"], ())),
        }
        yield Declared(**{**one, **changed})


def _domain_data(domain: Domain) -> dict[str, Any]:
    return {**domain._asdict(), "item": _domain_data(domain.item) if domain.item is not None else None}


def _domain(data: dict[str, Any]) -> Domain:
    item = data["item"]
    return Domain(**{**data, "choices": tuple(data["choices"]), "item": _domain(item) if item is not None else None})
