"""A store in memory, with switches for everything that can go wrong with a real one."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf
from typing import ClassVar

from confsvc import registry
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
        self._stands_in_for: set[str] = set()
        self._versions: Counter[str] = Counter()
        self._failures: dict[str, _Failure] = {}
        self._all: _Failure | None = None

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

    def fail(self, path: str, error: AdapterError, *, times: int = 0) -> None:
        """Answer the next ``times`` reads of ``path`` with ``error``; with 0 every one, until it is ``put`` again."""
        self._failures[path] = _Failure(error, times)

    def unavailable(self, *, times: int = 0) -> None:
        """Answer the next ``times`` reads with ``Unavailable``; with 0 every one, until ``recover``."""
        self._all = _Failure(Unavailable("the store is switched off"), times)

    def throttle(self, times: int) -> None:
        """Answer the next ``times`` reads with ``Throttled``."""
        self._all = _Failure(Throttled("the store asks for patience"), times) if times else None

    def recover(self) -> None:
        """Undo every failure."""
        self._failures.clear()
        self._all = None
        self.delay = 0.0

    def stand_in_for(self, *adapters: str) -> None:
        """Be read in the place of ``adapters``: ``vault://secret/shop`` is the document ``secret/shop`` here.

        A service's own manifest can be tested so. With the fixture ``confsvc_memory`` it ends with the test.

        Raises:
            ManifestError: there is no such adapter.

        """
        for name in adapters:
            real = registry.adapter_class(name)
            like = {"options": real.options, "parameters": real.parameters, "keeps_names": real.keeps_names}
            registry.register(name, type("MemoryAdapter", (MemoryAdapter,), {**like, "store": self}))
            self._stands_in_for.add(name)

    def close(self) -> None:
        """Stand in for nobody any more."""
        for name in self._stands_in_for:
            registry.unregister(name)
        self._stands_in_for.clear()

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
        for failure in (self._all, self._failures.get(path)):
            if failure is not None and (error := failure.next()):
                return error
        if version and path in self._documents:
            return self._kept.get((path, version)) or NotFound(f"`{path}` has no version {version}")
        return self._documents.get(path) or NotFound(f"`{path}` is not in the store")


class _Failure:
    """An answer that is given some times, or always."""

    def __init__(self, error: AdapterError, times: int) -> None:
        self._error = error
        self._left = times or inf

    def next(self) -> AdapterError | None:
        """Return the error, a new one each time; None where it was given often enough."""
        if self._left <= 0:
            return None
        self._left -= 1
        return type(self._error)(self._error.message, hint=self._error.hint)


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
