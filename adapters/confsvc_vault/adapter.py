"""``vault://secret/shop/db#password``: Vault and OpenBao."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from confsvc.adapter import Backend, Content, Deadline, Description, Lease, Outcome, settled
from confsvc.errors import AdapterError, DeadlineError, Malformed
from confsvc.reference import Reference
from confsvc_vault.options import OPTIONS, PARAMETERS, VARIABLES

if TYPE_CHECKING:
    from confsvc.diagnosis import Finding
    from confsvc.external import Cluster, Remote
    from confsvc.needs import Needs
    from confsvc_vault.paths import Target
    from confsvc_vault.session import Session

__all__ = ["VaultAdapter"]

_T = TypeVar("_T")


class VaultAdapter:
    """Reads KV secrets of both versions, and any other path that can be read, with its lease."""

    options: ClassVar[Mapping[str, Mapping[str, object]]] = OPTIONS
    parameters: ClassVar[frozenset[str]] = PARAMETERS
    variables: ClassVar[frozenset[str]] = VARIABLES
    local: ClassVar[bool] = False
    keeps_names: ClassVar[bool] = False

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._session: Session | None = None
        self._deadline: Deadline | None = None

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        """See ``confsvc.adapter.Adapter``.

        Raises:
            DeadlineError: nothing was heard of some of ``references`` in time.
            ManifestError: the backend's table cannot be used.

        """
        session, targets, outcomes = self._begin(references, deadline)
        wanted = list(targets.values())
        found = _all(wanted, lambda: session.read(wanted, deadline))
        return {**outcomes, **{reference: settled(found[target]) for reference, target in targets.items()}}

    def describe(
        self, references: Sequence[Reference], *, deadline: Deadline
    ) -> Mapping[Reference, Description | AdapterError]:
        """See ``confsvc.adapter.Describer``."""
        from confsvc_vault.metadata import describe_targets

        session, targets, outcomes = self._begin(references, deadline)
        wanted = list(targets.values())
        found = _all(wanted, lambda: describe_targets(session.server, wanted, session.login(deadline), deadline))
        return {**outcomes, **{reference: settled(found[target]) for reference, target in targets.items()}}

    @staticmethod
    def pin(reference: Reference, version: str, part: str = "") -> Reference:
        """See ``confsvc.adapter.Pinner``."""
        from confsvc_vault.paths import pinned

        del part
        return pinned(reference, version)

    def external(self, reference: Reference, cluster: "Cluster") -> "Remote":
        """See ``confsvc.external.Exporter``."""
        from confsvc_vault.external import remote_of

        return remote_of(reference, self._backend, cluster)

    def examine(
        self, references: Sequence[Reference], *, deadline: Deadline, optional: Collection[Reference] = ()
    ) -> "Iterator[Finding]":
        """See ``confsvc.diagnosis.Examiner``."""
        del optional  # what may be read is asked without looking whether it is there
        from confsvc.diagnosis import extra_findings
        from confsvc_vault.auth import Auth
        from confsvc_vault.examining import examine_server

        if Auth(self._backend).method != "token":
            yield from extra_findings("hvac", "vault")
        try:
            yield from examine_server(self._open(deadline), references, deadline)
        finally:
            self.close()

    def needs(self, references: Sequence[Reference]) -> "Needs":
        """See ``confsvc.needs.Forecaster``."""
        from confsvc_vault.needs import needs_of

        return needs_of(references, self._backend)

    def store(self, reference: Reference, content: Content, *, deadline: Deadline, expected: str | None = None) -> str:
        """See ``confsvc.adapter.Storer``. KV version 1 has no versions to return or to expect."""
        from confsvc_vault.writing import store_target

        if not isinstance(content, Mapping):
            raise Malformed("a secret of a KV engine is a mapping: name a field of it, behind a `#`")
        session, targets, outcomes = self._begin([reference], deadline)
        for error in outcomes.values():
            raise error
        target = targets[reference]
        return _raised(
            store_target(session.server, target, content, session.login(deadline), deadline, expected=expected)
        )

    def renew(self, lease: Lease, *, deadline: Deadline) -> Lease:
        """See ``confsvc.adapter.LeaseKeeper``."""
        return _raised(self._open(deadline).renew(lease, deadline))

    def revoke(self, lease: Lease, *, deadline: Deadline) -> None:
        """See ``confsvc.adapter.LeaseKeeper``."""
        from confsvc_vault.leases import revoke_lease

        session = self._open(deadline)
        _raised(revoke_lease(session.server, lease, session.login(deadline).token.reveal(), deadline))

    def release(self, *, deadline: Deadline) -> None:
        """See ``confsvc.adapter.LeaseKeeper``."""
        if self._session is not None:
            self._session.release(deadline)

    def close(self) -> None:
        """Give back the login, unless it was given to us or a lease hangs on it."""
        if self._session is not None:
            self._session.close(self._deadline)
            self._session = None

    def _begin(
        self, references: Sequence[Reference], deadline: Deadline
    ) -> "tuple[Session, dict[Reference, Target], dict[Reference, Malformed]]":
        """Return the session, what the references name, and what is wrong with those that name nothing."""
        from confsvc_vault.paths import Target, read_target

        deadline.check()
        session = self._open(deadline)
        namespace = session.server.configuration.namespace
        found = {reference: read_target(reference, namespace) for reference in references}
        targets = {reference: one for reference, one in found.items() if isinstance(one, Target)}
        return session, targets, {reference: one for reference, one in found.items() if isinstance(one, Malformed)}

    def _open(self, deadline: Deadline) -> "Session":
        self._deadline = deadline
        if self._session is None:
            # Here, as a manifest that only mentions this adapter imports this module.
            from confsvc_vault.auth import Auth, check_auth
            from confsvc_vault.configuration import read_configuration
            from confsvc_vault.server import Server
            from confsvc_vault.session import Session

            check_auth(Auth(self._backend), self._backend.name)
            self._session = Session(self._backend, Server(read_configuration(self._backend)))
        return self._session


def _all(
    targets: "Sequence[Target]", ask: "Callable[[], Mapping[Target, _T | AdapterError | DeadlineError]]"
) -> "Mapping[Target, _T | AdapterError | DeadlineError]":
    """Return what became of ``targets``. Where nobody knows us, that is what became of all of them."""
    try:
        return ask() if targets else {}
    except AdapterError as error:
        return dict.fromkeys(targets, error)


def _raised(outcome: "_T | AdapterError | DeadlineError") -> "_T":
    found: _T | AdapterError = settled(outcome)
    if isinstance(found, AdapterError):
        raise found
    return found
