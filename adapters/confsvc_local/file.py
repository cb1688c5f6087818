"""``file:///run/secrets/x``: the exact bytes of one file."""

from confsvc.adapter import Deadline, Document, Outcome
from confsvc.reference import Reference
from confsvc_local._base import LocalAdapter
from confsvc_local._reading import read_file, resolve_path

__all__ = ["FileAdapter"]


class FileAdapter(LocalAdapter):
    """Reads files. The content is bytes: what it means, the setting's type says."""

    def _read(self, reference: Reference, deadline: Deadline) -> Outcome:
        data = read_file(resolve_path(self._backend, reference.path), deadline)
        return Document(data, secret=False) if isinstance(data, bytes) else data
