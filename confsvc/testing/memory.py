"""A store in memory, with switches for everything that can go wrong with a real one."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

from confsvc.adapter import Backend, Content, Deadline, Description, Document, Outcome
from confsvc.errors import AdapterError, NotFound, Throttled, Unavailable
from confsvc.reference import Reference

__all__ = ["MemoryAdapter", "MemoryStore"]

_NONE: Mapping[str, str] = {}


class MemoryStore:
    """What ``memory://`` references read.

    ``reads`` counts the reads of each path, ``batches`` the fetches, ``described`` how often somebody asked for a
    version alone. Every fetch takes ``delay`` seconds.
    """

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self.described: Counter[str] = Counter()
        self.batches = 0
        self.delay = 0.0
        self._documents: dict[str, Document] = {}
        self._kept: dict[tuple[str, str], Document] = {}
        self._versions: Counter[str] = Counter()
        self._failures: dict[str, AdapterError] = {}
        self._is_down = False
        self._throttles = 0

    def put(
        self, path: str, content: Content, *, version: str = "", secret: bool = True, parts: Mapping[str, str] = _NONE
    ) -> None:
        """Store a document: text, bytes, or a mapping of fields. Without ``version`` it gets the next number.

        What was there before is still read by its version. A document whose fields have versions of their own, in
        ``parts``, is a tree: each field of it is stored as ``path`` and its name, too.
        """
        self._versions[path] += 1
        made = Document(content, version=version or str(self._versions[path]), secret=secret, parts=parts)
        self._documents[path] = self._kept[path, made.version] = made
        self._failures.pop(path, None)
        if isinstance(content, Mapping):
            for name, own in parts.items():
                self.put(path + name, str(content[name]), version=own, secret=secret)

    def remove(self, path: str) -> None:
        """Forget a document: it is not found any more."""
        self._documents.pop(path, None)

    def fail(self, path: str, error: AdapterError) -> None:
        """Answer every read of ``path`` with ``error``, until it is ``put`` again."""
        self._failures[path] = error

    def unavailable(self) -> None:
        """Answer every read with ``Unavailable``, until ``recover``."""
        self._is_down = True

    def throttle(self, times: int) -> None:
        """Answer the next ``times`` reads with ``Throttled``."""
        self._throttles = times

    def recover(self) -> None:
        """Undo every failure."""
        self._failures.clear()
        self._is_down = False
        self._throttles = 0
        self.delay = 0.0

    def destroy(self, path: str, version: str) -> None:
        """Forget one version of a document for good."""
        self._kept.pop((path, version), None)

    def read(self, path: str, version: str = "") -> Outcome:
        """Read one document as the switches say, by default the version it has now."""
        self.reads[path] += 1
        return self._answer(path, version)

    def describe(self, path: str, version: str = "") -> Description | AdapterError:
        """Tell the version of a document, as the switches say."""
        self.described[path] += 1
        found = self._answer(path, version)
        return Description(found.version) if isinstance(found, Document) else found

    def _answer(self, path: str, version: str) -> Outcome:
        if self._is_down:
            return Unavailable("the store is switched off")
        if self._throttles:
            self._throttles -= 1
            return Throttled("the store asks for patience")
        failure = self._failures.get(path)
        if failure is not None:
            return type(failure)(failure.message, hint=failure.hint)
        if version and path in self._documents:
            return self._kept.get((path, version)) or NotFound(f"`{path}` has no version {version}")
        return self._documents.get(path) or NotFound(f"`{path}` is not in the store")


class MemoryAdapter:
    """Reads a ``MemoryStore``, the class's own: the fixture ``confsvc_memory`` gives every test a fresh one.

    Without pytest, ``confsvc.registry.register("memory", MemoryAdapter)`` does what the fixture does.
    """

    options: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    parameters: ClassVar[frozenset[str]] = frozenset({"version"})
    local: ClassVar[bool] = False
    private: ClassVar[bool] = True  # another process has another store
    keeps_names: ClassVar[bool] = False
    store: ClassVar[MemoryStore] = MemoryStore()

    def __init__(self, backend: Backend) -> None:
        self._name = backend.name

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        """See ``confsvc.adapter.Adapter``."""
        self.store.batches += 1
        self._wait(deadline)
        return {reference: self.store.read(reference.path, reference.parameter("version")) for reference in references}

    def describe(
        self, references: Sequence[Reference], *, deadline: Deadline
    ) -> Mapping[Reference, Description | AdapterError]:
        """See ``confsvc.adapter.Describer``."""
        self._wait(deadline)
        return {
            reference: self.store.describe(reference.path, reference.parameter("version")) for reference in references
        }

    @staticmethod
    def pin(reference: Reference, version: str, part: str = "") -> Reference:
        """See ``confsvc.adapter.Pinner``."""
        return reference._replace(path=reference.path + part).with_version(version)

    def _wait(self, deadline: Deadline) -> None:
        deadline.check()
        if self.store.delay:
            time.sleep(min(self.store.delay, deadline.remaining()))
            deadline.check()
