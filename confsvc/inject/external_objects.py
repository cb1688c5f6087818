"""The objects of external-secrets.io/v1: SecretStore, ClusterSecretStore and ExternalSecret.

Their fields are those of https://external-secrets.io/latest/api/spec/.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from confsvc.external import Cluster
from confsvc.inject.yaml_text import Word

__all__ = ["CLUSTER_WIDE", "STORE_KINDS", "Content", "Entry", "Wanted", "objects"]

CLUSTER_WIDE = "ClusterSecretStore"
STORE_KINDS = ("SecretStore", CLUSTER_WIDE)
_VERSION = Word("external-secrets.io/v1")


class Wanted(NamedTuple):
    """How the objects are to be. ``namespace`` is empty where it is left to who applies them."""

    cluster: Cluster
    namespace: str = ""
    store_kind: str = STORE_KINDS[0]
    refresh_interval: str = "1h"


class Entry(NamedTuple):
    """One thing to fetch: from the store of this name, as the operator has it."""

    store: str
    fields: Mapping[str, object]


class Content(NamedTuple):
    """What the Secret is made of: what is fetched, many at once and one by one, and the templates over all of that.

    ``template`` is by the Secret's keys; ``lines`` are templates of YAML mappings of further keys.
    """

    data_from: Sequence[Entry]
    data: Sequence[Entry]
    template: Mapping[str, str]
    lines: Sequence[str]


def objects(
    providers: Mapping[str, Mapping[str, object]], content: Content, wanted: Wanted
) -> list[Mapping[str, object]]:
    """Return the stores, by their names in ``providers``, and the ExternalSecret."""
    return [*_stores(providers, wanted), _external_secret(list(providers), content, wanted)]


def _stores(providers: Mapping[str, Mapping[str, object]], wanted: Wanted) -> Iterator[Mapping[str, object]]:
    namespace = "" if wanted.store_kind == CLUSTER_WIDE else wanted.namespace
    for name, provider in providers.items():
        yield _object(wanted.store_kind, name, namespace, {"provider": provider})


def _external_secret(stores: list[str], content: Content, wanted: Wanted) -> Mapping[str, object]:
    template: dict[str, object] = {"engineVersion": Word("v2"), "mergePolicy": Word("Replace")}
    if content.template:
        template["data"] = content.template
    if content.lines:
        template["templateFrom"] = [{"target": Word("Data"), "literal": text} for text in content.lines]
    target = {"name": wanted.cluster.name, "creationPolicy": Word("Owner"), "deletionPolicy": Word("Retain")}
    spec: dict[str, object] = {"refreshInterval": wanted.refresh_interval}
    is_only = len(stores) == 1
    if is_only:
        spec["secretStoreRef"] = _reference(stores[0], wanted)
    spec["target"] = {**target, "template": template}
    for name, entries in (("dataFrom", content.data_from), ("data", content.data)):
        if entries:
            spec[name] = [_fetched(entry, wanted, is_only=is_only) for entry in entries]
    return _object("ExternalSecret", wanted.cluster.name, wanted.namespace, spec)


def _fetched(entry: Entry, wanted: Wanted, *, is_only: bool) -> Mapping[str, object]:
    """Return an entry, which says its store where there are several."""
    return entry.fields if is_only else {**entry.fields, "sourceRef": {"storeRef": _reference(entry.store, wanted)}}


def _reference(store: str, wanted: Wanted) -> dict[str, object]:
    return {"name": store, "kind": Word(wanted.store_kind)}


def _object(kind: str, name: str, namespace: str, spec: Mapping[str, object]) -> Mapping[str, object]:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": _VERSION, "kind": Word(kind), "metadata": metadata, "spec": spec}
