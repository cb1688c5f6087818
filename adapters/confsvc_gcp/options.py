"""What a ``[backends.NAME]`` table may hold. Imported whenever a manifest is checked, so it imports nothing."""

__all__ = ["OPTIONS", "PARAMETERS", "VARIABLES"]

_TEXT: dict[str, object] = {"type": "string"}

OPTIONS: dict[str, dict[str, object]] = {
    "project": _TEXT,
    "location": {**_TEXT, "pattern": "^[a-z][a-z0-9-]*$"},
    "transport": {"enum": ["rest", "grpc"]},
    "endpoint": _TEXT,
    "insecure": {"type": "boolean"},
    "ca_file": _TEXT,
    "connections": {"type": "integer", "minimum": 1},
    "auth": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "method": {"enum": ["adc", "service-account", "impersonate", "anonymous"]},
            "file": _TEXT,
            "service_account": _TEXT,
            "quota_project": _TEXT,
        },
    },
}

PARAMETERS = frozenset({"filter", "location", "prefix", "version"})
VARIABLES = frozenset({"GCLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"})
