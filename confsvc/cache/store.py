"""Reading what was kept for a plan, and keeping what was read for it."""

from collections.abc import Mapping
from json import dumps, loads
from typing import Any, NamedTuple

from confsvc.adapter import Document
from confsvc.cache.identity import Identity
from confsvc.cache.keys import Key, KeySource, key_sources
from confsvc.cache.moments import Moment, age_text
from confsvc.cache.places import Folder, cache_path
from confsvc.cache.refusal import Refusal
from confsvc.cache.sealing import Header, Sealed, parse, seal
from confsvc.cache.wanted import ALL, is_local, keeps_names, prune, wanted_of
from confsvc.carrying import pack, unpack
from confsvc.errors import CacheError, ConfsvcError, NotFound
from confsvc.fetching import Fetched
from confsvc.plan import Plan
from confsvc.reference import Reference

__all__ = ["Kept", "Store", "open_with"]

_ABSENT, _FLEETING = "absent", "fleeting"
_PATIENCE = 0.25  # seconds for others who write: of a thousand that start together, one is enough
_BAD = ".bad"  # behind the name of what was damaged, for whoever wants to look at it


class Kept(NamedTuple):
    """What the stores said last, when all was well.

    ``documents`` has a document, or a NotFound where the store had none. What has a lease is not among them.
    """

    documents: Mapping[Reference, Document | NotFound]
    moment: Moment
    age: float


class Store:
    """The file that belongs to one identity. ``writes`` counts how often it was written here."""

    def __init__(self, identity: Identity, environ: Mapping[str, str]) -> None:
        self._identity = identity
        self._environ = environ
        self._sources: list[KeySource] | None = None
        self.writes = 0

    def read(self, plan: Plan, limit: float) -> Kept | Refusal:
        """Return what is kept for ``plan`` if it is at most ``limit`` seconds old, or why it does not help."""
        try:
            with Folder.open(cache_path(self._environ)) or _NoFolder() as folder:
                data = folder.read(self._identity.file)
                return self._unsealed(data, plan, limit, folder) if data is not None else _nothing()
        except CacheError as error:
            reason, message, hint = error.code.partition(".")[2], error.message, error.hint
        return Refusal(reason, message, hint)

    def write(self, plan: Plan, fetched: Fetched, moment: Moment, *, yields: float = 0.0) -> str:
        """Keep what was ``fetched`` for ``plan``, as the stores had it at ``moment``. Returns why that failed.

        What holds more than that and is at most ``yields`` seconds old is left alone.
        """
        failure = ""
        try:
            body = _body(plan, fetched)
            if body is None:
                return ""
            with Folder.open(cache_path(self._environ), make=True) or _NoFolder() as folder:
                if not folder.lock(_PATIENCE) or (yields and self._is_wider(folder, plan, yields)):
                    return ""
                folder.sweep()
                key = self._keys()[0].current(make=True)
                if key is not None:
                    folder.write(self._identity.file, seal(self._header(moment), body, key))
                    self.writes += 1
        except CacheError as error:
            failure = error.message + (f" ({error.hint})" if error.hint else "")
        return failure

    def _header(self, moment: Moment) -> Header:
        return Header(*self._identity, *moment, key="", salt="", nonce="")

    def _keys(self) -> list[KeySource]:
        if self._sources is None:
            self._sources = key_sources(self._environ)
        return self._sources

    def _unsealed(self, data: bytes, plan: Plan, limit: float, folder: Folder) -> Kept | Refusal:
        opened = open_with(self._keys(), data)
        if isinstance(opened, Refusal):
            if opened.reason == "corrupt":
                _set_aside(folder, self._identity.file)
            return opened
        header, body = opened
        difference = self._identity.difference(header.identity)
        if difference:
            return Refusal("foreign", f"it is of {difference}")
        age = header.moment.age()
        if age is None:
            return Refusal("clock", "it is from the future: a clock was set back")
        if age > limit:
            return Refusal("too_old", f"it is {age_text(age)} old, and {age_text(limit)} is the limit")
        try:
            return _kept(plan, loads(body), header, age)
        except (ValueError, TypeError):  # an adapter gave what JSON can hold, and not give back
            return Refusal("corrupt", "it holds what cannot be read again")

    def _is_wider(self, folder: Folder, plan: Plan, limit: float) -> bool:
        """Tell whether what is kept can be used, and has documents, or parts of some, that ``plan`` does not read."""
        data = folder.read(self._identity.file)
        opened = open_with(self._keys(), data) if data is not None else _nothing()
        age = None if isinstance(opened, Refusal) else opened[0].moment.age()
        if isinstance(opened, Refusal) or age is None or age > limit:
            return False
        wanted = {str(reference): parts for reference, parts in wanted_of(plan).items()}
        held = {name: frozenset(parts) for name, (parts, _) in loads(opened[1]).items()}
        return not all(_covers(wanted.get(name, frozenset()), parts) for name, parts in held.items())


