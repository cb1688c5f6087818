"""Looking after what is kept: seeing it, removing it, and giving it another key."""

from collections.abc import Callable, Mapping
from json import loads
from typing import NamedTuple

from confsvc.cache.identity import SUFFIX
from confsvc.cache.keys import GivenKeys, Key, key_sources, read_key_file
from confsvc.cache.places import Folder, cache_path
from confsvc.cache.refusal import Refusal
from confsvc.cache.sealing import Header, Sealed, parse, seal
from confsvc.cache.store import open_with
from confsvc.discovery import display
from confsvc.errors import CacheError, UsageError

__all__ = ["Item", "Rekeyed", "items", "key_place", "purge", "rekey"]

_PATIENCE = 10.0  # seconds for whoever is writing
_USABLE = "usable"


class Item(NamedTuple):
    """One file of the cache. No field of it holds a value.

    ``state`` is ``usable`` or the reason why it is not, which ``message`` says to people. The rest is empty where it
    cannot be read. ``read_at`` is in seconds since the epoch, ``age`` in seconds.
    """

    file: str
    state: str
    message: str = ""
    project: str = ""
    environment: str = ""
    read_at: float | None = None
    age: float | None = None
    documents: int = 0

    @property
    def is_usable(self) -> bool:
        """Whether it can stand in."""
        return self.state == _USABLE


class Rekeyed(NamedTuple):
    """How many files have another key now, and which could not be opened and stay as they are."""

    done: int
    left: tuple[str, ...]


def key_place(environ: Mapping[str, str]) -> str:
    """Return where the key is that files are written with, as people are told. Raises CacheError for a bad one."""
    source = key_sources(environ)[0]
    source.current(make=False)
    return source.place


def items(environ: Mapping[str, str], limit: float) -> list[Item]:
    """Return what is kept, where ``limit`` is how old it may be, in seconds.

    Raises:
        CacheError: the folder or the key cannot be used.

    """
    folder = Folder.open(cache_path(environ))
    if folder is None:
        return []
    sources = key_sources(environ)
    with folder:
        found = [name for name in folder.names() if name.endswith(SUFFIX)]
        return [_item(folder, name, limit, lambda data: open_with(sources, data)) for name in found]


def purge(environ: Mapping[str, str], is_meant: Callable[[str, str], bool] | None = None) -> int:
    """Remove what is kept, or only that whose project and environment ``is_meant``. Returns how many files that were.

    Raises:
        CacheError: it cannot be removed.

    """
    folder = Folder.open(cache_path(environ))
    if folder is None:
        return 0
    with folder:
        _lock(folder)
        folder.sweep()
        doomed = [name for name in folder.names() if SUFFIX in name and _is_meant(folder, name, is_meant)]
        for name in doomed:
            folder.remove(name)
    return len(doomed)


def rekey(environ: Mapping[str, str], old_key_file: str = "") -> Rekeyed:
    """Seal everything anew: with a key that is made for that, or what ``old_key_file`` opens with the present key.

    Until all is done both keys open what they sealed, so it may end at any moment, and go on the next time.

    Raises:
        CacheError: a key cannot be used, or a file not be written.
        UsageError: the key is not ours to make.

    """
    sources = key_sources(environ)
    if not old_key_file and isinstance(sources[0], GivenKeys):
        raise UsageError(
            "the key is the file that CONFSVC_CACHE_KEY_FILE names, and is made by whoever puts it there",
            hint="put another one there, and name the one before it with --old-key-file",
        )
    keys = [key for source in sources for find in (source.current, source.following) if (key := find(make=False))]
    keys += [read_key_file(old_key_file)] if old_key_file else []
    fresh = sources[0].current(make=True) if old_key_file else sources[0].following(make=True)
    folder = Folder.open(cache_path(environ), make=True)
    if folder is None or fresh is None:
        raise CacheError("the cache's folder or key is gone", reason="folder")
    with folder:
        _lock(folder)
        folder.sweep()
        names = [name for name in folder.names() if name.endswith(SUFFIX)]
        left = tuple(name for name in names if not _sealed_anew(folder, name, [*keys, fresh], fresh))
        if not old_key_file:
            sources[0].advance()
    return Rekeyed(len(names) - len(left), left)


def _lock(folder: Folder) -> None:
    if not folder.lock(_PATIENCE):
        raise CacheError(f"somebody else is writing in `{display(folder.path)}`", reason="busy")


def _item(
    folder: Folder, name: str, limit: float, open_file: Callable[[bytes], tuple[Header, bytes] | Refusal]
) -> Item:
    refusal: Refusal | None = None
    data: bytes | None = None
    try:
        data = folder.read(name)
    except CacheError as error:
        refusal = Refusal(error.code.partition(".")[2], error.message)
    parsed = parse(data or b"") if refusal is None else refusal
    if isinstance(parsed, Refusal):
        return Item(name, parsed.reason, parsed.message)
    header = parsed.header
    opened = open_file(data or b"")
    age = header.moment.age()
    found = Item(name, _USABLE, "", header.project, header.environment, header.wall, age)
    if isinstance(opened, Refusal):
        return found._replace(state=opened.reason, message=opened.message)
    found = found._replace(documents=len(loads(opened[1])))
    if age is None:
        return found._replace(state="clock", message="it is from the future: a clock was set back")
    return found if age <= limit else found._replace(state="too_old", message="it is older than it may be")


def _is_meant(folder: Folder, name: str, is_meant: Callable[[str, str], bool] | None) -> bool:
    if is_meant is None:
        return True
    header = _header(folder, name)
    return header is not None and is_meant(header.project, header.environment)


def _header(folder: Folder, name: str) -> Header | None:
    sealed = _sealed(folder, name)
    return sealed.header if sealed else None


def _sealed(folder: Folder, name: str) -> Sealed | None:
    try:
        found = parse(folder.read(name) or b"")
    except CacheError:  # not a file of ours
        return None
    return found if isinstance(found, Sealed) else None


def _sealed_anew(folder: Folder, name: str, keys: list[Key], fresh: Key) -> bool:
    """Seal a file with the key ``fresh``. Returns whether one of ``keys`` opens it."""
    sealed = _sealed(folder, name)
    key = next((key for key in keys if sealed and key.id == sealed.header.key), None)
    body = sealed.open(key) if sealed and key else None
    if sealed is None or body is None:
        return False
    folder.write(name, seal(sealed.header, body, fresh))
    return True
