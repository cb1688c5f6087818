"""A resolution as a Kubernetes ``Secret`` or ``ConfigMap``, and the names that Kubernetes takes."""

import re
from base64 import b64encode

from confsvc.errors import OutputError
from confsvc.external import object_name
from confsvc.inject.formats import is_utf8, refusal
from confsvc.inject.yaml_text import Word, document
from confsvc.resolution import Resolution, Value

__all__ = ["check_name", "default_name", "kubernetes"]

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}([.]{_LABEL})*")
_KEY = re.compile(r"(?![.]\Z|[.][.])[A-Za-z0-9._-]{1,253}")
# What all values of an object may have together, decoded: MaxSecretSize of https://pkg.go.dev/k8s.io/api/core/v1.
_MOST = 1024 * 1024


def check_name(name: str) -> str:
    """Return ``name``.

    Raises:
        OutputError: no object can be called so.

    """
    if not _SUBDOMAIN.fullmatch(name):
        raise OutputError(f"`{name}` is not a name that Kubernetes takes", hint="--name NAME")
    return name


def default_name(project: str, environment: str) -> str:
    """Return the name of an object for ``environment``."""
    return object_name("-".join(part for part in (project, environment) if part))


def kubernetes(resolution: Resolution, kind: str, name: str = "") -> str:
    """Write a Kubernetes ``Secret`` of the secret settings, or a ``ConfigMap`` of the plain ones.

    Raises:
        OutputError: a name is none that Kubernetes takes, or it all is more than an object may hold.

    """
    name = check_name(name or default_name(resolution.project, resolution.environment))
    values = [value for value in resolution.values() if value.secret == (kind == "Secret")]
    data: dict[str, object] = {}
    binary: dict[str, object] = {}
    for value in values:
        key = _key(value, kind)
        if kind == "Secret":
            data[key] = _base64(value)
        elif _is_binary(value):
            binary[key] = _base64(value)
        else:
            data[key] = value.text
    _check_size(values, kind)
    head: dict[str, object] = {"apiVersion": Word("v1"), "kind": Word(kind), "metadata": {"name": name}}
    if kind == "Secret":
        head["type"] = Word("Opaque")
    return document({**head, "data": data, **({"binaryData": binary} if binary else {})})


def _check_size(values: list[Value], kind: str) -> None:
    sizes = {value.name: len(value.data) for value in values}
    total = sum(sizes.values())
    if total > _MOST:
        largest = max(sizes, key=lambda name: sizes[name])
        raise OutputError(
            f"a {kind} holds at most {_MOST} bytes, and these are {total}: `{largest}` alone has {sizes[largest]}",
            hint="write two objects, with --only and --name; or files, with `confsvc render`",
        )


def _key(value: Value, kind: str) -> str:
    if not _KEY.fullmatch(value.name):
        raise refusal(value, f"a key of a {kind}", "its name has other characters than letters, digits and `-_.`")
    return value.name


def _base64(value: Value) -> str:
    return b64encode(value.data).decode()


def _is_binary(value: Value) -> bool:
    return value.kind == "bytes" or not is_utf8(value.text)
