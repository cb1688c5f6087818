"""``aws-sm://shop/prod#password`` and ``aws-ssm:///shop/prod/url``: what both have in common, and what not."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from confsvc.adapter import Backend, Content, Deadline, Description, Outcome, settled
from confsvc.errors import AdapterError, ConfsvcError, DeadlineError, Malformed
from confsvc.reference import Reference
from confsvc_aws.options import OPTIONS, PARAMETER_STORE, SECRETS_MANAGER, VARIABLES

if TYPE_CHECKING:
    from confsvc.diagnosis import Finding
    from confsvc.external import Cluster, Remote
    from confsvc.needs import Needs
    from confsvc_aws.api import Api
    from confsvc_aws.credentials import Identity
    from confsvc_aws.names import ParameterName, SecretName
    from confsvc_aws.secrets import SecretReader

__all__ = ["ParameterStoreAdapter", "SecretsManagerAdapter"]

Name = TypeVar("Name", "SecretName", "ParameterName")
_Many = Callable[["Api", Sequence[Name], Deadline], Mapping[Name, Any]]


class _AwsAdapter(Generic[Name]):
    """Asks one service, in each region that references name."""

    options: ClassVar[Mapping[str, Mapping[str, object]]] = OPTIONS
    parameters: ClassVar[frozenset[str]] = frozenset()
    variables: ClassVar[frozenset[str]] = VARIABLES
    local: ClassVar[bool] = False
    keeps_names: ClassVar[bool] = False
    _service: ClassVar[str]

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._identity: Identity | None = None
        self._apis: dict[str, Api] = {}
        self._default = ""

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        """See ``confsvc.adapter.Adapter``.

        Raises:
            DeadlineError: nothing was heard of some of ``references`` in time.
            ManifestError: the backend's table cannot be used.

        """
        return self._ask(references, deadline, self._read)

    def describe(
        self, references: Sequence[Reference], *, deadline: Deadline
    ) -> Mapping[Reference, Description | AdapterError]:
        """See ``confsvc.adapter.Describer``."""
        return self._ask(references, deadline, self._describe)

    def store(self, reference: Reference, content: Content, *, deadline: Deadline, expected: str | None = None) -> str:
        """See ``confsvc.adapter.Storer``."""
        deadline.check()
        name = self._name(reference)
        if isinstance(name, Malformed):
            raise name
        stored = self._store(self._api(self._region(name.region)), name, content, deadline, expected)
        if isinstance(stored, ConfsvcError):
            raise stored
        return stored

    def examine(
        self, references: Sequence[Reference], *, deadline: Deadline, optional: Collection[Reference] = ()
    ) -> "Iterator[Finding]":
        """See ``confsvc.diagnosis.Examiner``."""
        from confsvc_aws.examining import Case, examine_service

        def read(reference: Reference, until: Deadline) -> Outcome:
            return self.fetch([reference], deadline=until)[reference]

        names = [self._name(reference) for reference in references]
        said = [name.region for name in names if not isinstance(name, Malformed)] or [""]
        regions = list(dict.fromkeys(map(self._region, said)))
        try:
            yield from examine_service(
                Case(self._backend, self._known(), self._service, regions, read, optional), references, deadline
            )
        finally:
            self.close()

    def close(self) -> None:
        """Close the connections."""
        for api in self._apis.values():
            api.close()
        self._apis.clear()

    def _name(self, reference: Reference) -> Name | Malformed:
        raise NotImplementedError

    def _read(self, api: "Api", names: Sequence[Name], deadline: Deadline) -> Mapping[Name, Any]:
        raise NotImplementedError

    def _describe(self, api: "Api", names: Sequence[Name], deadline: Deadline) -> Mapping[Name, Any]:
        raise NotImplementedError

    def _store(
        self, api: "Api", name: Name, content: Content, deadline: Deadline, expected: str | None
    ) -> str | AdapterError | DeadlineError:
        raise NotImplementedError

    def _ask(self, references: Sequence[Reference], deadline: Deadline, ask: "_Many[Name]") -> dict[Reference, Any]:
        deadline.check()
        names = {reference: self._name(reference) for reference in references}
        regions: dict[str, list[Name]] = {}
        for name in names.values():
            if not isinstance(name, Malformed):
                regions.setdefault(self._region(name.region), []).append(name)
        found: dict[Any, Any] = {}
        apis = {region: self._api(region) for region in regions}
        workers = [
            threading.Thread(target=_into, args=(found, ask, apis[region], regions[region], deadline), daemon=True)
            for region in list(regions)[1:]
        ]
        for worker in workers:
            worker.start()
        for region in list(regions)[:1]:  # most have one, which needs no thread
            _into(found, ask, apis[region], regions[region], deadline)
        for worker in workers:
            worker.join(deadline.remaining())
        late = DeadlineError(f"no answer within {deadline.seconds:g} s")
        return {
            reference: name if isinstance(name, Malformed) else settled(found.get(name, late))
            for reference, name in names.items()
        }

    def _region(self, said: str) -> str:
        """Return the region ``said`` in an ARN, else the backend's: one region has one client, and one thread."""
        from confsvc_aws.places import region_of

        if said or self._default:
            return said or self._default
        options, environ = self._backend.options, self._backend.environ
        is_said = options.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        self._default = region_of(self._backend, "" if is_said else self._known().region())
        return self._default

    def _api(self, region: str) -> "Api":
        # Here, as a manifest that only mentions this adapter imports this module.
        from confsvc_aws.api import Api

        if region not in self._apis:
            self._apis[region] = Api(self._backend, self._known(), self._service, region)
        return self._apis[region]

    def _known(self) -> "Identity":
        from confsvc_aws.credentials import Identity

        if self._identity is None:
            self._identity = Identity(self._backend)
        return self._identity


