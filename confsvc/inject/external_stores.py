"""The SecretStores that an ExternalSecret reads: one for each place that its references are in."""

import re
from collections.abc import Iterator, Mapping
from typing import cast

from confsvc.adapter import Adapter, Backend
from confsvc.errors import Malformed
from confsvc.external import Cluster, Exporter, Remote, object_name
from confsvc.reference import Reference
from confsvc.registry import adapter_class

__all__ = ["Stores", "property_of"]

# What means nothing else in the operator's paths, which are those of https://github.com/tidwall/gjson; a dot does, but
# the operator tries a field of the whole name first.
_SEGMENT = re.compile("(?!0[0-9])[A-Za-z0-9_: \x80-\U0010ffff-]+")
_FIELD = re.compile("[A-Za-z0-9_: \x80-\U0010ffff-][A-Za-z0-9_.: \x80-\U0010ffff-]*")


def property_of(reference: Reference) -> str:
    """Return what the operator calls the field, or the place, that ``reference`` names in its document.

    Raises:
        Malformed: to the operator it would mean something else.

    """
    fragment = reference.fragment or ""
    if fragment.startswith("/"):
        steps = [step.replace("~1", "/").replace("~0", "~") for step in fragment[1:].split("/")]
        is_clear = all(map(_SEGMENT.fullmatch, steps))
        fragment = ".".join(steps)
    else:
        is_clear = not fragment or bool(_FIELD.fullmatch(fragment))
    if not is_clear:
        raise Malformed(
            "to the operator a part of the fragment means something else: it takes letters, digits and `_:-`",
            hint="rename the field in the store, or leave the setting out with --only",
        )
    return fragment


class Stores:
    """The stores that were asked for so far, by their names."""

    def __init__(self, backends: Mapping[str, Backend], cluster: Cluster) -> None:
        self._backends = backends
        self._cluster = cluster
        self._adapters: dict[str, Adapter] = {}
        self.providers: dict[str, Mapping[str, object]] = {}

    def find(self, reference: Reference) -> tuple[str, Remote]:
        """Return the name of the store that has the document ``reference`` names, and where in it that is.

        Raises:
            Malformed: the operator cannot read it.
            UsageError: something has to be said on the command line.

        """
        adapter = self._adapter(reference.scheme)
        if not hasattr(adapter, "external"):
            what = self._backends[reference.scheme].adapter
            where = "reads this machine, which the operator does not see" if adapter.local else "has none for it"
            raise Malformed(f"no provider of the operator: `{what}` {where}", hint="leave it out with --only A,B")
        remote = cast("Exporter", adapter).external(reference.document, self._cluster)
        return self._named(reference.scheme, remote), remote

    def helpers(self) -> list[str]:
        """Return what people have to make for the stores: what opens them, and whom to trust."""
        found = dict.fromkeys(helper for provider in self.providers.values() for helper in _helpers(provider))
        return list(found)

    def _adapter(self, scheme: str) -> Adapter:
        if scheme not in self._adapters:
            backend = self._backends[scheme]
            self._adapters[scheme] = adapter_class(backend.adapter)(backend)
        return self._adapters[scheme]

    def _named(self, scheme: str, remote: Remote) -> str:
        """Return the name of the store with this provider: what it is called by, numbered where another one is."""
        base = object_name("-".join(filter(None, (self._cluster.name, scheme, remote.place))))
        name, number = base, 2
        while self.providers.setdefault(name, remote.provider) != remote.provider:
            name, number = f"{base}-{number}", number + 1
        return name


def _helpers(value: Mapping[str, object]) -> Iterator[str]:
    if {"name", "key"} <= value.keys():
        yield f"the {value.get('type', 'Secret')} `{value['name']}` with the key `{value['key']}`"
    for inner in value.values():
        if isinstance(inner, Mapping):
            yield from _helpers(inner)
