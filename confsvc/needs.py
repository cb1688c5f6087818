"""What an adapter says of a read before it is made: the calls it takes, the permissions, and what is paid for.

Nothing is asked for this: it follows from the references and the backend's table alone.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from confsvc.errors import AdapterError
from confsvc.reference import Reference

__all__ = ["Calls", "Forecaster", "Needs", "Permission"]


class Calls(NamedTuple):
    """Calls of one kind that one start makes.

    ``what`` is in the words of the API: a method and a path, or an operation's name. ``documents`` is how many are read
    by all of them together, zero for calls that read none. With ``more`` there are at least ``number``: how many, only
    the store knows. ``price`` names the line of the price table that each is paid by, empty where none is.
    """

    what: str
    number: int = 1
    documents: int = 0
    more: str = ""
    price: str = ""


class Permission(NamedTuple):
    """What has to be granted, ready to be pasted. ``language`` is ``hcl``, ``json`` or ``sh``; ``text`` ends a line."""

    title: str
    language: str
    text: str


class Needs(NamedTuple):
    """What reading takes. ``calls`` are in the order made.

    ``permissions`` has first what the reader needs, then what somebody else does, such as who takes a role. ``kept`` is
    how many things the store is paid to keep, by the line of the price table. ``notes`` are for people. ``errors`` are
    references that can never be read, with the reason.
    """

    calls: tuple[Calls, ...] = ()
    permissions: tuple[Permission, ...] = ()
    kept: Mapping[str, int] = MappingProxyType({})
    notes: tuple[str, ...] = ()
    errors: Mapping[Reference, AdapterError] = MappingProxyType({})


class Forecaster(Protocol):
    """An adapter that can tell what reading takes."""

    def needs(self, references: Sequence[Reference]) -> Needs:
        """Return what it takes to read the documents ``references`` name, with a new adapter. Makes no call.

        Raises:
            ManifestError: the backend's table cannot be used.

        """
        ...
