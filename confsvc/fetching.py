"""Reading every document of a plan at the same time, each once, before one deadline."""

import threading
from collections.abc import Callable, Mapping, Sequence

from confsvc.adapter import Adapter, Backend, Deadline, Document
from confsvc.errors import ConfsvcError, DeadlineError, InternalError
from confsvc.reference import Reference
from confsvc.registry import adapter_class

__all__ = ["Fetched", "Make", "fetch_documents"]

Fetched = Mapping[Reference, Document | ConfsvcError]

Make = Callable[[Backend], Adapter]


def make_adapter(backend: Backend) -> Adapter:
    """Make the adapter of ``backend``, importing it if need be. Does no I/O."""
    return adapter_class(backend.adapter)(backend)


def fetch_documents(
    documents: Sequence[Reference],
    backends: Mapping[str, Backend],
    deadline: Deadline,
    make: Make = make_adapter,
) -> Fetched:
    """Read ``documents``. Returns the outcome of every one; whatever has none at the deadline is a DeadlineError.

    Every backend has a thread of its own, so one that hangs holds up nobody; being daemons, the threads of a backend
    that never answers keep no process alive.
    """
    groups: dict[str, list[Reference]] = {}
    for reference in documents:
        groups.setdefault(reference.scheme, []).append(reference)
    adapters = {name: make(backends[name]) for name in groups}
    outcomes: dict[Reference, Document | ConfsvcError] = {}
    workers = [
        threading.Thread(
            target=_fetch_group,
            args=(adapters[name], references, deadline, outcomes),
            name=f"confsvc-{name}",
            daemon=True,
        )
        for name, references in groups.items()
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(min(deadline.remaining(), threading.TIMEOUT_MAX))
    late = DeadlineError(f"no answer within {deadline.seconds:g} s")
    return {reference: outcomes.get(reference, late) for reference in documents}


def _fetch_group(
    adapter: Adapter,
    references: Sequence[Reference],
    deadline: Deadline,
    outcomes: dict[Reference, Document | ConfsvcError],
) -> None:
    found: object = _fetch(adapter, references, deadline)
    for reference in references:
        outcomes[reference] = _checked(adapter, found.get(reference) if isinstance(found, Mapping) else None)
    _close(adapter)  # now, as what is slow to close must not make the outcomes late


def _fetch(
    adapter: Adapter, references: Sequence[Reference], deadline: Deadline
) -> Mapping[Reference, Document | ConfsvcError]:
    try:
        return adapter.fetch(references, deadline=deadline)
    except ConfsvcError as error:
        return dict.fromkeys(references, _without_context(error))
    except BaseException as error:  # noqa: BLE001 - an adapter's bug fails its settings, and its text may hold a value
        return dict.fromkeys(references, _bug(adapter, error))


def _close(adapter: Adapter) -> None:
    close = getattr(adapter, "close", None)  # isinstance with a protocol imports inspect, ast and more
    if callable(close):
        try:
            close()
        except BaseException:  # noqa: BLE001 - what was read is good, and a traceback could show values
            return


def _checked(adapter: Adapter, outcome: object) -> Document | ConfsvcError:
    if isinstance(outcome, Document | ConfsvcError):
        return outcome
    return InternalError(f"the adapter {type(adapter).__name__} gave no outcome for a reference")


def _bug(adapter: Adapter, error: BaseException) -> InternalError:
    return InternalError(f"the adapter {type(adapter).__name__} failed with {type(error).__name__}")


def _without_context(error: ConfsvcError) -> ConfsvcError:
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return error
