"""Asking every backend at the same time, each document once, before one deadline."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import confsvc
from confsvc.adapter import Adapter, Backend, Deadline, Description, Document
from confsvc.errors import ConfsvcError, DeadlineError, InternalError, Unavailable
from confsvc.reference import Reference
from confsvc.registry import adapter_class

__all__ = ["Described", "Fetched", "Make", "Pool", "describe_documents", "fetch_documents"]

Fetched = Mapping[Reference, Document | ConfsvcError]
Described = Mapping[Reference, Description | ConfsvcError]

Make = Callable[[Backend], Adapter]

# One question to an adapter. It is to bring, for every reference something of the kind asked for, or an error.
_Ask = Callable[[Adapter, Sequence[Reference]], object]

_FAREWELL = 1.0  # seconds for giving back what was made for us: long for a store that is well


def make_adapter(backend: Backend) -> Adapter:
    """Make the adapter of ``backend``, importing it if need be. Does no I/O."""
    return adapter_class(backend.adapter)(backend)


def _make_to_ask(backend: Backend) -> Adapter:
    if confsvc._guard is not None:  # noqa: SLF001 - ours
        confsvc._guard(backend, adapter_class(backend.adapter))  # noqa: SLF001
    return make_adapter(backend)


class Pool:
    """Adapters, one for each backend, made when first needed.

    With ``keeps`` they stay open from one read to the next. Without, each is closed as soon as it has read; one whose
    documents have leases stays until `close` or `release` says whether anybody is going to use them.
    """

    def __init__(self, make: Make = _make_to_ask, *, keeps: bool = False) -> None:
        self._make = make
        self._keeps = keeps
        self._open: dict[str, Adapter] = {}
        self._leasing: list[Adapter] = []
        self._is_over = False

    def take(self, backend: Backend) -> Adapter:
        """Return the adapter of ``backend``."""
        if backend.name not in self._open:
            self._open[backend.name] = self._make(backend)
        return self._open[backend.name]

    def done(self, name: str, outcomes: Mapping[Reference, object]) -> None:
        """Close the adapter called ``name`` if nothing more is wanted of it."""
        if self._keeps:
            return
        adapter = self._open.pop(name)
        if not any(isinstance(outcome, Document) and outcome.lease for outcome in outcomes.values()):
            _close(adapter)
        elif self._is_over:  # nobody has waited for it
            _release(adapter, Deadline(_FAREWELL))
        else:
            self._leasing.append(adapter)

    def close(self) -> None:
        """Close what is not busy. Leases, and the logins they hang on, live on for whoever got their values."""
        for adapter in self._end():
            _close(adapter)

    def release(self) -> None:
        """End every lease and every login that was made here, within a second, and close. Says nothing of failures."""
        deadline = Deadline(_FAREWELL)
        _side_by_side({f"end-{n}": (_release, (one, deadline)) for n, one in enumerate(self._end())}, deadline)

    def _end(self) -> list[Adapter]:
        self._is_over = True
        ended = self._leasing + (list(self._open.values()) if self._keeps else [])
        self._leasing = []
        return ended


def fetch_documents(
    documents: Sequence[Reference], backends: Mapping[str, Backend], deadline: Deadline, pool: Pool | None = None
) -> Fetched:
    """Read ``documents``. Returns the outcome of every one; whatever has none at the deadline is a DeadlineError."""

    def ask(adapter: Adapter, references: Sequence[Reference]) -> object:
        return adapter.fetch(references, deadline=deadline)

    return _ask_all(documents, backends, deadline, pool or Pool(), (ask, Document))


def describe_documents(
    documents: Sequence[Reference], backends: Mapping[str, Backend], deadline: Deadline, pool: Pool
) -> Described:
    """Ask about ``documents`` without reading them: only those whose adapter can tell have an outcome."""

    def ask(adapter: Adapter, references: Sequence[Reference]) -> object:
        return adapter.describe(references, deadline=deadline)  # type: ignore[attr-defined]

    able = [r for r in documents if hasattr(pool.take(backends[r.scheme]), "describe")]
    return _ask_all(able, backends, deadline, pool, (ask, Description))


def _ask_all(
    documents: Sequence[Reference],
    backends: Mapping[str, Backend],
    deadline: Deadline,
    pool: Pool,
    question: tuple[_Ask, type],
) -> Mapping[Reference, Any]:
    """Ask each backend about its own, each in a thread, so that one that hangs holds up nobody."""
    groups: dict[str, list[Reference]] = {}
    for reference in documents:
        groups.setdefault(reference.scheme, []).append(reference)
    adapters = {name: pool.take(backends[name]) for name in groups}
    outcomes: dict[Reference, Any] = {}

    def work(name: str) -> None:
        answers = _answers(adapters[name], groups[name], question)
        outcomes.update(answers)
        pool.done(name, answers)  # after that, as what is slow to close must not make the outcomes late

    unasked = _side_by_side({name: (work, (name,)) for name in groups}, deadline)
    for reference in (reference for name in unasked for reference in groups[name]):
        outcomes[reference] = Unavailable("this machine has no thread left to ask in")
    late = DeadlineError(f"no answer within {deadline.seconds:g} s")
    return {reference: outcomes.get(reference, late) for reference in documents}


def _side_by_side(works: Mapping[str, tuple[Callable[..., None], tuple[Any, ...]]], deadline: Deadline) -> list[str]:
    """Run ``works`` in threads and wait for them until ``deadline``. Returns those that there was no thread for.

    Being daemons, the threads of a backend that never answers keep no process alive.
    """
    workers = {
        name: threading.Thread(target=work, args=arguments, name=f"confsvc-{name}", daemon=True)
        for name, (work, arguments) in works.items()
    }
    started = {name: worker for name, worker in workers.items() if _is_started(worker)}
    for worker in started.values():
        worker.join(min(deadline.remaining(), threading.TIMEOUT_MAX))
    return [name for name in works if name not in started]


def _is_started(worker: threading.Thread) -> bool:
    try:
        worker.start()
    except RuntimeError:  # the system has no more of them
        return False
    return True


def _answers(adapter: Adapter, references: Sequence[Reference], question: tuple[_Ask, type]) -> dict[Reference, object]:
    ask, kind = question
    found: object
    try:
        found = ask(adapter, references)
    except ConfsvcError as error:
        found = dict.fromkeys(references, _without_context(error))
    except BaseException as error:  # noqa: BLE001 - an adapter's bug fails its settings, and its text may hold a value
        found = dict.fromkeys(references, _bug(adapter, error))
    answers = found if isinstance(found, Mapping) else {}
    return {reference: _checked(adapter, answers.get(reference), kind) for reference in references}


def _checked(adapter: Adapter, outcome: object, kind: type) -> object:
    if isinstance(outcome, (kind, ConfsvcError)):
        return outcome
    return InternalError(f"the adapter {type(adapter).__name__} gave no outcome for a reference")


def _release(adapter: Adapter, deadline: Deadline) -> None:
    release = getattr(adapter, "release", None)
    if callable(release):
        try:
            release(deadline=deadline)
        except BaseException:  # noqa: BLE001 - it ends by itself later, and a traceback could show values
            return
    _close(adapter)


def _close(adapter: Adapter) -> None:
    close = getattr(adapter, "close", None)  # isinstance with a protocol imports inspect, ast and more
    if callable(close):
        try:
            close()
        except BaseException:  # noqa: BLE001 - what was read is good, and a traceback could show values
            return


def _bug(adapter: Adapter, error: BaseException) -> InternalError:
    return InternalError(f"the adapter {type(adapter).__name__} failed with {type(error).__name__}")


def _without_context(error: ConfsvcError) -> ConfsvcError:
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return error
