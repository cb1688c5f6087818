"""``file:///run/secrets/x``: the exact bytes of one file."""

from confsvc.adapter import Deadline, Document, Outcome
from confsvc.reference import Reference
from confsvc_local._base import PathAdapter
from confsvc_local._reading import modified_at, read_file, resolve_path

__all__ = ["FileAdapter"]


class FileAdapter(PathAdapter):
    """Reads files. The content is bytes: what it means, the setting's type says."""

    def _read(self, reference: Reference, deadline: Deadline) -> Outcome:
        path = resolve_path(self._backend, reference.path)
        data = read_file(path, deadline)
        return Document(data, secret=False, made_at=modified_at(path)) if isinstance(data, bytes) else data
