"""Storing a secret, through hvac."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from confsvc.adapter import Conflict, Deadline, plain_json
from confsvc.errors import AdapterError, ConfsvcError, DeadlineError, Denied, Malformed
from confsvc.http import number_of
from confsvc_vault.documents import denied
from confsvc_vault.errors import of_hvac
from confsvc_vault.hvac_session import hvac_client, last_status
from confsvc_vault.login import Login
from confsvc_vault.paths import Mount, Target
from confsvc_vault.reading import locate
from confsvc_vault.server import Server

if TYPE_CHECKING:
    import hvac

__all__ = ["store_target"]


def store_target(
    server: Server,
    target: Target,
    fields: Mapping[str, object],
    login: Login,
    deadline: Deadline,
    *,
    expected: str | None,
) -> str | AdapterError | DeadlineError:
    """Write ``fields`` as all there is at ``target``. Returns the new version, an empty string where there are none.

    With ``expected`` only if that is the current version; "0" means that nothing may be there yet, which KV version 1
    cannot hold us to.
    """
    mount = locate(server, [target], login.token.reveal(), deadline)[target]
    if mount is None:
        return Malformed(
            f"which kind of engine `{target.path}` is in cannot be seen", hint="say `kv_version` in the backend's table"
        )
    if not isinstance(mount, Mount):
        return mount
    problem = _problem(target, mount, expected)
    if problem:
        return Malformed(problem)
    client = hvac_client(server, deadline, token=login.token.reveal(), namespace=target.namespace)
    answer = _write(client, target, mount, fields, expected)
    if isinstance(answer, Denied):
        return denied(target.place(mount), target.namespace, login.who, "create", "update")
    if isinstance(answer, Malformed) and expected is not None:
        return Conflict(f"`{target.place(mount)}` was not written: version {expected} is not its current one")
    if isinstance(answer, AdapterError | DeadlineError):
        return answer
    data = answer.get("data") if isinstance(answer, Mapping) else None
    return str(number_of(data.get("version"))) if isinstance(data, Mapping) else ""


def _problem(target: Target, mount: Mount, expected: str | None) -> str:
    if target.version:
        return "a version is made by writing; it cannot be named before"
    if not mount.version:
        return f"`{target.path}` is not in a KV engine"
    if expected not in {None, "0"} and mount.version == 1:
        return f"`{target.path}` has no versions, so none can be expected"
    if expected is not None and not (expected.isascii() and expected.isdecimal()):
        return "the expected version is a number"
    return ""


def _write(
    client: "hvac.Client", target: Target, mount: Mount, fields: Mapping[str, object], expected: str | None
) -> object:
    plain: Any = plain_json(fields)
    failure: ConfsvcError | None = None
    try:
        return _send(client, target, mount, plain, expected)
    except ConfsvcError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - of hvac or requests: their texts may hold what was sent
        failure = of_hvac(error, f"`{target.place(mount)}`", last_status(client))
    return failure


def _send(client: "hvac.Client", target: Target, mount: Mount, plain: dict[str, Any], expected: str | None) -> object:
    path, point = target.key(mount), mount.path.rstrip("/")
    if mount.version == 2:
        cas = None if expected is None else int(expected)
        return client.secrets.kv.v2.create_or_update_secret(path, plain, cas=cas, mount_point=point)
    return client.secrets.kv.v1.create_or_update_secret(path, plain, method="POST", mount_point=point)
