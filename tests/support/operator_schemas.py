"""The objects of external-secrets.io/v1 as far as confsvc writes them, as JSON Schemas: nothing else is allowed.

Written by hand from the API's reference, https://external-secrets.io/latest/api/spec/.
"""

from typing import Any

from jsonschema import Draft202012Validator

__all__ = ["check"]

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NAME: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 253,
    "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
}
NAMESPACE: Schema = {"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}
KEY: Schema = {"type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[-._a-zA-Z0-9]+$"}


def of(*required: str, **properties: Schema) -> Schema:
    """Return the schema of an object with these fields alone."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        "minProperties": 1,
    }


def one_of(*names: str) -> Schema:
    return {"type": "string", "enum": list(names)}


def only(schema: Schema) -> Schema:
    return {**schema, "maxProperties": 1}


SECRET = of("name", "key", name=NAME, namespace=NAMESPACE, key=KEY)
ACCOUNT = of("name", name=NAME, namespace=NAMESPACE)
METADATA = of("name", name=NAME, namespace=NAMESPACE)

VAULT_AUTH = of(
    namespace=TEXT,
    tokenSecretRef=SECRET,
    appRole=of("path", "secretRef", path=TEXT, roleId=TEXT, roleRef=SECRET, secretRef=SECRET),
    kubernetes=of("mountPath", "role", mountPath=TEXT, role=TEXT, serviceAccountRef=ACCOUNT),
    jwt=of(
        "path", path=TEXT, role=TEXT, kubernetesServiceAccountToken=of("serviceAccountRef", serviceAccountRef=ACCOUNT)
    ),
    userPass=of("path", "username", path=TEXT, username=TEXT, secretRef=SECRET),
)
VAULT = of(
    "server",
    "auth",
    server=TEXT,
    namespace=TEXT,
    path=TEXT,
    version=one_of("v1", "v2"),
    auth=VAULT_AUTH,
    caProvider=of("type", "name", type=one_of("Secret", "ConfigMap"), name=NAME, namespace=NAMESPACE, key=KEY),
    tls=of(certSecretRef=SECRET, keySecretRef=SECRET),
)
AWS = of(
    "service",
    "region",
    service=one_of("SecretsManager", "ParameterStore"),
    region=TEXT,
    role=TEXT,
    externalID=TEXT,
    auth=of(jwt=of(serviceAccountRef=ACCOUNT)),
)
GCP = of(
    projectID=TEXT,
    location=TEXT,
    auth=only(
        of(
            secretRef=of(secretAccessKeySecretRef=SECRET),
            workloadIdentity=of("serviceAccountRef", serviceAccountRef=ACCOUNT),
        )
    ),
)
STORE = of("provider", provider=only(of(vault=VAULT, aws=AWS, gcpsm=GCP)))

STORE_REFERENCE = of("name", "kind", name=NAME, kind=one_of("SecretStore", "ClusterSecretStore"))
SOURCE = of("storeRef", storeRef=STORE_REFERENCE)
REMOTE = of(
    "key", key=TEXT, property=TEXT, version=TEXT, decodingStrategy=one_of("Auto", "Base64", "Base64URL", "None")
)
REWRITE = only(of(regexp=of("source", "target", source=TEXT, target=TEXT), transform=of("template", template=TEXT)))
TEMPLATE = of(
    engineVersion=one_of("v2"),
    mergePolicy=one_of("Replace", "Merge"),
    data={"type": "object", "propertyNames": KEY, "additionalProperties": TEXT, "minProperties": 1},
    templateFrom={"type": "array", "items": of("literal", target=one_of("Data"), literal=TEXT)},
)
EXTERNAL_SECRET = of(
    "target",
    refreshInterval={"type": "string", "pattern": r"^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$"},
    secretStoreRef=STORE_REFERENCE,
    target=of(
        name=NAME,
        creationPolicy=one_of("Owner", "Orphan", "Merge", "None", "CreateOrMerge"),
        deletionPolicy=one_of("Delete", "Merge", "Retain"),
        template=TEMPLATE,
    ),
    data={
        "type": "array",
        "items": of("secretKey", "remoteRef", secretKey=KEY, remoteRef=REMOTE, sourceRef=SOURCE),
    },
    dataFrom={
        "type": "array",
        "items": of(
            extract=REMOTE,
            find=of("name", path=TEXT, name=of(regexp=TEXT)),
            rewrite={"type": "array", "items": REWRITE},
            sourceRef=SOURCE,
        ),
    },
)
_SPECS = {"SecretStore": STORE, "ClusterSecretStore": STORE, "ExternalSecret": EXTERNAL_SECRET}


def check(document: dict[str, Any]) -> None:
    """See that `document` is what the API takes, and what the operator's own webhook asks besides."""
    kind = document["kind"]
    schema = of(
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        apiVersion=one_of("external-secrets.io/v1"),
        kind=one_of(kind),
        metadata=METADATA,
        spec=_SPECS[kind],
    )
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(document)
    if kind == "ExternalSecret":
        _check_secret(document["spec"])


def _check_secret(spec: dict[str, Any]) -> None:
    assert spec.get("data") or spec.get("dataFrom"), "either data or dataFrom should be specified"
    keys = [entry["secretKey"] for entry in spec.get("data", ())]
    assert len(keys) == len(set(keys)), "duplicate secretKey"
    for entry in spec.get("dataFrom", ()):
        assert ("find" in entry) != ("extract" in entry), "one of the two"
    for entry in [*spec.get("data", ()), *spec.get("dataFrom", ())]:
        assert ("sourceRef" in entry) != ("secretStoreRef" in spec), "every entry has a store"
