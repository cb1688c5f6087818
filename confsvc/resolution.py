"""What came of a resolution: every setting with its value and its origin. Immutable."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from confsvc.secret import Secret

if TYPE_CHECKING:
    from confsvc.adapter import Lease

__all__ = ["Origin", "Resolution", "Value"]


class Origin(NamedTuple):
    """Where a value came from.

    ``layer`` is one of ``default``, ``source``, ``values``, ``environment`` (the process's) and ``set``. ``reference``
    and ``version`` are empty where there is none. ``read_at`` is in seconds since the epoch, None if nothing was read;
    ``made_at``, in the same, is when the version was made, None if its store does not say. ``cached`` says that it was
    not read now, but kept since then, as its store does not answer.
    ``place`` is the file and line of a value in the manifest, known where `explain` asked for it.
    """

    layer: str
    reference: str = ""
    version: str = ""
    read_at: float | None = None
    place: str = ""
    lease: "Lease | None" = None
    made_at: float | None = None
    cached: bool = False

    def __str__(self) -> str:
        names = {"environment": "process environment", "set": "--set"}
        label = names.get(self.layer, self.layer)
        where = f"{label} {self.reference}" if self.reference else label
        notes = ", ".join([f"version {self.version}"] * bool(self.version) + ["from the cache"] * self.cached)
        return f"{where} ({notes})" if notes else where


class Value:
    """One setting's value. ``shadowed`` are lower layers that have it too, known where all of them were read.

    ``value`` is typed by the schema, inside a ``Secret`` when the setting is one. ``text`` is what an environment
    variable gets, ``data`` what a file gets; both reveal.
    """

    __slots__ = ("_data", "_text", "_value", "kind", "name", "origin", "secret", "shadowed")

    def __init__(  # noqa: PLR0913 - a record
        self,
        name: str,
        *,
        text: str,
        value: object,
        origin: Origin,
        secret: bool,
        data: bytes | None = None,
        shadowed: tuple[Origin, ...] = (),
        kind: str = "str",
    ) -> None:
        self.name = name
        self.origin = origin
        self.secret = secret
        self.shadowed = shadowed
        self.kind = kind
        self._text = Secret(text)
        self._data = Secret(data)
        self._value = Secret(value)

    @property
    def value(self) -> object:
        """The typed value; a ``Secret`` around it when ``secret``."""
        return self._value if self.secret else self._value.reveal()

    @property
    def text(self) -> str:
        """The value as text, as an environment variable gets it."""
        return self._text.reveal()

    @property
    def data(self) -> bytes:
        """The value's exact bytes, as a file gets them."""
        data = self._data.reveal()
        return self.text.encode(errors="surrogateescape") if data is None else data

    def reveal(self) -> object:
        """The typed value, secret or not."""
        return self._value.reveal()

    def __repr__(self) -> str:
        return f"Value({self.name!r}, secret={self.secret}, origin={str(self.origin)!r})"


class Resolution(Mapping[str, Value]):
    """The settings of one environment, by name, in the manifest's order. ``warnings`` holds no value."""

    __slots__ = ("_values", "environment", "manifest", "project", "undeclared", "warnings")

    def __init__(
        self,
        values: Mapping[str, Value],
        *,
        environment: str = "",
        project: str = "",
        manifest: str = "",
        warnings: tuple[str, ...] = (),
        undeclared: int = 0,
    ) -> None:
        self._values = dict(values)
        self.environment = environment
        self.project = project
        self.manifest = manifest
        self.warnings = warnings
        self.undeclared = undeclared

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Resolution({self.environment!r}, settings={list(self._values)})"

    @property
    def cached_at(self) -> float | None:
        """When what came from the cache was read from its store, in seconds since the epoch; None where all is new."""
        origins = [value.origin for value in self._values.values()]
        return min((o.read_at for o in origins if o.cached and o.read_at is not None), default=None)

    def warning(self, *lines: str) -> "Resolution":
        """Return the same resolution with ``lines``, which hold no value, among its warnings."""
        return Resolution(
            self._values,
            environment=self.environment,
            project=self.project,
            manifest=self.manifest,
            warnings=(*self.warnings, *lines),
            undeclared=self.undeclared,
        )

    def environ(self) -> dict[str, str]:
        """Return every setting as the text of an environment variable."""
        return {name: value.text for name, value in self._values.items()}
