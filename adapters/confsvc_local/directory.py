"""``dir:///etc/shop/``: a folder with one file for each field.

That is how Kubernetes mounts Secrets and ConfigMaps, Docker its secrets, and systemd its credentials. Kubernetes swaps
a link called ``..data`` to change all files at once, so a folder that has one is read through it, opened only once:
https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically
"""

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

from confsvc.adapter import Content, Deadline, Document, Outcome
from confsvc.errors import AdapterError, Malformed, NotFound
from confsvc.reference import Reference
from confsvc_local._base import PathAdapter
from confsvc_local._reading import NO_PATH, error_of, read_file, resolve_path

__all__ = ["DirectoryAdapter"]

_PROJECTED = "..data"


class DirectoryAdapter(PathAdapter):
    """Reads folders of small files. An empty path is ``$CREDENTIALS_DIRECTORY``, where systemd puts credentials."""

    folders = True
    merges: ClassVar[bool] = True

    def store(self, reference: Reference, content: Content, *, deadline: Deadline, expected: str | None = None) -> str:
        """See ``confsvc.adapter.Storer``. Each field is a file, and the others stay; a folder has no version."""
        from confsvc_local._writing import change_file

        if expected is not None:
            raise Malformed("a folder has no versions, so none can be expected")
        problem = self._problem(reference, content)
        if problem:
            raise Malformed(problem)
        folder = resolve_path(self._backend, reference.path)
        for name, value in content.items() if isinstance(content, Mapping) else ():
            data = value if isinstance(value, bytes) else str(value).encode()
            change_file(os.path.join(folder, name), lambda _, data=data: data, deadline)  # type: ignore[misc]
        return ""

    def _problem(self, reference: Reference, content: Content) -> str:
        if not reference.path:
            return "what systemd has put there is not written"
        if os.path.lexists(os.path.join(resolve_path(self._backend, reference.path), _PROJECTED)):
            return "it is a volume that Kubernetes mounts and writes: change the Secret or ConfigMap"
        if not isinstance(content, Mapping) or not all(isinstance(value, str | bytes) for value in content.values()):
            return "a folder holds files: names, and texts or bytes"
        odd = next((name for name in content if "/" in name or name.startswith(".") or not name), None)
        return f"`{odd}` cannot be the name of a file that is read from there" if odd is not None else ""

    _is_folder = True

    def paths(self, reference: Reference) -> Sequence[str]:
        """See ``confsvc.adapter.Locator``."""
        path = reference.path or self._backend.environ.get("CREDENTIALS_DIRECTORY", "")
        return [resolve_path(self._backend, path)] if path else []

    def _read(self, reference: Reference, deadline: Deadline) -> Outcome:
        paths = self.paths(reference)
        if not paths:
            return NotFound(NO_PATH)
        found = _read_folder(paths[0], deadline)
        return found if isinstance(found, AdapterError) else Document(found, secret=False)


def _read_folder(path: str, deadline: Deadline) -> Mapping[str, bytes] | AdapterError:
    while True:
        try:
            handle = _open_folder(path)
        except OSError as error:
            found = error_of(error)
            return NotFound("no such folder") if isinstance(found, NotFound) else found
        except ValueError:
            return Malformed("its path holds a NUL")
        try:
            fields = _read_fields(handle, deadline)
            if _is_current(path, handle):
                return fields
        except OSError as error:
            return error_of(error)
        finally:
            os.close(handle)
        deadline.check()


def _is_current(path: str, handle: int) -> bool:
    """Tell whether the open folder is still the one to be read.

    Once ``..data`` leads elsewhere, the old folder's files are removed: what was found in it may be half, or nothing.
    """
    again = _open_folder(path)
    try:
        return os.path.samestat(os.fstat(handle), os.fstat(again))
    finally:
        os.close(again)


def _open_folder(path: str) -> int:
    """Open the folder whose files are to be read: the one ``..data`` leads to now, where there is such a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    handle = os.open(path, flags)
    try:
        return os.open(_PROJECTED, flags, dir_fd=handle)
    except FileNotFoundError:
        return os.dup(handle)
    finally:
        os.close(handle)


def _read_fields(handle: int, deadline: Deadline) -> Mapping[str, bytes] | AdapterError:
    found: dict[str, bytes] = {}
    with os.scandir(handle) as entries:
        # Hidden files are nobody's settings: editors' leftovers, and Kubernetes' own links.
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and not entry.is_dir())
    for name in names:
        data = read_file(name, deadline, folder=handle)
        if isinstance(data, NotFound):  # it was listed: an error must not become an absence
            return Malformed(f"`{name}` leads to nothing")
        if isinstance(data, AdapterError):
            return type(data)(f"`{name}`: {data.message}")
        found[name] = data
    return found
