"""What the local adapters share: one document after another, as none of them has a round trip to save."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from confsvc.adapter import Backend, Deadline, Description, Outcome
from confsvc.errors import AdapterError
from confsvc.reference import Reference
from confsvc_local._reading import look_at, resolve_path

if TYPE_CHECKING:
    from confsvc.diagnosis import Finding
    from confsvc.needs import Needs

__all__ = ["LocalAdapter", "PathAdapter"]


class LocalAdapter:
    """An adapter that reads documents one by one."""

    options: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    parameters: ClassVar[frozenset[str]] = frozenset()
    local: ClassVar[bool] = True
    keeps_names: ClassVar[bool] = False
    _is_folder: ClassVar[bool] = False

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        """See ``confsvc.adapter.Adapter``."""
        return {reference: self._read(reference, deadline) for reference in references}

    def paths(self, reference: Reference) -> Sequence[str]:
        """See ``confsvc.adapter.Locator``."""
        return [resolve_path(self._backend, reference.path)]

    def examine(
        self, references: Sequence[Reference], *, deadline: Deadline, optional: Collection[Reference] = ()
    ) -> "Iterator[Finding]":
        """See ``confsvc.diagnosis.Examiner``."""
        from confsvc_local.examining import examine_path, quieter

        for reference in references:
            deadline.check()
            for path in self.paths(reference):
                found = examine_path(path, reference.path, is_folder=self._is_folder, holds_settings=self.keeps_names)
                yield from (quieter(one) if reference in optional else one for one in found)

    def needs(self, references: Sequence[Reference]) -> "Needs":
        """See ``confsvc.needs.Forecaster``."""
        from confsvc.needs import Calls, Needs

        files = [reference for reference in references if self.paths(reference)]
        return Needs(
            tuple(Calls(f"open {reference.path or 'CREDENTIALS_DIRECTORY'}", documents=1) for reference in files)
        )

    def _read(self, reference: Reference, deadline: Deadline) -> Outcome:
        raise NotImplementedError


class PathAdapter(LocalAdapter):
    """An adapter whose documents are files, or folders."""

    folders: ClassVar[bool] = False

    def describe(
        self, references: Sequence[Reference], *, deadline: Deadline
    ) -> Mapping[Reference, Description | AdapterError]:
        """See ``confsvc.adapter.Describer``. Files have no versions; when one was changed is told."""
        deadline.check()
        return {reference: look_at(self.paths(reference), folders=self.folders) for reference in references}
