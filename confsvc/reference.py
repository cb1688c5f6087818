"""References: URIs that name one value, or one document, in a backend.

``scheme://path[?param=value&…][#field]`` in the order of RFC 3986. There is no host and no port, and the path is kept
as written, so ``urllib.parse`` is not used: it lower-cases hosts, chokes on ARNs and drops tabs.
"""

import re
from typing import NamedTuple

from confsvc.errors import BadReferenceError

__all__ = ["Reference", "is_reference", "parse_reference", "quote"]

# Patterns are compiled where they are first needed: most references have no `%`, and every start counts.
_SCHEME = r"[a-z][a-z0-9+.-]*"
_ESCAPE = rb"%([0-9A-Fa-f]{2})"
_BAD_ESCAPE = r"%(?![0-9A-Fa-f]{2})"
_ARN_PARTS = 7  # arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH_SAFE = _UNRESERVED | frozenset(b"/:@!$&'()*+,;=")


class Reference(NamedTuple):
    """A parsed reference; every part is percent-decoded.

    ``fragment`` is None when there is none; one that starts with ``/`` is a JSON Pointer, any other a literal field.
    """

    scheme: str
    path: str
    parameters: tuple[tuple[str, str], ...] = ()
    fragment: str | None = None

    @property
    def document(self) -> "Reference":
        """The reference to the whole document: what an adapter is asked for."""
        return self if self.fragment is None else self._replace(fragment=None)

    @property
    def is_tree(self) -> bool:
        """Whether the path ends in a slash, which asks for everything below it."""
        return self.path.endswith("/") or not self.path

    def parameter(self, name: str, default: str = "") -> str:
        """Return the parameter ``name``, or ``default`` where it is not given."""
        return dict(self.parameters).get(name, default)

    def with_version(self, version: str, *without: str) -> "Reference":
        """Return the same reference with the parameter ``version``, or none if it is empty, and without others."""
        kept = tuple(pair for pair in self.parameters if pair[0] != "version" and pair[0] not in without)
        return self._replace(parameters=(*kept, ("version", version)) if version else kept)

    def __str__(self) -> str:
        text = f"{self.scheme}://{quote(self.path, _PATH_SAFE)}"
        if self.parameters:
            text += "?" + "&".join(f"{quote(k)}={quote(v, _PATH_SAFE - {38})}" for k, v in self.parameters)
        return text if self.fragment is None else f"{text}#{quote(self.fragment, _PATH_SAFE)}"


def quote(text: str, safe: frozenset[int] = _UNRESERVED) -> str:
    """Percent-encode ``text`` as UTF-8, all bytes but ``safe`` (RFC 3986's unreserved characters by default)."""
    data = text.encode(errors="surrogateescape")
    return "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in data)


def is_reference(text: str) -> bool:
    """Tell whether ``text`` has the shape of a reference, whatever its scheme."""
    scheme, separator, rest = text.partition("://")
    return bool(separator and rest and re.fullmatch(_SCHEME, scheme))


def parse_reference(text: str) -> Reference:
    """Parse ``text``.

    Raises:
        BadReferenceError: it does not follow the grammar. The message holds none of the reference but its scheme.

    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise BadReferenceError(
            "a reference is written `scheme://path[?param=value][#field]`; this one has no `://`",
        )
    if not re.fullmatch(_SCHEME, scheme):
        raise BadReferenceError("a reference's scheme is lower case: letters, digits, `+`, `.`, `-`")
    # C0 controls and DEL never belong here: a tab or a line feed is a paste accident, or an attack.
    if any(char < " " or char == "\x7f" for char in rest):
        raise BadReferenceError("a control character stands in the reference; percent-encode it if it is meant")
    if "%" in rest and re.search(_BAD_ESCAPE, rest):
        raise BadReferenceError("`%` must be followed by two hexadecimal digits; a literal `%` is `%25`")
    rest, hash_sign, fragment = rest.partition("#")
    path, _, query = rest.partition("?")
    field = _decode(fragment) if hash_sign else None
    if field is not None and not field:
        raise BadReferenceError("nothing follows the `#`; name a field, or leave the `#` out")
    found = Reference(scheme, _decode(path), _parameters(query), field)
    return _without_suffix(found) if found.path.startswith("arn:") else found


def _without_suffix(reference: Reference) -> Reference:
    """Return a reference to a secret's ARN with the suffix of Amazon ECS written as the rest of a reference.

    That is ``:json-key:version-stage:version-id`` behind the name, each of which may be empty:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    parts = reference.path.split(":")
    if len(parts) < _ARN_PARTS + 3 or parts[2] != "secretsmanager":
        return reference
    if len(parts) > _ARN_PARTS + 3 or reference.fragment or reference.parameters:
        raise BadReferenceError(
            "an ARN with a suffix ends with `:json-key:version-stage:version-id`, and nothing follows"
        )
    key, stage, version = parts[_ARN_PARTS:]
    parameters = tuple((name, text) for name, text in (("stage", stage), ("version", version)) if text)
    return Reference(reference.scheme, ":".join(parts[:_ARN_PARTS]), parameters, key or None)


def _parameters(query: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise BadReferenceError("a parameter is written `name=value`")
        name = _decode(name)
        if name in found:
            raise BadReferenceError(f"the parameter `{name}` is given twice")
        found[name] = _decode(value)
    return tuple(found.items())


def _decode(text: str) -> str:
    if "%" not in text:
        return text
    data = re.sub(_ESCAPE, lambda match: bytes((int(match[1], 16),)), text.encode(errors="surrogateescape"))
    decoded = _utf8(data)
    if decoded is None:
        raise BadReferenceError("the percent-encoded bytes are not UTF-8")
    if "\0" in decoded:
        raise BadReferenceError("`%00` cannot stand in a reference")
    return decoded


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def check_remote_path(reference: Reference) -> str:
    """Return what is wrong with the path of a remote reference, or an empty string.

    Dot segments and empty ones are refused: servers answer them with redirects to other paths.
    """
    path = reference.path.removeprefix("/").removesuffix("/")
    segments = path.split("/") if path else []
    if any(segment in {".", ".."} for segment in segments):
        return "`.` and `..` cannot be segments of a remote path"
    if "" in segments or reference.path.startswith("//") or reference.path.endswith("//"):
        return "a remote path cannot have an empty segment (`//`)"
    return ""
