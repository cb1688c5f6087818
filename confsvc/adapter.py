"""The contract that a backend keeps.

An adapter has one required method, ``fetch``: many references in, the outcome of each one out. It never returns less
than it was asked for, never raises for what a backend said, and never turns an error into an absence.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

from confsvc._json import compact as compact_json
from confsvc._json import parse as parse_json
from confsvc._json import plain as plain_json
from confsvc._light import import_submodule
from confsvc.errors import AdapterError, ConfsvcError, DeadlineError, Malformed
from confsvc.reference import Reference
from confsvc.secret import Secret
from confsvc.thin.process import is_bootstrap

__all__ = [
    "Adapter",
    "Backend",
    "Closeable",
    "Conflict",
    "Content",
    "Deadline",
    "Describer",
    "Description",
    "Document",
    "Grower",
    "Lease",
    "LeaseKeeper",
    "Locator",
    "Outcome",
    "Pinner",
    "Storer",
    "Undescribed",
    "compact_json",
    "import_submodule",
    "is_bootstrap",
    "lasting_clock",
    "moment_of",
    "on_progress",
    "parse_json",
    "plain_json",
    "progress",
    "settled",
]

Content = str | bytes | Mapping[str, object]


def lasting_clock() -> float:
    """Return seconds from some moment on, which also pass while the machine sleeps and which nobody can set.

    What a store counts in is such time: a lease goes on while a laptop sleeps.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def moment_of(said: object) -> float | None:
    """Return the moment that a store says, in seconds since the epoch; it may say it so, or as RFC 3339.

    None where it says nothing that is a moment.
    """
    from datetime import datetime

    text = str(said)
    try:
        return datetime.fromisoformat(text).timestamp() if "T" in text else float(text)
    except (ValueError, OverflowError):
        return None


_listeners: list[Callable[[str, int], None]] = []


def progress(what: str, done: int) -> None:
    """Tell whoever wants to know that ``done`` parts of ``what`` are there: for reads that take many round trips."""
    for listener in _listeners:
        listener(what, done)


def on_progress(listener: Callable[[str, int], None] | None) -> None:
    """Have ``listener`` hear of `progress` from now on, from any thread; None for nobody."""
    _listeners[:] = [listener] if listener else []


class Deadline:
    """One moment by which everything must be done, on the monotonic clock.

    ``hurried`` says that whoever waits has something to fall back on: what was refused is not tried again.
    """

    __slots__ = ("at", "hurried", "seconds")

    def __init__(self, seconds: float, *, hurried: bool = False) -> None:
        self.seconds = seconds
        self.hurried = hurried
        self.at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - time.monotonic())

    def check(self) -> None:
        """Raise ``DeadlineError`` when no time is left."""
        if not self.remaining():
            raise DeadlineError(f"no answer within {self.seconds:g} s")


class Lease(NamedTuple):
    """How long a dynamic secret lives: its id, its life in seconds from the read, and whether it can be renewed."""

    id: str
    duration: float
    renewable: bool


