"""How the External Secrets Operator reads the same secrets and parameters.

https://external-secrets.io/latest/provider/aws-secrets-manager/ and …/provider/aws-parameter-store/.
"""

import re

from confsvc.adapter import Backend
from confsvc.errors import Malformed
from confsvc.external import Cluster, Remote, without, written
from confsvc.reference import Reference
from confsvc_aws.names import ParameterName, read_parameter, read_secret

__all__ = ["parameter_of", "secret_of"]

_UNUSABLE = {
    "profile": "profiles are of this machine",
    "role_session_name": "the operator names its sessions itself",
    "endpoint_url": "the operator takes endpoints from its own environment",
    "ca_file": "the operator takes authorities from its own environment",
}


def secret_of(reference: Reference, backend: Backend, cluster: Cluster) -> Remote:
    """See `confsvc.external.Exporter`; of Secrets Manager."""
    name = read_secret(reference)
    if isinstance(name, Malformed):
        raise name
    if name.stage and name.version:
        raise Malformed("the operator takes a stage or a version, not both")
    # By the prefix the operator tells ids of versions from stages.
    version = f"uuid/{name.version}" if name.version else name.stage
    provider, place = _provider("SecretsManager", name.region, backend, cluster)
    return Remote(provider, name.id, version, place, is_text=False)


def parameter_of(reference: Reference, backend: Backend, cluster: Cluster) -> Remote:
    """See `confsvc.external.Exporter`; of Parameter Store, trees among them."""
    name = read_parameter(reference)
    if isinstance(name, Malformed):
        raise name
    provider, place = _provider("ParameterStore", name.region, backend, cluster)
    find = _find(name) if name.is_tree else None
    return Remote(provider, "" if find else name.id, name.selector.lstrip(":"), place, find)


def _find(name: ParameterName) -> dict[str, object]:
    """Ask for what is under a path. The operator always goes all the way down; the pattern keeps to what is meant."""
    path = name.id.rstrip("/")
    below = ".+" if name.is_recursive else "[^/]+"
    return {"path": name.id, "name": {"regexp": f"^{re.escape(path)}/{below}$"}}


def _provider(service: str, region: str, backend: Backend, cluster: Cluster) -> tuple[dict[str, object], str]:
    """Return the provider, and what tells it apart: a region that is not the backend's."""
    options = backend.options
    without(options, _UNUSABLE, backend.name)
    own = written(options, "region", needed=not region, backend=backend.name)
    provider: dict[str, object] = {"service": service, "region": region or own}
    for key, field in (("role_arn", "role"), ("external_id", "externalID")):
        if written(options, key):
            provider[field] = written(options, key)
    if cluster.service_account:
        provider["auth"] = {"jwt": {"serviceAccountRef": cluster.account()}}
    return {"aws": provider}, "" if region in {"", own} else region
