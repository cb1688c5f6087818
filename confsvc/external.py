"""What an adapter says so that somebody else can read its references: the External Secrets Operator, in a cluster.

Nothing is asked for this. What a reference and the backend's table mean is written as a ``provider`` of a SecretStore,
whose fields are those of https://external-secrets.io/latest/api/spec/, and a place in it.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from confsvc.errors import Malformed, UsageError
from confsvc.reference import Reference

__all__ = ["Cluster", "Exporter", "Remote", "account_of", "object_name", "without", "written"]


class Cluster(NamedTuple):
    """What is not in the manifest. ``name`` is that of the Secret to be made, which helpers' names begin with.

    ``namespace`` is where accounts and Secrets are that a cluster-wide store refers to, else empty.
    """

    name: str
    service_account: str = ""
    namespace: str = ""

    def account(self) -> dict[str, object]:
        """Refer to the service account."""
        return self._placed({"name": self.service_account})

    def secret(self, backend: str, key: str) -> dict[str, object]:
        """Refer to ``key`` of the Secret that holds what opens ``backend``, which people make."""
        return self._placed({"name": object_name(f"{self.name}-{backend}-auth"), "key": key})

    def authority(self, backend: str) -> dict[str, object]:
        """Refer to the ConfigMap that holds the authority that ``backend``'s certificate is checked with."""
        return self._placed({"type": "ConfigMap", "name": object_name(f"{self.name}-{backend}-ca"), "key": "ca.crt"})

    def _placed(self, selector: dict[str, object]) -> dict[str, object]:
        return {**selector, "namespace": self.namespace} if self.namespace else selector


class Remote(NamedTuple):
    """Where the operator finds a document.

    ``provider`` has one key, the provider's name. ``place`` tells several stores of one backend apart. With ``find``
    it is not one document but many, each by its name. ``is_mapping`` says that a document has fields and no text of its
    own, ``is_text`` that it is never binary.
    """

    provider: Mapping[str, object]
    key: str = ""
    version: str = ""
    place: str = ""
    find: Mapping[str, object] | None = None
    is_mapping: bool = False
    is_text: bool = True


class Exporter(Protocol):
    """An adapter whose references the operator can read too."""

    def external(self, reference: Reference, cluster: Cluster) -> Remote:
        """Return where the operator finds the document ``reference`` names. Does no I/O.

        Raises:
            Malformed: it cannot, or not with what the manifest says alone.
            UsageError: ``cluster`` does not say what is needed.

        """
        ...


def object_name(text: str) -> str:
    """Return ``text`` as a name that Kubernetes takes: lower case, odd characters as hyphens, 253 at most."""
    labels = (re.sub("[^a-z0-9]+", "-", label).strip("-") for label in text.lower().split("."))
    return ".".join(filter(None, labels))[:253].rstrip("-.") or "confsvc"


def written(options: Mapping[str, object], key: str, *, needed: bool = False, backend: str = "") -> str:
    """Return the text that the manifest has for ``key``. What only this machine knows is not for a cluster.

    Raises:
        Malformed: it is in a variable or a file; or it is ``needed``, and not there.

    """
    value = options.get(key, "")
    if isinstance(value, Mapping):
        raise Malformed(f"`{key}` is in a variable or a file of this machine", hint=f"write `{key}` as it is")
    if needed and not value:
        raise Malformed(
            f"the manifest does not say the `{key}` of the backend `{backend}`",
            hint=f"write `{key}` in [backends.{backend}]; what the environment here says is not the cluster's",
        )
    return str(value)


def without(options: Mapping[str, object], keys: Mapping[str, str], backend: str) -> None:
    """See that none of ``keys`` is written, each with the reason why the operator has no use for it.

    Raises:
        Malformed: one is.

    """
    for key, reason in keys.items():
        if options.get(key):
            raise Malformed(f"`{key}` of the backend `{backend}`: {reason}")


def account_of(cluster: Cluster, what: str) -> dict[str, object]:
    """Refer to the service account that ``what`` needs.

    Raises:
        UsageError: none is named.

    """
    if not cluster.service_account:
        raise UsageError(f"{what} needs a service account", hint="--service-account NAME")
    return cluster.account()