class Document:
    """What one read returns: text, bytes, or a mapping of fields.

    ``content`` is kept as a secret whatever it is. ``secret`` says whether the store it came from holds secrets: then
    every value read from it is one. ``notes`` are warnings for the user, free of values. ``version`` is the store's
    own name of the version read, empty if it has none. ``made_at`` is when that version was made, in seconds since the
    epoch, None if the store does not say. Where each field has a version of its own, ``parts`` has them. ``kept_since``
    is for documents of the cache: when the store was read. ``fleeting`` ones never get there, as those with a lease:
    they are made for whoever reads them, or end by themselves.
    """

    __slots__ = ("content", "fleeting", "kept_since", "lease", "made_at", "notes", "parts", "secret", "version")

    def __init__(  # noqa: PLR0913 - a record
        self,
        content: Content,
        *,
        version: str = "",
        lease: Lease | None = None,
        secret: bool = True,
        notes: Sequence[str] = (),
        made_at: float | None = None,
        parts: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.content: Secret[Content] = Secret(content)
        self.kept_since: float | None = None
        self.fleeting = False
        self.version = version
        self.parts = parts
        self.lease = lease
        self.secret = secret
        self.notes = tuple(notes)
        self.made_at = made_at

    def __repr__(self) -> str:
        return f"Document(version={self.version!r}, secret={self.secret})"


Outcome = Document | AdapterError


class Description(NamedTuple):
    """What is known about a document without reading it. No value is in it.

    ``time`` is when the version was made, as RFC 3339, empty if the store does not say. ``state`` is empty where the
    version can be read, else the store's word for why not, such as ``deleted``. ``custom`` is what people noted.
    """

    version: str
    time: str = ""
    state: str = ""
    custom: Mapping[str, str] = MappingProxyType({})


class Undescribed(Malformed):
    """What a `Describer` says of a document of which its store tells nothing but its value."""


def settled(outcome: Any) -> Any:
    """Return ``outcome`` without the trail of calls it was raised through, whose variables hold credentials.

    Raises:
        ConfsvcError: it is none that a backend says of one reference, such as that the deadline passed.

    """
    if isinstance(outcome, ConfsvcError):
        outcome.__cause__ = outcome.__context__ = outcome.__traceback__ = None
        if not isinstance(outcome, AdapterError):
            raise outcome
    return outcome


class Backend(NamedTuple):
    """A configured instance of an adapter.

    ``options`` is what the manifest says of it, checked against the adapter's ``options``. ``directory`` is what
    relative paths are relative to. ``environ`` is the environment of this process: what the manifest leaves open.
    """

    name: str
    adapter: str
    options: Mapping[str, object]
    directory: str
    environ: Mapping[str, str]

    def public_environ(self) -> dict[str, str]:
        """Return the environment without bootstrap credentials: what fetched text may be mixed with."""
        return {name: text for name, text in self.environ.items() if not is_bootstrap(name)}


class Adapter(Protocol):
    """What every backend implements.

    ``options`` are the keys its ``[backends.NAME]`` table takes, each with a JSON Schema; ``parameters`` the ``?name=``
    its references take. ``local`` adapters read this machine: their paths may contain ``..``. ``keeps_names`` ones hold
    environment variables, whose names are kept as written. Making one does no I/O.

    An adapter that fills in from the environment what its table leaves open may have ``variables``: the names of those
    that decide which store is asked, and as whom. None of them holds a credential. What was read where they say
    something else is never taken from the cache.
    """

    options: ClassVar[Mapping[str, Mapping[str, object]]]
    parameters: ClassVar[frozenset[str]]
    local: ClassVar[bool]
    keeps_names: ClassVar[bool]

    def __init__(self, backend: Backend) -> None: ...

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        """Read the documents ``references`` name (they have no fragment), all of them, within ``deadline``.

        Returns the outcome of every reference: a document, ``NotFound`` only where the backend said so with
        authority, ``Denied``, ``Unauthenticated``, ``Throttled``, ``Unavailable`` or ``Malformed``.

        Raises:
            DeadlineError: the deadline passed.

        """
        ...


class Closeable(Protocol):
    """An adapter that holds something: connections, a login. It is closed when the resolution is done."""

    def close(self) -> None:
        """Give it back. Called once, also after a failed fetch."""
        ...


class Describer(Protocol):
    """An adapter that can tell about documents without reading them."""

    def describe(
        self, references: Sequence[Reference], *, deadline: Deadline
    ) -> Mapping[Reference, Description | AdapterError]:
        """Return the description of every reference, as `Adapter.fetch` returns documents. Raises what that does."""
        ...


class Pinner(Protocol):
    """An adapter whose store keeps what was: a version that was read can be read again."""

    @staticmethod
    def pin(reference: Reference, version: str, part: str = "") -> Reference:
        """Return the reference to exactly ``version`` of a document. Does no I/O.

        ``part`` is a field of a document that has ``parts``; then that part is meant, and ``version`` is its own. An
        empty ``version`` stands for the one that a part has now.

        Raises:
            BadReferenceError: the store can have no such version, or no such part.

        """
        ...


class Conflict(Malformed):
    """It is another version than the one that was expected: what `Storer.store` says, and nobody else.

    Where the store cannot refuse such a write, it is found out afterwards: then ``written`` is the version that was
    made, and ``over`` the one that it replaced without having been read.
    """

    def __init__(self, message: str, *, hint: str = "", written: str = "", over: str = "") -> None:
        super().__init__(message, hint=hint)
        self.written = written
        self.over = over


class Storer(Protocol):
    """An adapter that can write.

    One that has an attribute ``merges``, which is true, keeps the fields that it is not given; the others write whole
    documents. One that reads trees has ``member``: see `Grower`.
    """

    def store(self, reference: Reference, content: Content, *, deadline: Deadline, expected: str | None = None) -> str:
        """Write ``content`` as the whole document. Returns the new version, empty where the store has none.

        With ``expected`` it is written only if that is the current version; "0" stands for no document at all.

        Raises:
            Conflict: another version is the current one.
            AdapterError: it was not written.
            DeadlineError: nothing was heard in time, so it is not known whether it was.

        """
        ...


class Grower(Protocol):
    """A storer that reads trees, of which each part is written by itself."""

    def member(self, reference: Reference, field: str) -> Reference:
        """Return the reference of ``field`` in the tree ``reference``, whether it is there or not."""
        ...


class LeaseKeeper(Protocol):
    """An adapter whose documents can have a lease."""

    def renew(self, lease: Lease, *, deadline: Deadline) -> Lease:
        """Ask for as much time again, and return what is granted. Raises `AdapterError` or `DeadlineError`."""
        ...

    def revoke(self, lease: Lease, *, deadline: Deadline) -> None:
        """End it now, and what was made for it. Raises `AdapterError` or `DeadlineError`."""
        ...

    def release(self, *, deadline: Deadline) -> None:
        """End every lease that this adapter read, and every login it made. What fails ends by itself later."""
        ...


class Locator(Protocol):
    """An adapter that reads files."""

    def paths(self, reference: Reference) -> Sequence[str]:
        """Return the absolute paths of the files and folders that ``reference`` is read from."""
        ...
