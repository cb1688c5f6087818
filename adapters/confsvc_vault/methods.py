"""The ways to log in: each turns its table in the manifest into one request that hvac sends."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from confsvc.adapter import Deadline
from confsvc.errors import Unauthenticated
from confsvc.reference import quote
from confsvc_vault.auth import Auth
from confsvc_vault.values import read_text

if TYPE_CHECKING:
    import hvac

__all__ = ["log_in"]

# Where Kubernetes mounts the token of a pod's service account. It is replaced every hour or so.
_POD_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - the place, not the token


def log_in(client: "hvac.Client", auth: Auth, deadline: Deadline) -> object:
    """Send the login that ``auth`` describes. Returns what hvac returns: the answer's JSON, if it is as it should be.

    Raises:
        Unauthenticated: something to log in with is not there.

    """
    return _METHODS[auth.method](client, auth, deadline)


def _approle(client: "hvac.Client", auth: Auth, _deadline: Deadline) -> object:
    role_id = auth.needed("role_id", "ROLE_ID").strip()
    secret_id = auth.needed("secret_id", "SECRET_ID").strip()
    if auth.switch("secret_id_wrapped"):
        secret_id = _unwrapped(client, secret_id)
    return client.auth.approle.login(role_id, secret_id, use_token=False, mount_point=auth.mount)


def _unwrapped(client: "hvac.Client", wrapping_token: str) -> str:
    """Exchange a wrapping token for the secret id in it, which works once."""
    system: Any = client.sys
    client.token = wrapping_token
    try:
        found = system.unwrap()
    finally:
        client.token = ""
    data = found.get("data") if isinstance(found, Mapping) else None
    secret_id = data.get("secret_id") if isinstance(data, Mapping) else None
    if not isinstance(secret_id, str):
        raise Unauthenticated("what the wrapping token holds is no secret id")
    return secret_id


def _kubernetes(client: "hvac.Client", auth: Auth, _deadline: Deadline) -> object:
    jwt = auth.text("jwt") or _pod_token()
    return client.auth.kubernetes.login(auth.role, jwt.strip(), use_token=False, mount_point=auth.mount)


def _pod_token() -> str:
    found = read_text(_POD_TOKEN)
    if not found:
        raise Unauthenticated(
            f"there is no service account token in `{_POD_TOKEN}`",
            hint="is this a pod, with `automountServiceAccountToken`? else set `jwt = { file = … }`",
        )
    return found


def _jwt(client: "hvac.Client", auth: Auth, _deadline: Deadline) -> object:
    return client.auth.jwt.jwt_login(auth.role, auth.text("jwt").strip(), use_token=False, path=auth.mount)


def _userpass(client: "hvac.Client", auth: Auth, _deadline: Deadline) -> object:
    # hvac puts the name into the URL as it is.
    name = quote(auth.text("username"))
    return client.auth.userpass.login(name, auth.text("password"), use_token=False, mount_point=quote_path(auth.mount))


def _cert(client: "hvac.Client", auth: Auth, _deadline: Deadline) -> object:
    # hvac's own method wants the certificate as a file once more; every connection of ours shows it anyway.
    body = {"name": auth.role} if auth.role else {}
    return client.adapter.login(f"/v1/auth/{quote_path(auth.mount)}/login", use_token=False, json=body)


def _aws(client: "hvac.Client", auth: Auth, _deadline: Deadline) -> object:
    from confsvc_vault.clouds import aws_credentials

    found = aws_credentials(auth)
    return client.auth.aws.iam_login(
        found.access_key,
        found.secret_key,
        found.token or None,
        header_value=auth.text("header_value") or None,
        role=auth.role,
        use_token=False,
        region=auth.text("region") or auth.environ("AWS_REGION") or "us-east-1",
        mount_point=auth.mount,
    )


def _gcp(client: "hvac.Client", auth: Auth, deadline: Deadline) -> object:
    from confsvc_vault.clouds import gcp_token

    jwt = auth.text("jwt").strip() or gcp_token(auth, deadline)
    return client.auth.gcp.login(auth.role, jwt, use_token=False, mount_point=auth.mount)


def quote_path(path: str) -> str:
    """Percent-encode ``path`` but for its slashes."""
    return "/".join(quote(segment) for segment in path.split("/"))


_METHODS: dict[str, Callable[["hvac.Client", Auth, Deadline], object]] = {
    "approle": _approle,
    "kubernetes": _kubernetes,
    "jwt": _jwt,
    "userpass": _userpass,
    "cert": _cert,
    "aws": _aws,
    "gcp": _gcp,
}
