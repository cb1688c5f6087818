"""Writing documents, one after the other, each only on top of what was read: nobody's change is lost."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from confsvc.adapter import Backend, Conflict, Content, Deadline, Document
from confsvc.audit import Entry
from confsvc.deciding import describe
from confsvc.errors import (
    ConfsvcError,
    DeadlineError,
    InternalError,
    Malformed,
    NotFound,
    OutputError,
    Problem,
)
from confsvc.fetching import Pool, fetch_documents
from confsvc.reference import Reference
from confsvc.resolver import Request, trail_for
from confsvc.writing.changes import Changes, Row
from confsvc.writing.contents import Stored, edited, fields_in, merged

__all__ = ["Written", "apply_changes"]

_PAUSE = 0.05  # seconds, at most, before the first try anew; each further one may wait as much longer


class Written(NamedTuple):
    """What became of some rows, which are parts of one document: the ``version`` they made, or why there is none.

    ``unrecorded`` is why the audit trail does not have it: then nothing more is written.
    """

    rows: tuple[Row, ...]
    version: str = ""
    error: ConfsvcError | None = None
    unrecorded: OutputError | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why the rows were not written; none where they were."""
        if self.error is None:
            return ()
        message = describe(self.error)
        if isinstance(self.error, DeadlineError):
            message += "; it may be written, or not"
        return tuple(
            self.error.problem(name=row.name, reference=row.spot.reference)._replace(message=message)
            for row in self.rows
        )


class _Place(NamedTuple):
    """A document to write, and what it takes to reach it."""

    adapter: Any
    document: Reference
    backends: Mapping[str, Backend]
    pool: Pool
    deadline: Deadline


def apply_changes(
    request: Request, changes: Changes, pool: Pool, tell: Callable[[int, int], None] = lambda _done, _all: None
) -> list[Written]:
    """Write the rows that are not the same. ``tell`` hears how many documents of how many are done.

    What cannot be written does not keep the rest from being; each document has the time that ``request`` says.
    """
    groups: dict[Reference, list[Row]] = {}
    for row in changes.rows:
        if row.state != "same":
            groups.setdefault(row.spot.document, []).append(row)
    done: list[Written] = []
    for document, rows in groups.items():
        version, error = _write(request, changes, pool, document, rows)
        unrecorded = _record(request, changes.environment, rows, version, error)
        done.append(Written(tuple(rows), version, error, unrecorded))
        tell(len(done), len(groups))
        if unrecorded:
            break
    return done


def _write(
    request: Request, changes: Changes, pool: Pool, document: Reference, rows: Sequence[Row]
) -> tuple[str, ConfsvcError | None]:
    """Write one document. Returns its new version, or why it has none."""
    adapter: Any = pool.take(changes.backends[document.scheme])
    deadline = Deadline(request.timeout)
    whole = next((row for row in rows if row.spot.field is None), None)
    if whole is not None:  # nothing else is in it, so the last one who writes it is right
        return _store(adapter, document, whole.value.reveal(), None, deadline)
    fields = {str(row.spot.field): row.value.reveal() for row in rows}
    if getattr(adapter, "merges", False):
        content, reason = edited({}, fields)
        return ("", Malformed(reason)) if reason else _store(adapter, document, content, None, deadline)
    return _on_top(_Place(adapter, document, changes.backends, pool, deadline), fields, changes.fetched.get(document))


def _on_top(place: _Place, fields: Mapping[str, Stored], found: object) -> tuple[str, ConfsvcError | None]:
    """Write ``fields`` on top of what was ``found``; and where somebody else writes meanwhile, on top of that.

    A store that cannot refuse a write tells afterwards what it has replaced. What that had, and what comes on top of
    our own write before we mend it, is merged: ``mine`` is what the document should be but for ``fields``, ``known``
    what it was when we last knew.
    """
    known, expected, reason = _known(found)
    mine = known
    tries = 0
    while True:
        content, wrong = edited(mine, fields)
        if reason or wrong:
            return "", Malformed(reason or wrong)
        version, error = _store(place.adapter, place.document, content, expected, place.deadline)
        if not isinstance(error, Conflict):
            return version, error
        tries += 1
        time.sleep(min(random.uniform(0, _PAUSE * tries), place.deadline.remaining()))  # noqa: S311 - no secret
        outcome = _read_again(place, error.over)
        if isinstance(outcome, ConfsvcError) and not isinstance(outcome, NotFound):
            return "", outcome
        theirs, current, reason = _known(outcome)
        if not error.over and current == expected:  # nobody else wrote: it is something else that is not liked
            return "", Malformed("the store does not take it")
        mine = merged(mine, known, theirs)
        known, expected = (content, error.written) if error.over else (theirs, current)


def _read_again(place: _Place, version: str) -> Document | ConfsvcError:
    """Read the document, or the ``version`` of it that was replaced unread."""
    reference = place.document
    if version:
        reference = reference._replace(parameters=(*reference.parameters, ("version", version)))
    return fetch_documents([reference], place.backends, place.deadline, place.pool)[reference]


def _known(outcome: object) -> tuple[Mapping[str, object], str | None, str]:
    """Return the fields of what was read, what its version is expected to be, and why it has no fields."""
    if not isinstance(outcome, Document):
        return {}, "0", ""
    fields, reason = fields_in(outcome.content.reveal())
    return fields, outcome.version or None, reason


def _store(
    adapter: Any, document: Reference, content: Content, expected: str | None, deadline: Deadline
) -> tuple[str, ConfsvcError | None]:
    failure: ConfsvcError
    try:
        deadline.check()
        return str(adapter.store(document, content, deadline=deadline, expected=expected)), None
    except ConfsvcError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - an adapter's bug, whose text may hold a value
        failure = InternalError(f"the adapter {type(adapter).__name__} failed with {type(error).__name__}")
    failure.__cause__ = failure.__context__ = failure.__traceback__ = None  # its frames hold values
    return "", failure


def _record(
    request: Request, environment: str, rows: Sequence[Row], version: str, error: ConfsvcError | None
) -> OutputError | None:
    trail = trail_for(request)
    if trail is None:
        return None
    code = error.code if error else ""
    entries = [Entry(row.name, "", row.spot.reference, version, code) for row in rows]
    failure = trail.write("write", request.manifest.project, environment, entries)
    if failure and not error:
        failure.hint = "what stands above was written all the same"
    return failure
