"""``file:///run/secrets/x``: the exact bytes of one file."""

from confsvc.adapter import Content, Deadline, Document, Outcome
from confsvc.errors import Malformed
from confsvc.reference import Reference
from confsvc_local._base import PathAdapter
from confsvc_local._reading import modified_at, read_file, resolve_path

__all__ = ["FileAdapter"]


class FileAdapter(PathAdapter):
    """Reads files. The content is bytes: what it means, the setting's type says."""

    def store(self, reference: Reference, content: Content, *, deadline: Deadline, expected: str | None = None) -> str:
        """See ``confsvc.adapter.Storer``. The file is written whole; it has no version."""
        from confsvc_local._writing import change_file

        if expected is not None:
            raise Malformed("a file has no versions, so none can be expected")
        if not isinstance(content, str | bytes):
            raise Malformed("a field inside of a file is not written: its form would be lost", hint="edit the file")
        data = content if isinstance(content, bytes) else content.encode()
        change_file(resolve_path(self._backend, reference.path), lambda _: data, deadline)
        return ""

    def _read(self, reference: Reference, deadline: Deadline) -> Outcome:
        path = resolve_path(self._backend, reference.path)
        data = read_file(path, deadline)
        return Document(data, secret=False, made_at=modified_at(path)) if isinstance(data, bytes) else data
