"""What a ``[backends.NAME]`` table may hold. Imported whenever a manifest is checked, so it imports nothing."""

__all__ = ["OPTIONS", "PARAMETER_STORE", "SECRETS_MANAGER", "VARIABLES"]

_TEXT: dict[str, object] = {"type": "string"}

OPTIONS: dict[str, dict[str, object]] = {
    "region": {**_TEXT, "pattern": "^[a-z]{2,}(-[a-z]+)+-[0-9]+$"},
    "profile": _TEXT,
    "role_arn": {**_TEXT, "pattern": "^arn:[a-z-]+:iam::[0-9]+:role/.+$"},
    "role_session_name": _TEXT,
    "external_id": _TEXT,
    "endpoint_url": _TEXT,
    "insecure": {"type": "boolean"},
    "ca_file": _TEXT,
    "connections": {"type": "integer", "minimum": 1},
}

SECRETS_MANAGER = frozenset({"stage", "version"})
PARAMETER_STORE = frozenset({"label", "recursive", "version"})

_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_SSM")
VARIABLES = frozenset({"AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_REGION", "AWS_ROLE_ARN", *_ENDPOINTS})
