"""What the External Secrets Operator makes of its manifests, in Python: as its documentation says, step by step.

https://external-secrets.io/latest/api/externalsecret/ and the guides about dataFrom, rewriting and templating.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from go_templates import render

__all__ = ["NotThereError", "Read", "field_of", "sync", "vault_path"]

# Reads one document: of a provider's fields, and a remoteRef, the text or the mapping that the store has.
Read = Callable[[dict[str, Any], dict[str, str]], bytes | dict[str, Any]]
Find = Callable[[dict[str, Any], dict[str, Any]], dict[str, str]]


class NotThereError(Exception):
    """The operator reports an error, and leaves the Secret as it is."""


def sync(stream: str, read: Read, find: Find | None = None) -> dict[str, bytes]:
    """Return the data of the Secret that the manifests in `stream` make."""
    *stores, external = yaml.safe_load_all(stream)
    providers = {store["metadata"]["name"]: store["spec"]["provider"] for store in stores}
    spec = external["spec"]
    fetched: dict[str, bytes] = {}
    for entry in spec.get("dataFrom", ()):
        provider = providers[_store(spec, entry)]
        if "find" in entry:
            assert find is not None
            found = {name: text.encode() for name, text in find(provider, entry["find"]).items()}
        else:
            document = read(provider, entry["extract"])
            value = field_of(document, entry["extract"].get("property", ""))
            found = {name: _bytes(one) for name, one in json.loads(value).items()}
        fetched |= _rewritten(found, entry.get("rewrite", ()))
    for entry in spec.get("data", ()):
        remote = entry["remoteRef"]
        value = field_of(read(providers[_store(spec, entry)], remote), remote.get("property", ""))
        fetched[entry["secretKey"]] = _decoded(value, remote.get("decodingStrategy", "None"))
    return _filled(spec["target"]["template"], fetched)


def _store(spec: dict[str, Any], entry: dict[str, Any]) -> str:
    reference = entry["sourceRef"]["storeRef"] if "sourceRef" in entry else spec["secretStoreRef"]
    return str(reference["name"])


def _rewritten(found: dict[str, bytes], operations: list[dict[str, Any]]) -> dict[str, bytes]:
    for operation in operations:
        if "regexp" in operation:
            pattern, target = operation["regexp"]["source"], operation["regexp"]["target"].replace("$1", r"\1")
            found = {re.sub(pattern, target, name): value for name, value in found.items()}
        else:
            template = operation["transform"]["template"]
            found = {render(template, {"value": name}): value for name, value in found.items()}
    return found


def _filled(template: dict[str, Any], fetched: Mapping[str, bytes]) -> dict[str, bytes]:
    assert template["mergePolicy"] == "Replace"
    texts = {name: data.decode(errors="surrogateescape") for name, data in fetched.items()}
    made: dict[str, str] = {}
    for entry in template.get("templateFrom", ()):
        made |= yaml.safe_load(render(entry["literal"], texts)) or {}
    made |= {name: render(text, texts) for name, text in template.get("data", {}).items()}
    return {name: text.encode(errors="surrogateescape") for name, text in made.items()}


def field_of(document: bytes | dict[str, Any], name: str) -> bytes:
    """Return a field, or what is at a path of them; the document itself where none is named."""
    if not name:
        return document if isinstance(document, bytes) else json.dumps(document).encode()
    found: Any = document if isinstance(document, dict) else json.loads(document)
    steps = [name] if name in found else name.split(".")
    for step in steps:
        try:
            found = found[int(step) if isinstance(found, list) else step]
        except (KeyError, IndexError, ValueError, TypeError):
            raise NotThereError(name) from None
    return _bytes(found)


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def _decoded(data: bytes, strategy: str) -> bytes:
    if strategy == "None":
        return data
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        if strategy == "Auto":
            return data
        raise NotThereError(strategy) from None


def vault_path(provider: dict[str, Any], key: str) -> str:
    """Return what is asked of the server for `key`: the mount's name is cut off where the key begins with it."""
    mount, is_second = provider["path"], provider["version"] == "v2"
    if key.startswith(f"{mount}/"):
        key = key.removeprefix(f"{mount}/")
        key = key.removeprefix("data/") if is_second else key
    return f"{mount}/data/{key}" if is_second else f"{mount}/{key}"