class _NoFolder:
    """A folder that is not there: nothing is in it."""

    def __enter__(self) -> Folder:
        raise CacheError("nothing is kept yet", reason="missing")

    def __exit__(self, *_error: object) -> None:
        """Nothing is open."""


def open_with(sources: list[KeySource], data: bytes) -> tuple[Header, bytes] | Refusal:
    """Open a file with the key that it names. Returns its header and what is inside, or why it cannot be opened.

    Raises:
        CacheError: the key that files are written with cannot be used.

    """
    sealed = parse(data)
    if isinstance(sealed, Refusal):
        return sealed
    key = _key_of(sealed, sources)
    if key is None:
        return Refusal("undecryptable", "it was sealed with another key", "confsvc cache rekey --old-key-file FILE")
    body = sealed.open(key)
    return (sealed.header, body) if body is not None else Refusal("corrupt", "it is damaged, or was changed")


def _key_of(sealed: Sealed, sources: list[KeySource]) -> Key | None:
    for source in sources:
        for find in (source.current, source.following):
            key = find(make=False)
            if key is not None and key.id == sealed.header.key:
                return key
    return None


def _body(plan: Plan, fetched: Fetched) -> bytes | None:
    """Return what is to be kept, as JSON; None where there is nothing, or where it would not be whole."""
    wanted = wanted_of(plan)
    packed = {reference: _packed(plan, reference, fetched[reference], wanted[reference]) for reference in fetched}
    if None in packed.values() or not any(isinstance(one, list) for one in packed.values()):
        return None
    return dumps({str(reference): [sorted(wanted[reference]), one] for reference, one in packed.items()}).encode()


def _packed(
    plan: Plan, reference: Reference, outcome: Document | ConfsvcError, wanted: frozenset[str]
) -> list[object] | str | None:
    """Return what is kept of one outcome, None where it is none that can be kept."""
    if isinstance(outcome, NotFound):
        return _ABSENT
    if not isinstance(outcome, Document):
        return None
    if outcome.lease is not None or outcome.fleeting:
        return _FLEETING
    return pack(prune(outcome, wanted, verbatim=keeps_names(plan, reference)))


def _kept(plan: Plan, body: dict[str, Any], header: Header, age: float) -> Kept | Refusal:
    documents: dict[Reference, Document | NotFound] = {}
    for reference, wanted in wanted_of(plan).items():
        if is_local(plan, reference):
            continue
        parts, packed = body.get(str(reference), (None, None))
        if parts is None or not _covers(frozenset(parts), wanted):
            if plan.read_all:  # whoever looks at every layer can do without some
                continue
            return Refusal("incomplete", f"`{reference}` was not read when it was written")
        if packed == _ABSENT:
            documents[reference] = NotFound(f"`{reference.path}` was not there")
        elif packed != _FLEETING:
            documents[reference] = unpack(packed, kept_since=header.wall)
    return Kept(documents, header.moment, age)


def _covers(have: frozenset[str], want: frozenset[str]) -> bool:
    return ALL in have or want <= have


def _set_aside(folder: Folder, name: str) -> None:
    try:
        folder.rename(name, name + _BAD)
    except CacheError:  # a folder that cannot be written: it stays, and is refused again
        return


def _nothing() -> Refusal:
    return Refusal("missing", "nothing is kept yet")
