"""How the External Secrets Operator reads the same KV engines: https://external-secrets.io/latest/provider/hashicorp-vault/."""

from collections.abc import Callable, Mapping

from confsvc.adapter import Backend
from confsvc.errors import Malformed
from confsvc.external import Cluster, Remote, account_of, without, written
from confsvc.reference import Reference
from confsvc_vault.mounts import expected_mount
from confsvc_vault.paths import Mount, Target, read_target

__all__ = ["remote_of"]

_Auth = Callable[[Backend, Mapping[str, object], Cluster], dict[str, object]]

_UNUSABLE = {
    "ca_path": "the operator takes one file of authorities: write `ca_file`",
    "tls_server_name": "the operator checks the name that is in the address",
    "tls_skip_verify": "the operator always checks certificates",
}


def remote_of(reference: Reference, backend: Backend, cluster: Cluster) -> Remote:
    """See `confsvc.external.Exporter`."""
    options = backend.options
    without(options, _UNUSABLE, backend.name)
    home = written(options, "namespace").strip("/")
    target = read_target(reference, home)
    if isinstance(target, Malformed):
        raise target
    mount = _mount(target, backend)
    path = mount.path.rstrip("/")
    inside = target.key(mount)
    if target.version and mount.version == 1:
        raise Malformed("KV version 1 has no versions")
    if target.namespace != home and not home:
        raise Malformed(
            "the operator cannot log in outside of the namespace that it reads in, unless that is named too",
            hint=f"make a backend of its own for it, with `namespace = {target.namespace!r}`".replace("'", '"'),
        )
    auth = _auth(backend, cluster)
    provider: dict[str, object] = {"server": written(options, "address", needed=True, backend=backend.name)}
    if target.namespace:
        provider["namespace"] = target.namespace
        auth = {"namespace": home, **auth} if target.namespace != home else auth
    provider |= {"path": path, "version": f"v{mount.version}"}
    provider |= _tls(backend, cluster)
    # The operator cuts the mount's name off wherever a key begins with it, so there it has to stand twice.
    key = f"{path}/{inside}" if inside.startswith(f"{path}/") else inside
    place = path if target.namespace == home else f"{target.namespace}-{path}"
    return Remote({"vault": {**provider, "auth": auth}}, key, target.version, place, is_mapping=True)


def _mount(target: Target, backend: Backend) -> Mount:
    """Return the KV engine that ``target`` is in, as far as can be told without asking: version 2 unless it is said."""
    said = int(str(backend.options.get("kv_version", 0)))
    if said not in {0, 1, 2}:
        raise Malformed("`kv_version` is 1 or 2")
    mount = expected_mount(target, said, str(backend.options.get("kv_mount", "")).strip("/"))
    if mount.kind != "kv":
        raise Malformed(
            f"`{target.path}` is not in a KV engine, and the operator's store reads no other",
            hint="" if said else f"if it is in one, write `kv_version` in [backends.{backend.name}]",
        )
    return mount


def _tls(backend: Backend, cluster: Cluster) -> dict[str, object]:
    found: dict[str, object] = {}
    if backend.options.get("ca_file"):
        found["caProvider"] = cluster.authority(backend.name)
    if backend.options.get("cert_file") or backend.options.get("key_file"):
        found["tls"] = {
            "certSecretRef": cluster.secret(backend.name, "tls.crt"),
            "keySecretRef": cluster.secret(backend.name, "tls.key"),
        }
    return found


def _auth(backend: Backend, cluster: Cluster) -> dict[str, object]:
    table = backend.options.get("auth")
    auth = table if isinstance(table, Mapping) else {}
    method = str(auth.get("method", "token"))
    made = _METHODS.get(method)
    if made is None:
        raise Malformed(
            f"the auth method `{method}` of the backend `{backend.name}` is not written for the operator",
            hint="it can be: " + ", ".join(_METHODS),
        )
    return made(backend, auth, cluster)


def _mounted(auth: Mapping[str, object], method: str) -> str:
    return (written(auth, "mount") or method).strip("/")


def _token(backend: Backend, _: Mapping[str, object], cluster: Cluster) -> dict[str, object]:
    return {"tokenSecretRef": cluster.secret(backend.name, "token")}


def _approle(backend: Backend, auth: Mapping[str, object], cluster: Cluster) -> dict[str, object]:
    if auth.get("secret_id_wrapped"):
        raise Malformed("the operator does not unwrap a `secret_id`")
    role_id = auth.get("role_id")
    role = {"roleId": role_id} if isinstance(role_id, str) else {"roleRef": cluster.secret(backend.name, "role_id")}
    secret = cluster.secret(backend.name, "secret_id")
    return {"appRole": {"path": _mounted(auth, "approle"), **role, "secretRef": secret}}


def _kubernetes(backend: Backend, auth: Mapping[str, object], cluster: Cluster) -> dict[str, object]:
    account = account_of(cluster, f"the auth method `kubernetes` of the backend `{backend.name}`")
    role = written(auth, "role", needed=True, backend=backend.name)
    return {"kubernetes": {"mountPath": _mounted(auth, "kubernetes"), "role": role, "serviceAccountRef": account}}


def _jwt(backend: Backend, auth: Mapping[str, object], cluster: Cluster) -> dict[str, object]:
    account = account_of(cluster, f"the auth method `jwt` of the backend `{backend.name}`")
    role = written(auth, "role", needed=True, backend=backend.name)
    token = {"serviceAccountRef": account}
    return {"jwt": {"path": _mounted(auth, "jwt"), "role": role, "kubernetesServiceAccountToken": token}}


def _userpass(backend: Backend, auth: Mapping[str, object], cluster: Cluster) -> dict[str, object]:
    username = written(auth, "username", needed=True, backend=backend.name)
    secret = cluster.secret(backend.name, "password")
    return {"userPass": {"path": _mounted(auth, "userpass"), "username": username, "secretRef": secret}}


_METHODS: dict[str, _Auth] = {
    "token": _token,
    "approle": _approle,
    "kubernetes": _kubernetes,
    "jwt": _jwt,
    "userpass": _userpass,
}
