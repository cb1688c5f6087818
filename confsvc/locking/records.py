"""What a lock says. Nothing of it is a value, or made of one."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

__all__ = ["FILE", "FORMAT", "STATES", "Lock", "LockedEnvironment", "LockedSetting", "Read"]

FILE = "confsvc.lock"
FORMAT = 1

# Why a read has no version that could be read again.
STATES = {
    "absent": "it was not there",
    "leased": "it is made anew at each read",
    "parts": "its fields have versions of their own, which the settings say",
    "unpinned": "its store keeps no earlier versions",
}


class Read(NamedTuple):
    """One thing that is read. ``reference`` is what the manifest has, with its placeholders filled in.

    ``version`` is the store's name of the version, ``part`` the field that has it where each field has its own.
    ``state`` is empty where exactly this version can be read again, else one of `STATES`.
    """

    reference: str
    version: str = ""
    state: str = ""
    part: str = ""

    @property
    def document(self) -> str:
        """The reference without its fragment."""
        return self.reference.partition("#")[0]


class LockedSetting(NamedTuple):
    """From where a setting comes.

    ``layer`` is that of its origin, empty where nothing has it. ``reads`` are what its ``values`` refer to, in order;
    where ``layer`` is ``source``, the last is that source.
    """

    layer: str = ""
    reads: tuple[Read, ...] = ()

    @property
    def value_references(self) -> tuple[str, ...]:
        """What its ``values`` refer to, each once."""
        reads = self.reads[:-1] if self.layer == "source" else self.reads
        return tuple(dict.fromkeys(read.reference for read in reads))


class LockedEnvironment(NamedTuple):
    """One environment: its sources, low to high, and every setting by name."""

    sources: tuple[Read, ...] = ()
    settings: Mapping[str, LockedSetting] = {}

    def reads(self) -> Iterator[tuple[str, Read]]:
        """Yield everything that is read with the setting it is for; sources have none."""
        for read in self.sources:
            yield "", read
        for name, setting in self.settings.items():
            for read in setting.reads:
                yield name, read


class Lock(NamedTuple):
    """A lock file: its environments by name."""

    file: str
    project: str
    environments: Mapping[str, LockedEnvironment]
