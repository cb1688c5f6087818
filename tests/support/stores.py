"""Two settings in each of the real servers, each with values that stand nowhere else."""

from collections.abc import Callable, Mapping
from secrets import token_hex
from typing import Any

from aws import Aws
from confsvc.testing import make_canary
from gcp import PROJECT, Gcp
from openbao import Bao
from trial import Store

__all__ = ["STORES", "approle_store", "vault_store"]

_NAMES = ("SETTING_A", "SETTING_B")


def vault_store(bao: Bao) -> Store:
    """Return two secrets of KV version 2, and a token that was given to us."""
    folder = f"faults-{token_hex(4)}"
    token = bao.token(bao.policy(folder, f"secret/data/{folder}/* read"))
    return _vault(bao, folder, "", {"VAULT_TOKEN": token}, 3)


def approle_store(bao: Bao) -> Store:
    """Return two secrets of KV version 2, and a role to log in with. A login is given back in the end."""
    folder = f"faults-{token_hex(4)}"
    bao.enable("approle")
    policy = bao.policy(folder, f"secret/data/{folder}/* read")
    bao.call("POST", f"auth/approle/role/{folder}", {"token_policies": policy, "token_ttl": "10m"})
    role_id = bao.call("GET", f"auth/approle/role/{folder}/role-id")["data"]["role_id"]
    secret_id = bao.call("POST", f"auth/approle/role/{folder}/secret-id", {})["data"]["secret_id"]
    environ = {"VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID": secret_id}
    store = _vault(bao, folder, 'auth = { method = "approle" }', environ, 5)
    return store._replace(leases=lambda: len(bao.accessors()))


def _vault(bao: Bao, folder: str, table: str, environ: Mapping[str, str], requests: int) -> Store:
    values = {name: f"vault://secret/{folder}/{name.lower()}#value" for name in _NAMES}
    table = f'address = "http://127.0.0.1:{{port}}"\n{table}'
    store = Store("vault", bao.port, table, values, environ, list(environ.values()), requests, [])
    return _filled(store, lambda name, text: bao.put(f"{folder}/{name.lower()}", {"value": text}))


def secrets_manager_store(aws: Aws) -> Store:
    """Return two secrets, which are read with one request."""
    return _aws(aws, "aws-sm", f"faults-{token_hex(4)}/", aws.put_secret)


def parameter_store(aws: Aws) -> Store:
    """Return two parameters, which are read with one request."""
    return _aws(aws, "aws-ssm", f"/faults-{token_hex(4)}/", aws.put_parameter)


def _aws(aws: Aws, adapter: str, folder: str, put: Callable[[str, str], object]) -> Store:
    table = 'endpoint_url = "http://127.0.0.1:{port}"\nregion = "eu-west-1"'
    environ = {"AWS_ACCESS_KEY_ID": "AKIAFAULTS", "AWS_SECRET_ACCESS_KEY": make_canary()}
    values = {name: f"{adapter}://{folder}{name.lower()}" for name in _NAMES}
    store = Store(adapter, aws.port, table, values, environ, [environ["AWS_SECRET_ACCESS_KEY"]], 1, [])
    return _filled(store, lambda name, text: put(folder + name.lower(), text))


def gcp_store(gcp: Gcp) -> Store:
    """Return two secrets."""
    folder = f"faults-{token_hex(4)}-"
    table = f'endpoint = "http://127.0.0.1:{{port}}"\nproject = "{PROJECT}"\nauth = {{ method = "anonymous" }}'
    values = {name: f"gcp-sm://{PROJECT}/{folder}{name.lower()}" for name in _NAMES}
    store = Store("gcp-sm", gcp.port, table, values, {}, [], 2, [], in_body=200)
    return _filled(store, lambda name, text: gcp.put(folder + name.lower(), text.encode()))


def _filled(store: Store, put: Callable[[str, str], object]) -> Store:
    """Put a value that stands nowhere else behind each setting of ``store``."""
    made = {name: make_canary() for name in store.values}
    for name, text in made.items():
        put(name, text)
    store.generations.append(made)
    return store


# The fixture of the server, and what makes a store of it.
STORES: Mapping[str, tuple[str, Callable[[Any], Store]]] = {
    "vault": ("bao", vault_store),
    "vault with a login": ("bao", approle_store),
    "aws-sm": ("moto", secrets_manager_store),
    "aws-ssm": ("moto", parameter_store),
    "gcp-sm": ("gcp", gcp_store),
}
