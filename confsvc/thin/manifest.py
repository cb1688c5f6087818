"""Which manifest it is: found by searching upward, and told apart from others by where it lies and what it says."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FILE", "LIMIT", "OVERLAY", "PYPROJECT", "identify", "nearest"]

FILE = "confsvc.toml"
OVERLAY = "confsvc.local.toml"
PYPROJECT = "pyproject.toml"
LIMIT = 1024 * 1024


def nearest(start: str, environ: "Mapping[str, str]", has_table: "Callable[[str], bool]") -> str:
    """Search upward from the folder ``start``. Returns the manifest's absolute path, or an empty string.

    The search ends at the repository's root, at ``$HOME``, and where another file system begins. ``has_table`` tells
    whether a pyproject.toml is one.
    """
    folder = os.path.realpath(start)
    home = os.path.realpath(environ["HOME"]) if environ.get("HOME") else ""
    device = _device(folder)
    while True:
        for name in (FILE, PYPROJECT):
            path = os.path.join(folder, name)
            if os.path.exists(path) and (name == FILE or has_table(path)):
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


def identify(file: str) -> str:
    """Return what only this manifest has: a digest of its folder, its name, and its text and that of its overlay.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, or larger than a manifest can be.

    """
    from _blake2 import blake2b

    folder, name = os.path.split(os.path.abspath(file))
    folder = os.path.realpath(folder)
    parts = [os.fsencode(folder), os.fsencode(name), _contents(os.path.join(folder, name))]
    overlay = os.path.join(folder, OVERLAY)
    if os.path.exists(overlay):
        parts.append(_contents(overlay))
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


def _contents(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not os.path.isfile(path):
            raise ValueError
        found = b""
        while part := os.read(handle, LIMIT + 1 - len(found)):
            found += part
            if len(found) > LIMIT:
                raise ValueError
        return found
    finally:
        os.close(handle)
