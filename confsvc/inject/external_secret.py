"""A plan as manifests for the External Secrets Operator. Nothing is read: it says where, and the operator does.

Layers become what the operator has: sources are ``dataFrom``, the lowest first, each over the one before; values are
``data``, over them; and a template picks what is declared, fills in texts around, and falls back on defaults.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from confsvc import _json
from confsvc.errors import AdapterError, Malformed, ManifestError, Problem, ResolutionError
from confsvc.external import Cluster, Remote
from confsvc.extract import CODE_PATTERN
from confsvc.inject.external_stores import Stores, property_of
from confsvc.inject.go_template import Part, decoded, every_field, field, field_or, filtered, render, some_fields
from confsvc.manifest import KeyPath
from confsvc.plan import Plan, Source, Template
from confsvc.reference import Reference
from confsvc.schema import UNSET, Setting, default_raw
from confsvc.template import Fill

__all__ = ["Wanted", "external_secret"]

_VERSION = "external-secrets.io/v1"
# What `confsvc.extract.setting_name` does, in the operator's words.
_REWRITE: list[dict[str, object]] = [
    {"regexp": {"source": "^(?:.*/)?([^/]+)/*$", "target": "$1"}},
    {"transform": {"template": "{{ .value | upper }}"}},
    {"regexp": {"source": "[^A-Z0-9_]+", "target": "_"}},
]


class Wanted(NamedTuple):
    """How the objects are to be. ``namespace`` is empty where it is left to who applies them."""

    cluster: Cluster
    namespace: str = ""
    store_kind: str = "SecretStore"
    refresh_interval: str = "1h"


def external_secret(
    plan: Plan, wanted: Wanted, place: Callable[[KeyPath], str]
) -> tuple[list[Mapping[str, object]], list[str]]:
    """Return the manifests for ``plan``, and what people have to make besides.

    Raises:
        ResolutionError: some settings cannot be written so; it has all of them.
        ManifestError: nothing is left for an operator to fetch.
        UsageError: something has to be said on the command line.

    """
    return _Builder(plan, wanted, place).build()


class _Builder:
    def __init__(self, plan: Plan, wanted: Wanted, place: Callable[[KeyPath], str]) -> None:
        self._plan = plan
        self._wanted = wanted
        self._place = place
        self._stores = Stores(plan.backends, wanted.cluster)
        self._data: dict[str, tuple[str, Mapping[str, object]]] = {}
        self._from_sources: list[str] = []
        self._problems: list[Problem] = []

    def build(self) -> tuple[list[Mapping[str, object]], list[str]]:
        template: dict[str, str] = {}
        names = self._names()
        self._check_literals(names)
        for name in names:
            self._add(name, template)
        all_fields = self._takes_all()
        data_from = [entry for source in reversed(self._sources_for(names)) for entry in self._entries(source)]
        if self._problems:
            count = "1 setting or source" if len(self._problems) == 1 else f"{len(self._problems)} settings or sources"
            where = f" of {self._plan.environment}" if self._plan.environment else ""
            raise ResolutionError(f"{count}{where} cannot be written for the External Secrets Operator", self._problems)
        if not data_from and not self._data:
            raise ManifestError(
                "nothing is read from a store, so there is nothing for an operator to fetch",
                hint="confsvc export --format k8s-configmap",
            )
        lines = [every_field(CODE_PATTERN)] if all_fields else []
        lines += [some_fields(self._from_sources)] if self._from_sources and not all_fields else []
        return [*self._store_documents(), self._document(template, lines, data_from)], self._stores.helpers()

    def _names(self) -> list[str]:
        plan = self._plan
        names = list(plan.schema.settings) if plan.schema else [*plan.values, *sorted(plan.only - {*plan.values})]
        return [name for name in names if plan.wanted(name)]

    def _add(self, name: str, template: dict[str, str]) -> None:
        """Write the setting ``name``, or note why it cannot be."""
        if any(problem.name == name for problem in self._problems):
            return
        try:
            parts = self._parts(name)
        except AdapterError as error:
            problem = error.problem(name=name, reference=self._reference_of(name))
            self._problems.append(problem._replace(code="manifest.operator", exit_status=78))
            return
        if parts is not None:
            template[name] = render(parts)

    def _parts(self, name: str) -> list[Part] | None:
        """Return what the setting ``name`` is made of; None where it may be missing."""
        setting = self._setting(name)
        if self._plan.values.get(name):
            return self._of_template(name, setting, self._plan.values[name][0])
        if not name.isidentifier() or not name.isascii():
            raise Malformed("its name has other characters than letters, digits and `_`")
        if self._plan.sources:
            return self._of_sources(name, setting)
        if setting.default is not UNSET:
            return [self._literal(setting, _json.to_text(default_raw(setting)))]
        if setting.required:
            raise Malformed("no layer has it but the process environment, which is not the operator's")
        return None

    def _setting(self, name: str) -> Setting:
        return self._plan.schema.settings[name] if self._plan.schema else Setting(name)

    def _of_sources(self, name: str, setting: Setting) -> list[Part] | None:
        if setting.type.kind == "bytes":
            raise Malformed(
                "the operator does not know which fields of a source are base64",
                hint=f'name it in `values`: {name} = "${{…}}"',
            )
        if setting.aliases:
            raise Malformed("the operator knows no further names for a field of a source", hint="name it in `values`")
        if setting.default is not UNSET:
            return [field_or(name, _json.to_text(default_raw(setting)))]
        if setting.required:
            return [field(name)]
        self._from_sources.append(name)
        return None

    def _of_template(self, name: str, setting: Setting, template: Template) -> list[Part]:
        if template.is_certain:
            return [self._literal(setting, _literal_text(template))]
        is_whole = len(template.parts) == 1 and not any(p.filters for p in template.parts if isinstance(p, Fill))
        if setting.type.kind == "bytes" and not is_whole:
            raise Malformed("the operator can decode base64 only where one reference is the whole value")
        parts: list[Part] = []
        for part in template.parts:
            if isinstance(part, str):
                parts.append(part)
            elif part.is_reference:
                key = name if len(template.parts) == 1 else f"{name}.{len(self._keys_of(name)) + 1}"
                self._fetch(key, template.references[part.target], setting if is_whole else None)
                parts += filtered([field(key)], part.filters)
            else:
                parts += filtered(self._of_other(part.target, is_bytes=setting.type.kind == "bytes"), part.filters)
        return parts

    def _keys_of(self, name: str) -> list[str]:
        return [key for key in self._data if key.startswith(f"{name}.")]

    def _of_other(self, name: str, *, is_bytes: bool) -> list[Part]:
        """Return what another setting, named in a value, is made of."""
        if is_bytes or self._setting(name).type.kind == "bytes":
            raise Malformed(f"it is made of `{name}`, and one of the two is `bytes`, which the operator has decoded")
        before = len(self._from_sources)
        parts = self._parts(name)
        del self._from_sources[before:]
        if parts is None:  # then it is an error here if it is missing, as it is with us
            parts = [field(name)]
            if not self._plan.sources:
                raise Malformed(f"it is made of `{name}`, which no layer has")
        return parts

    def _literal(self, setting: Setting, text: str) -> Part:
        return decoded("".join(text.split())) if setting.type.kind == "bytes" else text

    def _fetch(self, key: str, reference: Reference, setting: Setting | None) -> None:
        """Have ``reference`` fetched as ``key``; ``setting`` is what it is the whole value of."""
        store, remote = self._stores.find(reference)
        if remote.find is not None:
            raise Malformed("it names many secrets, and a value is one")
        kind = setting.type.kind if setting else "str"
        takes_all = kind == "json" or (setting is not None and self._plan.schema is None)
        if remote.is_mapping and reference.fragment is None and not takes_all:
            raise Malformed("it names a whole secret, which has fields", hint="name one of them: `…#FIELD`")
        found = _remote_ref(remote, reference)
        if kind == "bytes":
            found["decodingStrategy"] = "Base64" if remote.is_text or reference.fragment else "Auto"
        self._data[key] = (store, found)

    def _check_literals(self, names: list[str]) -> None:
        """Note which values, as they are written, do not fit their settings: nobody checks them later."""
        plan = self._plan
        written = {n: plan.values[n][0] for n in names if n in plan.values and plan.values[n][0].is_certain}
        if plan.schema is None or not written:
            return
        raws = {name: _literal_raw(template) for name, template in written.items()}
        for item in plan.schema.validate(raws)[1]:
            if item.name in written:
                place = self._place(written[item.name].place)
                self._problems.append(Problem("invalid", item.message, item.name, place=place, exit_status=65))

    def _takes_all(self) -> bool:
        """Whether the sources' undeclared fields are wanted too."""
        plan = self._plan
        if plan.only or plan.schema is None:
            return not plan.only
        chosen = {source.entry.inject_extra for source in plan.sources}
        if len(chosen) > 1:
            source = next(source for source in plan.sources if source.entry.inject_extra)
            message = "the operator mixes all sources: `extra` is the same for all of them, or cannot be written"
            self._problems.append(self._source_problem(source, Malformed(message)))
        return chosen == {True}

    def _sources_for(self, names: list[str]) -> tuple[Source, ...]:
        """Return the sources, none where every setting is decided above them."""
        if self._plan.schema is not None and not self._takes_extra() and all(n in self._plan.values for n in names):
            return ()
        return self._plan.sources

    def _takes_extra(self) -> bool:
        return not self._plan.only and any(source.entry.inject_extra for source in self._plan.sources)

    def _entries(self, source: Source) -> list[tuple[str, dict[str, object]]]:
        try:
            return [self._entry(source)]
        except AdapterError as error:
            self._problems.append(self._source_problem(source, error))
            return []

    def _entry(self, source: Source) -> tuple[str, dict[str, object]]:
        store, remote = self._stores.find(source.reference)
        if source.entry.optional:
            raise Malformed(
                "the operator has no source that may be missing", hint="take `optional` away, or make it a value"
            )
        found = {"find": remote.find} if remote.find is not None else {"extract": _remote_ref(remote, source.reference)}
        return store, {**found, "rewrite": _REWRITE}

    def _source_problem(self, source: Source, error: AdapterError) -> Problem:
        problem = error.problem(reference=str(source.reference), place=self._place(source.entry.path))
        return problem._replace(code="manifest.operator", exit_status=78)

    def _reference_of(self, name: str) -> str:
        templates = self._plan.values.get(name, ())
        return " ".join(map(str, templates[0].references.values())) if templates else ""

    def _metadata(self, name: str, *, is_cluster_wide: bool = False) -> dict[str, object]:
        namespace = "" if is_cluster_wide else self._wanted.namespace
        return {"name": name, **({"namespace": namespace} if namespace else {})}

    def _store_documents(self) -> list[Mapping[str, object]]:
        kind = self._wanted.store_kind
        is_cluster_wide = kind == "ClusterSecretStore"
        return [
            {
                "apiVersion": _VERSION,
                "kind": kind,
                "metadata": self._metadata(name, is_cluster_wide=is_cluster_wide),
                "spec": {"provider": provider},
            }
            for name, provider in self._stores.providers.items()
        ]

    def _document(
        self, template: Mapping[str, str], lines: list[str], data_from: list[tuple[str, dict[str, object]]]
    ) -> Mapping[str, object]:
        name = self._wanted.cluster.name
        wanted: dict[str, object] = {"engineVersion": "v2", "mergePolicy": "Replace"}
        wanted |= {"data": template} if template else {}
        wanted |= {"templateFrom": [{"target": "Data", "literal": text} for text in lines]} if lines else {}
        spec: dict[str, object] = {"refreshInterval": self._wanted.refresh_interval}
        stores = list(self._stores.providers)
        if len(stores) == 1:
            spec["secretStoreRef"] = self._store_reference(stores[0])
        spec["target"] = {"name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain", "template": wanted}
        if data_from:
            spec["dataFrom"] = [{**entry, **self._source_reference(store)} for store, entry in data_from]
        if self._data:
            spec["data"] = [
                {"secretKey": key, "remoteRef": remote, **self._source_reference(store)}
                for key, (store, remote) in self._data.items()
            ]
        return {"apiVersion": _VERSION, "kind": "ExternalSecret", "metadata": self._metadata(name), "spec": spec}

    def _store_reference(self, store: str) -> dict[str, object]:
        return {"name": store, "kind": self._wanted.store_kind}

    def _source_reference(self, store: str) -> dict[str, object]:
        """Say which store, where there are several."""
        is_only = len(self._stores.providers) == 1
        return {} if is_only else {"sourceRef": {"storeRef": self._store_reference(store)}}


def _remote_ref(remote: Remote, reference: Reference) -> dict[str, object]:
    found = {"key": remote.key, "property": property_of(reference), "version": remote.version}
    return {name: text for name, text in found.items() if text}


def _literal_text(template: Template) -> str:
    return "".join(map(str, template.parts)) if template.parts else _json.to_text(template.literal)


def _literal_raw(template: Template) -> object:
    return "".join(map(str, template.parts)) if template.parts else template.literal
