"""What moved in the backends since a lock was made, by metadata alone: no value is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from confsvc.adapter import Description, Undescribed
from confsvc.errors import ConfsvcError, DeadlineError, NotFound
from confsvc.fetching import Described
from confsvc.locking.pinning import locked_environment, pin_as_locked
from confsvc.locking.records import STATES, Lock, Read
from confsvc.plan import Plan
from confsvc.reference import Reference

__all__ = ["Describe", "Move", "moves_since"]

Describe = Callable[[Sequence[Reference]], Described]

_NOT_TOLD = "its store tells nothing without its value"
_GONE = "the locked version is gone"


class Move(NamedTuple):
    """What became of one document, or of one part of it.

    ``change`` is empty where it is as it was locked, ``moved`` where a newer version is there, ``gone`` where the
    locked one cannot be read any more, ``appeared`` where there was none, ``unknown`` where nobody can tell, and
    ``failed`` where ``error`` came instead. ``since`` is when the present version was made, as RFC 3339, if known.
    """

    reference: str
    locked: str
    change: str = ""
    current: str = ""
    since: str = ""
    why: str = ""
    names: tuple[str, ...] = ()
    error: ConfsvcError | None = None


class _Asked(NamedTuple):
    """A question: about which reference now, which one is locked, and what the lock says."""

    now: Reference
    then: Reference | None
    read: Read
    names: tuple[str, ...]


def moves_since(plan: Plan, lock: Lock, describe: Describe) -> list[Move]:
    """Return what became of everything that ``plan`` reads and ``lock`` has of its environment.

    Raises:
        LockError: a version in it can be none of its store, or it does not have the environment.

    """
    asked = list(_questions(plan, lock))
    first = describe(list(dict.fromkeys(one.now for one in asked if _is_told(one.read))))
    # Whether an earlier version is still there matters, and is asked, only where another one is current.
    earlier = [one.then for one in asked if one.then and _differs(first.get(one.now), one.read)]
    second = describe(list(dict.fromkeys(earlier))) if earlier else {}
    found = [_move(one, first.get(one.now), second) for one in asked]
    # A tree has moved with any of its parts, and says more only where none of them does.
    told = {one.read.document for one, move in zip(asked, found, strict=True) if one.read.part and move.change}
    return [
        move._replace(change="", why="") if one.read.state == "parts" and one.read.document in told else move
        for one, move in zip(asked, found, strict=True)
    ]


def _questions(plan: Plan, lock: Lock) -> Iterator[_Asked]:
    locked = locked_environment(lock, plan.environment)
    known = {str(document): document for document in plan.documents}
    users: dict[tuple[str, str], dict[str, None]] = {}
    reads: dict[tuple[str, str], Read] = {}
    for name, read in locked.reads():
        key = (read.document, read.part)
        reads.setdefault(key, read)
        users.setdefault(key, {}).update({name: None} if name else {})
    for (text, part), read in reads.items():
        document = known.get(text)
        if document is None:  # the manifest has changed, which is told elsewhere
            continue
        names = tuple(users[text, part])
        if part and not read.state:
            now, then = (pin_as_locked(plan, lock, document, version, part) for version in ("", read.version))
            yield _Asked(now, then, read, names)
        elif not part:
            is_pinned = read.version and not read.state
            earlier = pin_as_locked(plan, lock, document, read.version) if is_pinned else None
            yield _Asked(document, earlier, read, names)


def _is_told(read: Read) -> bool:
    return read.state != "leased" and bool(read.version or read.state == "absent")


def _differs(found: object, read: Read) -> bool:
    return isinstance(found, Description) and (found.version != read.version or bool(found.state))


def _move(asked: _Asked, found: Description | ConfsvcError | None, earlier: Mapping[Reference, object]) -> Move:
    read = asked.read
    move = Move(str(asked.now), read.version, names=asked.names)
    if read.state in {"leased", "unpinned"} and (found is None or not read.version):
        return move._replace(change="unknown", why=STATES[read.state])
    if isinstance(found, NotFound):
        is_same = read.state == "absent"
        return move if is_same else move._replace(change="gone", why="nothing is there any more")
    if found is None or isinstance(found, Undescribed):
        return move._replace(change="unknown", why=_NOT_TOLD)
    if isinstance(found, ConfsvcError):
        return move._replace(change="failed", why=found.message, error=found)
    move = move._replace(current=found.version, since=found.time)
    if read.state == "absent":
        return move._replace(change="appeared", why="it was not there")
    if not _differs(found, read):
        return move
    if read.state == "parts":
        return move._replace(change="moved", why="something was added to it, or removed")
    return _earlier(move._replace(change="moved", why=found.state), earlier.get(asked.then) if asked.then else None)


def _earlier(move: Move, then: object) -> Move:
    """Return ``move`` with what is known of the version that was locked."""
    if isinstance(then, Description) and then.state:
        return move._replace(change="gone", why=f"{_GONE}: {then.state}")
    if isinstance(then, NotFound):
        return move._replace(change="gone", why=_GONE)
    if isinstance(then, DeadlineError):
        return move._replace(change="failed", why=then.message, error=then)
    return move
