"""A value that cannot leak by accident."""

from typing import Generic, NoReturn, TypeVar

__all__ = ["Secret"]

T_co = TypeVar("T_co", covariant=True)

_MASK = "<secret>"


class Secret(Generic[T_co]):
    """A wrapper around one value, which only ``reveal()`` gives back.

    It is not a ``str`` on purpose: what is a ``str`` is printed, joined, logged and serialised by code that never
    asked what it holds. It has no ``__dict__``, refuses pickling, and prints a mask of fixed length everywhere.
    """

    __slots__ = ("__value",)

    def __init__(self, value: T_co) -> None:
        self.__value = value

    def reveal(self) -> T_co:
        """Return the value itself. Every call is a place to look at in a security review."""
        return self.__value

    def __repr__(self) -> str:
        return _MASK

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return _MASK

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        from hmac import compare_digest  # hashlib is a third of a bare start-up, and few compare secrets

        mine, theirs = self.__value, other.reveal()
        if isinstance(mine, str) and isinstance(theirs, str):
            # surrogateescape text from a process environment has no plain UTF-8 form
            return compare_digest(mine.encode(errors="surrogatepass"), theirs.encode(errors="surrogatepass"))
        if isinstance(mine, bytes) and isinstance(theirs, bytes):
            return compare_digest(mine, theirs)
        return bool(mine == theirs)

    # A hash would tell equal values apart from different ones to anyone who can print it.
    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> "Secret[T_co]":
        return self

    def __deepcopy__(self, _memo: object) -> "Secret[T_co]":
        return self

    def __reduce__(self) -> NoReturn:
        message = "a secret is not pickled; call reveal() where its value is needed"
        raise TypeError(message)
