"""Asking for what several environments need in one pass: what two of them share is read once, with one login."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confsvc._json import compact
from confsvc.adapter import Backend, Deadline, progress
from confsvc.errors import ConfsvcError, DeadlineError, InternalError
from confsvc.fetching import Pool
from confsvc.plan import Plan
from confsvc.reference import Reference

__all__ = ["Ask", "Gathering", "backend_key"]

# `fetch_documents`, or `describe_documents`.
Ask = Callable[[Sequence[Reference], Mapping[str, Backend], Deadline, Pool], Mapping[Reference, Any]]

_AT_ONCE = 64  # backends that are asked at the same time, each in threads of its own

_Key = tuple[str, str, str]


class Gathering:
    """The documents of several plans of one manifest, asked for at the same time, before one deadline.

    Environments whose backend of one name has the same adapter and the same options share it: one login, and each
    document once. A backend that hangs or fails is waited for only by the environments that need it.
    """

    def __init__(self, plans: Iterable[Plan], ask: Ask, deadline: Deadline) -> None:
        self._deadline = deadline
        self._ask = ask
        self._shares: dict[_Key, _Share] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._done = 0
        for plan in plans:
            for scheme, documents in _by_scheme(plan).items():
                share = self._shares.setdefault(backend_key(plan.backends[scheme]), _Share(plan.backends[scheme]))
                share.documents.update(dict.fromkeys(documents))
                share.users += 1
        for share in self._shares.values():
            share.worker = threading.Thread(target=self._work, args=(share,), name="confsvc-gather", daemon=True)
            share.worker.start()

    def of(self, plan: Plan) -> dict[Reference, Any]:
        """Wait for what ``plan`` needs, and return it; what has no outcome at the deadline is a DeadlineError.

        To be asked once for every plan: what no further plan needs is forgotten, so that memory stays small.
        """
        late = DeadlineError(f"no answer within {self._deadline.seconds:g} s")
        found: dict[Reference, Any] = {}
        for scheme, documents in _by_scheme(plan).items():
            share = self._shares[backend_key(plan.backends[scheme])]
            share.worker.join(min(self._deadline.remaining(), threading.TIMEOUT_MAX))
            outcomes = share.outcomes
            if outcomes is None:
                found |= dict.fromkeys(documents, late)
            else:
                found |= {reference: outcomes[reference] for reference in documents if reference in outcomes}
            share.users -= 1
            if not share.users:
                share.outcomes = None
        return found

    def release(self) -> None:
        """End every lease and every login that was made here: nobody is going to use what was read."""
        for share in self._shares.values():
            share.pool.release()

    def _work(self, share: "_Share") -> None:
        if not self._slots.acquire(timeout=min(self._deadline.remaining(), threading.TIMEOUT_MAX)):
            return
        try:
            share.outcomes = self._outcomes(share)
        finally:
            self._slots.release()
        with self._lock:
            self._done += len(share.documents)
            progress("documents", self._done)

    def _outcomes(self, share: "_Share") -> Mapping[Reference, Any]:
        failure: ConfsvcError
        try:
            return self._ask(list(share.documents), {share.backend.name: share.backend}, self._deadline, share.pool)
        except ConfsvcError as error:  # there is no such adapter
            failure = error
        except Exception as error:  # noqa: BLE001 - an adapter's bug fails its settings, and its text may hold a value
            failure = InternalError(f"the adapter `{share.backend.adapter}` failed with {type(error).__name__}")
        failure.__cause__ = failure.__context__ = failure.__traceback__ = None
        return dict.fromkeys(share.documents, failure)


class _Share:
    """One configuration of a backend, what is asked of it, and for how many environments."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.documents: dict[Reference, None] = {}
        self.users = 0
        self.pool = Pool()
        self.outcomes: Mapping[Reference, Any] | None = None
        self.worker = threading.Thread()


def _by_scheme(plan: Plan) -> dict[str, list[Reference]]:
    found: dict[str, list[Reference]] = {}
    for document in plan.documents:
        found.setdefault(document.scheme, []).append(document)
    return found


def backend_key(backend: Backend) -> _Key:
    """Return what makes two backends of one manifest the same."""
    return backend.name, backend.adapter, compact(dict(sorted(backend.options.items())))
