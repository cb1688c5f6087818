"""What a ``[backends.NAME]`` table may hold. Imported whenever a manifest is checked, so it imports nothing."""

__all__ = ["AUTH_KEYS", "METHODS", "OPTIONS", "PARAMETERS", "VARIABLES"]

# Any text may be given as it is, as { env = "NAME" } or as { file = "PATH" }.
_TEXT: dict[str, object] = {
    "type": ["string", "object"],
    "additionalProperties": False,
    "properties": {"env": {"type": "string"}, "file": {"type": "string"}},
}
# What opens the store never stands in the manifest. Of `token`, `password` and `secret_id` the core sees to that.
_SECRET: dict[str, object] = {**_TEXT, "type": "object"}
_BOOLEAN: dict[str, object] = {"type": "boolean"}

# The keys of each method: those it needs, then those it may have. What has a default is not needed.
METHODS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "token": (frozenset(), frozenset({"token"})),
    "approle": (frozenset(), frozenset({"role_id", "secret_id", "secret_id_wrapped"})),
    "kubernetes": (frozenset({"role"}), frozenset({"jwt"})),
    "jwt": (frozenset({"role", "jwt"}), frozenset()),
    "userpass": (frozenset({"username", "password"}), frozenset()),
    "cert": (frozenset(), frozenset({"role"})),
    "aws": (
        frozenset({"role"}),
        frozenset({"region", "header_value", "access_key_id", "secret_access_key", "session_token"}),
    ),
    "gcp": (frozenset({"role"}), frozenset({"jwt", "service_account_key"})),
}

AUTH_KEYS: dict[str, dict[str, object]] = {
    "method": {"enum": list(METHODS)},
    "mount": _TEXT,
    "role": _TEXT,
    "token": _TEXT,
    "role_id": _TEXT,
    "secret_id": _TEXT,
    "secret_id_wrapped": _BOOLEAN,
    "jwt": _SECRET,
    "username": _TEXT,
    "password": _TEXT,
    "region": _TEXT,
    "header_value": _TEXT,
    "access_key_id": _TEXT,
    "secret_access_key": _SECRET,
    "session_token": _SECRET,
    "service_account_key": _SECRET,
}

OPTIONS: dict[str, dict[str, object]] = {
    "address": _TEXT,
    "namespace": _TEXT,
    "auth": {"type": "object", "additionalProperties": False, "properties": AUTH_KEYS},
    "ca_file": _TEXT,
    "ca_path": _TEXT,
    "cert_file": _TEXT,
    "key_file": _TEXT,
    "tls_server_name": _TEXT,
    "tls_skip_verify": _BOOLEAN,
    "insecure": _BOOLEAN,
    "redirect_origins": {"type": "array", "items": {"type": "string"}},
    "request_timeout": {"type": "integer", "minimum": 1},
    "connections": {"type": "integer", "minimum": 1},
    "kv_version": {"type": "integer", "minimum": 1},
    "kv_mount": {"type": "string"},
}

PARAMETERS = frozenset({"namespace", "version"})

VARIABLES = frozenset(f"{tool}_{name}" for tool in ("BAO", "VAULT") for name in ("ADDR", "AGENT_ADDR", "NAMESPACE"))