class SecretsManagerAdapter(_AwsAdapter["SecretName"]):
    """Reads secrets of Secrets Manager."""

    parameters = SECRETS_MANAGER
    _service = "secretsmanager"

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._readers: dict[str, SecretReader] = {}

    def _name(self, reference: Reference) -> "SecretName | Malformed":
        from confsvc_aws.names import read_secret

        return read_secret(reference)

    def _read(self, api: "Api", names: "Sequence[SecretName]", deadline: Deadline) -> "Mapping[SecretName, Any]":
        from confsvc_aws.secrets import SecretReader

        return self._readers.setdefault(api.region, SecretReader(api)).read(names, deadline)

    def _describe(self, api: "Api", names: "Sequence[SecretName]", deadline: Deadline) -> "Mapping[SecretName, Any]":
        from confsvc_aws.describing import describe_secrets

        return describe_secrets(api, names, deadline)

    @staticmethod
    def pin(reference: Reference, version: str, part: str = "") -> Reference:
        """See ``confsvc.adapter.Pinner``."""
        from confsvc_aws.names import pinned_secret

        del part
        return pinned_secret(reference, version)

    def _store(
        self, api: "Api", name: "SecretName", content: Content, deadline: Deadline, expected: str | None
    ) -> str | AdapterError | DeadlineError:
        from confsvc_aws.storing import store_secret

        return store_secret(api, name, content, deadline, expected)

    def external(self, reference: Reference, cluster: "Cluster") -> "Remote":
        """See ``confsvc.external.Exporter``."""
        from confsvc_aws.external import secret_of

        return secret_of(reference, self._backend, cluster)

    def needs(self, references: Sequence[Reference]) -> "Needs":
        """See ``confsvc.needs.Forecaster``."""
        from confsvc_aws.needs import needs_of_secrets

        return needs_of_secrets(references, self._backend)

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._readers.clear()


class ParameterStoreAdapter(_AwsAdapter["ParameterName"]):
    """Reads parameters, and trees of them, of Parameter Store."""

    parameters = PARAMETER_STORE
    _service = "ssm"

    def _name(self, reference: Reference) -> "ParameterName | Malformed":
        from confsvc_aws.names import read_parameter

        return read_parameter(reference)

    def _read(self, api: "Api", names: "Sequence[ParameterName]", deadline: Deadline) -> "Mapping[ParameterName, Any]":
        from confsvc_aws.parameters import ParameterReader

        reader: ParameterReader = ParameterReader(api, self._backend.name)
        return reader.read(names, deadline)

    def _describe(
        self, api: "Api", names: "Sequence[ParameterName]", deadline: Deadline
    ) -> "Mapping[ParameterName, Any]":
        from confsvc_aws.describing import describe_parameters

        return describe_parameters(api, names, deadline)

    @staticmethod
    def pin(reference: Reference, version: str, part: str = "") -> Reference:
        """See ``confsvc.adapter.Pinner``."""
        from confsvc_aws.names import pinned_parameter

        return pinned_parameter(reference, version, part)

    def _store(
        self, api: "Api", name: "ParameterName", content: Content, deadline: Deadline, expected: str | None
    ) -> str | AdapterError | DeadlineError:
        from confsvc_aws.storing import store_parameters

        return store_parameters(api, name, content, deadline, expected)

    def member(self, reference: Reference, field: str) -> Reference:
        """See ``confsvc.adapter.Grower``."""
        return Reference(reference.scheme, reference.path.rstrip("/") + "/" + field)

    def external(self, reference: Reference, cluster: "Cluster") -> "Remote":
        """See ``confsvc.external.Exporter``."""
        from confsvc_aws.external import parameter_of

        return parameter_of(reference, self._backend, cluster)

    def needs(self, references: Sequence[Reference]) -> "Needs":
        """See ``confsvc.needs.Forecaster``."""
        from confsvc_aws.needs import needs_of_parameters

        return needs_of_parameters(references, self._backend)


def _into(
    found: dict[Any, Any], ask: Callable[..., Mapping[Any, Any]], api: "Api", names: Sequence[Any], deadline: Deadline
) -> None:
    """Fill in what becomes of ``names``. Where nobody knows us, that is what becomes of all of them."""
    try:
        found.update(ask(api, names, deadline))
    except ConfsvcError as error:
        found.update(dict.fromkeys(names, error))
