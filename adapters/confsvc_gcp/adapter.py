"""``gcp-sm://my-project/db-password#field``: Google Cloud Secret Manager."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from confsvc.adapter import Backend, Conflict, Content, Deadline, Description, Outcome, compact_json, settled
from confsvc.errors import AdapterError, ConfsvcError, Malformed, NotFound
from confsvc.reference import Reference
from confsvc_gcp.options import OPTIONS, PARAMETERS, VARIABLES

if TYPE_CHECKING:
    from confsvc.diagnosis import Finding
    from confsvc.external import Cluster, Remote
    from confsvc.needs import Needs
    from confsvc_gcp.identity import Identity
    from confsvc_gcp.names import Name
    from confsvc_gcp.store import Store

__all__ = ["SecretManagerAdapter"]


class SecretManagerAdapter:
    """Reads versions of secrets, and whole projects."""

    options: ClassVar[Mapping[str, Mapping[str, object]]] = OPTIONS
    parameters: ClassVar[frozenset[str]] = PARAMETERS
    variables: ClassVar[frozenset[str]] = VARIABLES
    local: ClassVar[bool] = False
    keeps_names: ClassVar[bool] = False

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._identity: Identity | None = None
        self._stores: dict[str, Store] = {}

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        """See ``confsvc.adapter.Adapter``.

        Raises:
            DeadlineError: nothing was heard of some of ``references`` in time.
            ManifestError: the backend's table cannot be used.

        """
        from confsvc_gcp.reading import read_all

        return self._ask(references, deadline, read_all)

    def describe(
        self, references: Sequence[Reference], *, deadline: Deadline
    ) -> Mapping[Reference, Description | AdapterError]:
        """See ``confsvc.adapter.Describer``."""
        from confsvc_gcp.reading import describe_all

        return self._ask(references, deadline, describe_all)

    @staticmethod
    def pin(reference: Reference, version: str, part: str = "") -> Reference:
        """See ``confsvc.adapter.Pinner``."""
        from confsvc_gcp.names import pinned

        return pinned(reference, version, part)

    def external(self, reference: Reference, cluster: "Cluster") -> "Remote":
        """See ``confsvc.external.Exporter``."""
        from confsvc_gcp.external import remote_of

        return remote_of(reference, self._backend, cluster)

    def examine(
        self, references: Sequence[Reference], *, deadline: Deadline, optional: Collection[Reference] = ()
    ) -> "Iterator[Finding]":
        """See ``confsvc.diagnosis.Examiner``."""
        from confsvc_gcp.examining import examine_store

        def read(reference: Reference, until: Deadline) -> Outcome:
            return self.fetch([reference], deadline=until)[reference]

        try:
            yield from examine_store(self._backend, self._who(), references, read, deadline, optional)
        finally:
            self.close()

    def needs(self, references: Sequence[Reference]) -> "Needs":
        """See ``confsvc.needs.Forecaster``."""
        from confsvc_gcp.needs import needs_of

        return needs_of(references, self._backend)

    def store(self, reference: Reference, content: Content, *, deadline: Deadline, expected: str | None = None) -> str:
        """See ``confsvc.adapter.Storer``. The secret is made where there is none.

        There is no write on condition: it is compared before, and the number of the new version tells afterwards.
        """
        deadline.check()
        name = self._name(reference, deadline)
        if isinstance(name, Malformed):
            raise name
        stored = _store(self._store(name.location, deadline), name, _data(content), deadline, expected)
        if isinstance(stored, ConfsvcError):
            raise stored
        return stored

    def member(self, reference: Reference, field: str) -> Reference:
        """See ``confsvc.adapter.Grower``."""
        parameters = tuple(pair for pair in reference.parameters if pair[0] == "location")
        return Reference(reference.scheme, reference.path.rstrip("/") + "/" + field, parameters)

    def close(self) -> None:
        """Close what is open."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()

    def _ask(self, references: Sequence[Reference], deadline: Deadline, ask: Any) -> dict[Reference, Any]:
        deadline.check()
        names: dict[Reference, Any] = {}
        failure: AdapterError | None = None
        try:
            names = {reference: self._name(reference, deadline) for reference in references}
        except AdapterError as error:
            failure = error
        if failure:
            return dict.fromkeys(references, settled(failure))
        found: dict[Any, Any] = {}
        wanted = [name for name in names.values() if not isinstance(name, Malformed)]
        for location in dict.fromkeys(name.location for name in wanted):
            here = [name for name in wanted if name.location == location]
            try:
                found.update(ask(self._store(location, deadline), here, deadline))
            except AdapterError as error:
                found.update(dict.fromkeys(here, error))
        return {
            reference: name if isinstance(name, Malformed) else settled(found[name])
            for reference, name in names.items()
        }

    def _name(self, reference: Reference, deadline: Deadline) -> "Name | Malformed":
        """Return what ``reference`` names, with what the backend says where it does not."""
        from confsvc_gcp.names import read_name

        name = read_name(reference)
        if isinstance(name, Malformed):
            return name
        if not name.project:
            name = name._replace(project=self._who().project(deadline))
        return name._replace(location=name.location or str(self._backend.options.get("location", "")))

    def _who(self) -> "Identity":
        # Here, as a manifest that only mentions this adapter imports this module.
        from confsvc_gcp.identity import Identity

        if self._identity is None:
            self._identity = Identity(self._backend)
        return self._identity

    def _store(self, location: str, deadline: Deadline) -> "Store":
        if location not in self._stores:
            self._stores[location] = self._open(location, deadline)
        return self._stores[location]

    def _open(self, location: str, deadline: Deadline) -> "Store":
        if self._backend.options.get("transport", "rest") == "grpc":
            from confsvc_gcp.grpc_store import GrpcStore

            return GrpcStore(self._backend, self._who(), location, deadline)
        from confsvc_gcp.rest import Rest
        from confsvc_gcp.store import RestStore

        return RestStore(Rest(self._backend, self._who(), location), self._backend.name)


def _store(store: "Store", name: "Name", data: bytes, deadline: Deadline, expected: str | None) -> "str | ConfsvcError":
    if not name.secret or name.version != "latest":
        return Malformed("a secret is written as a whole, and its next version made: name it alone")
    if expected is not None:
        (described,) = store.describe([name], deadline)
        current = described.version if isinstance(described, Description) else "0"
        if isinstance(described, ConfsvcError) and not isinstance(described, NotFound):
            return described
        if current != expected:
            return Conflict(f"`{name.what}` is at version {current} by now, so it was not written")
    added = store.add(name, data, deadline)
    if isinstance(added, NotFound):
        failure = store.create(name, deadline)
        if failure and not isinstance(failure, Malformed):  # that is said where somebody else has just made it
            return failure
        added = store.add(name, data, deadline)
    return _judged(added, name, expected)


def _judged(added: "str | ConfsvcError", name: "Name", expected: str | None) -> "str | ConfsvcError":
    """Return what was added, or that it is not the version after the one that was expected."""
    if isinstance(added, ConfsvcError) or expected in {None, str(int(added) - 1)}:
        return added
    over = str(int(added) - 1)
    return Conflict(f"version {over} of `{name.what}` came between", written=added, over=over)


def _data(content: Content) -> bytes:
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else compact_json(dict(content))).encode()
