"""What a reference asks of this store."""

from typing import NamedTuple

from confsvc.errors import BadReferenceError, Malformed
from confsvc.reference import Reference, quote

__all__ = ["Mount", "Target", "escape", "pinned", "read_target"]

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


class Mount(NamedTuple):
    """A secrets engine. ``path`` ends in a slash; ``version`` is that of a KV engine, zero for all others."""

    path: str
    kind: str
    version: int

    def holds(self, path: str) -> bool:
        """Tell whether ``path`` is in it."""
        return f"{path}/".startswith(self.path)


class Target(NamedTuple):
    """What one reference names: a path as written, where ``data/`` may be in it or not, in a namespace."""

    namespace: str
    path: str
    version: str

    def start(self, segments: int) -> tuple[str, str]:
        """Return the namespace and the first ``segments`` segments of the path."""
        return self.namespace, "/".join(self.path.split("/")[:segments])

    def guess(self, version: int) -> Mount:
        """Return the mount that it most likely is in: a KV engine under its first segment."""
        return Mount(self.path.partition("/")[0] + "/", "kv", version)

    def key(self, mount: Mount) -> str:
        """Return the path inside of ``mount``, without the ``data/`` that version 2 has in its URLs."""
        inside = f"{self.path}/".removeprefix(mount.path).removesuffix("/")
        return inside.removeprefix("data/") if mount.version == 2 else inside

    def place(self, mount: Mount, part: str = "data") -> str:
        """Return the path that policies speak of: that of a URL behind ``/v1/``."""
        return f"{mount.path}{part}/{self.key(mount)}" if mount.version == 2 else self.path


def read_target(reference: Reference, namespace: str) -> Target | Malformed:
    """Return what ``reference`` names; ``namespace`` is the backend's, for references that say none."""
    path = reference.path.removeprefix("/")
    version = reference.parameter("version")
    if not str(reference.path + reference.parameter("namespace")).isprintable():
        return Malformed("the path or the namespace holds a control character, which the server refuses")
    if not path:
        return Malformed("the reference has no path", hint="vault://MOUNT/PATH#FIELD")
    if "/" not in path:
        return Malformed(f"`{path}` is at most the mount of an engine, not something in it")
    if path.endswith("/"):
        return Malformed("the path ends in a slash, and a listing is not a document; name one secret")
    if version and not _is_version(version):
        return Malformed("`version` is a number from 1 on")
    return Target(reference.parameter("namespace", namespace).strip("/"), path, version)


def pinned(reference: Reference, version: str) -> Reference:
    """See ``confsvc.adapter.Pinner``. No document here has parts."""
    if not _is_version(version):
        raise BadReferenceError("a version of a KV engine is a number from 1 on")
    return reference.with_version(version)


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) > 0


def escape(path: str) -> str:
    """Return ``path`` percent-encoded for a URL, its slashes kept."""
    return quote(path, _SAFE)
