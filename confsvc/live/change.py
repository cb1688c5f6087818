"""What a program is told when its settings have changed."""

from typing import Generic, TypeVar

__all__ = ["Change"]

T = TypeVar("T")


class Change(Generic[T]):
    """One swap of a set of settings for another: the ``names`` whose values differ, and both sets.

    ``names`` are those of the settings, as in the manifest (``DATABASE_URL``).
    """

    __slots__ = ("names", "previous", "settings")

    def __init__(self, names: tuple[str, ...], settings: T, previous: T) -> None:
        self.names = names
        self.settings = settings
        self.previous = previous

    def touches(self, names: frozenset[str]) -> bool:
        """Whether one of ``names`` is among those that changed. No names stand for all."""
        return not names or not names.isdisjoint(self.names)

    def followed_by(self, later: "Change[T]") -> "Change[T]":
        """Return both as one, for whoever has not seen the first yet."""
        return Change(tuple(dict.fromkeys([*self.names, *later.names])), later.settings, self.previous)

    def __repr__(self) -> str:
        return f"Change({', '.join(self.names)})"
