"""How the External Secrets Operator reads the same secrets.

https://external-secrets.io/latest/provider/google-secrets-manager/.
"""

import re
from collections.abc import Mapping

from confsvc.adapter import Backend
from confsvc.errors import Malformed
from confsvc.external import Cluster, Remote, without, written
from confsvc.reference import Reference
from confsvc_gcp.names import read_name

__all__ = ["remote_of"]

_UNUSABLE = {
    "endpoint": "the operator speaks to Google alone",
    "ca_file": "the operator speaks to Google alone",
}


def remote_of(reference: Reference, backend: Backend, cluster: Cluster) -> Remote:
    """See `confsvc.external.Exporter`."""
    options = backend.options
    without(options, _UNUSABLE, backend.name)
    name = read_name(reference)
    if isinstance(name, Malformed):
        raise name
    if name.filter:
        raise Malformed("the operator takes no `filter`", hint="`prefix` selects by name")
    own, home = written(options, "project"), written(options, "location")
    project = name.project or written(options, "project", needed=True, backend=backend.name)
    location = name.location or home
    provider: dict[str, object] = {"projectID": project}
    if location:
        provider["location"] = location
    provider |= _auth(backend, cluster)
    place = "-".join(([] if project == own else [project]) + ([] if location == home else [location]))
    if not name.secret:
        return Remote({"gcpsm": provider}, place=place, find={"name": {"regexp": f"^{re.escape(name.prefix)}"}})
    version = "" if name.version == "latest" else name.version
    return Remote({"gcpsm": provider}, name.secret, version, place, is_text=False)


def _auth(backend: Backend, cluster: Cluster) -> dict[str, object]:
    """Return how to log in: as a service account of the cluster where one is named, else as the operator itself is."""
    table = backend.options.get("auth")
    auth = table if isinstance(table, Mapping) else {}
    method = str(auth.get("method", "adc"))
    without(auth, {"quota_project": "the operator names none"}, backend.name)
    if method == "service-account":
        key = cluster.secret(backend.name, "secret-access-credentials")
        return {"auth": {"secretRef": {"secretAccessKeySecretRef": key}}}
    if method != "adc":
        raise Malformed(
            f"the auth method `{method}` of the backend `{backend.name}` is not written for the operator",
            hint="it can be: adc, service-account",
        )
    if not cluster.service_account:
        return {}
    return {"auth": {"workloadIdentity": {"serviceAccountRef": cluster.account()}}}
