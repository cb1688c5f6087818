"""Finding the manifest."""

import os

from confsvc.errors import ManifestError
from confsvc.thin.manifest import FILE, LIMIT, OVERLAY, PYPROJECT, nearest

__all__ = ["FILE", "OVERLAY", "PYPROJECT", "check_owner", "display", "find_manifest", "read_limited"]


def find_manifest(start: str, environ: "os._Environ[str] | dict[str, str]") -> str:
    """Search upward from the folder ``start``, as `nearest` does. Returns the manifest's absolute path, or nothing.

    Raises:
        ManifestError: the nearest manifest belongs to another user, who is not root.

    """
    path = nearest(start, environ, _has_table)
    if path:
        check_owner(path)
    return path


def _has_table(path: str) -> bool:
    """Tell whether a pyproject.toml has ``[tool.confsvc]``; one that cannot be parsed does if it speaks of it."""
    import tomllib

    text = ""
    try:
        text = read_limited(path)
        data = tomllib.loads(text)
    except (ManifestError, ValueError, RecursionError):
        return "[tool.confsvc" in text
    return isinstance(data.get("tool"), dict) and "confsvc" in data["tool"]


def check_owner(path: str, *, trusted: int = 0) -> None:
    """Check that ``path`` belongs to this user, to root, or to the user ``trusted``.

    Raises:
        ManifestError: it belongs to somebody else.

    """
    owner = os.stat(path).st_uid
    if owner not in {0, os.geteuid(), trusted}:
        raise ManifestError(
            f"`{display(path)}` belongs to another user (uid {owner}), and a manifest can run code",
            hint=f"if you trust it, name it: -f {path}",
        )


def display(path: str) -> str:
    """Return ``path`` as people see it: relative where it lies below the working folder."""
    try:
        near = os.path.relpath(path)
    except OSError:  # the working folder is gone
        return path
    return path if near.startswith("..") else near


def read_limited(path: str, limit: int = LIMIT) -> str:
    """Read the text of a manifest, or of what belongs to one.

    Raises:
        ManifestError: it cannot be read, is larger than ``limit`` bytes, is not a regular file, or is not UTF-8.

    """
    reason = ""
    data = b""
    try:
        # A FIFO or a device must not make every start hang.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            if not os.path.isfile(path):
                reason = "is not a regular file"
            else:
                data = file.read(limit + 1)
    except OSError as error:
        reason = f"cannot be read: {os.strerror(error.errno or 0).lower()}"
    if len(data) > limit:
        reason = f"is larger than {limit >> 20} MiB"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        reason, text = "is not UTF-8", ""
    if reason:
        raise ManifestError(f"`{display(path)}` {reason}")
    return text
