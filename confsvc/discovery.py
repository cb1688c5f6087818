"""Finding the manifest."""

import os

from confsvc.errors import ManifestError

__all__ = ["FILE", "OVERLAY", "PYPROJECT", "check_owner", "display", "find_manifest", "read_limited"]

FILE = "confsvc.toml"
OVERLAY = "confsvc.local.toml"
PYPROJECT = "pyproject.toml"
_LIMIT = 1024 * 1024


def find_manifest(start: str, environ: "os._Environ[str] | dict[str, str]") -> str:
    """Search upward from the folder ``start``. Returns the manifest's absolute path, or an empty string.

    The search ends at the repository's root, at ``$HOME``, and where another file system begins.

    Raises:
        ManifestError: the nearest manifest belongs to another user, who is not root.

    """
    folder = os.path.realpath(start)
    home = os.path.realpath(environ["HOME"]) if environ.get("HOME") else ""
    device = _device(folder)
    while True:
        for name in (FILE, PYPROJECT):
            path = os.path.join(folder, name)
            if os.path.exists(path) and (name == FILE or _has_table(path)):
                check_owner(path)
                return path
        parent = os.path.dirname(folder)
        at_border = folder == home or os.path.exists(os.path.join(folder, ".git")) or _device(parent) != device
        if parent == folder or at_border:
            return ""
        folder = parent


def _device(folder: str) -> int:
    try:
        return os.stat(folder).st_dev
    except OSError:
        return -1


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


def read_limited(path: str, limit: int = _LIMIT) -> str:
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
