"""The manifest: read, overlaid, checked whole, and then immutable."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from confsvc._suggest import did_you_mean
from confsvc.discovery import display
from confsvc.errors import UnknownEnvironmentError, UsageError
from confsvc.schema import TableSchema

__all__ = ["Environment", "KeyPath", "Manifest", "SourceEntry", "Text", "ValueEntry", "manifest_of_sources"]

KeyPath = tuple[str, ...]


class SourceEntry(NamedTuple):
    """One source as written, ``{project}`` and ``{environment}`` not yet filled in."""

    reference: str
    optional: bool
    inject_extra: bool
    path: KeyPath


class ValueEntry(NamedTuple):
    """One value as written."""

    value: object
    path: KeyPath


class Environment(NamedTuple):
    """An environment with everything it inherits.

    ``sources`` are low to high; ``values`` are, for each name, the highest first; ``backends`` are merged key by key.
    """

    name: str
    sources: tuple[SourceEntry, ...] = ()
    values: Mapping[str, tuple[ValueEntry, ...]] = {}
    backends: Mapping[str, Mapping[str, object]] = {}


class Manifest:
    """A checked manifest. ``file`` is absolute, empty where there is none; ``schema`` is None for no schema at all."""

    __slots__ = ("_data", "_texts", "directory", "file", "schema", "schema_target")

    def __init__(self, data: Mapping[str, Any], *, file: str, directory: str, texts: Mapping[str, "Text"]) -> None:
        self._data = data
        self._texts = texts
        self.file = file
        self.directory = directory
        self.schema_target: str = data.get("schema", "")
        self.schema: TableSchema | None = None

    @property
    def data(self) -> Mapping[str, Any]:
        """What is written, the overlay merged in."""
        return self._data

    @property
    def project(self) -> str:
        """The project's name, or an empty string."""
        return str(self._data.get("project", ""))

    @property
    def environments(self) -> tuple[str, ...]:
        """The names of the environments, as written."""
        return tuple(self._data.get("environments", {}))

    @property
    def default_environment(self) -> str:
        """The name that the manifest says is the default, or an empty string."""
        return str(self._data.get("default_environment", ""))

    @property
    def cache(self) -> bool | None:
        """Whether the last good settings are to be kept; None where the manifest leaves that open."""
        written = self._data.get("cache")
        return written if written is None else written is not False

    @property
    def cache_max_age(self) -> str:
        """How old they may be, as written; empty where that is not said."""
        written = self._data.get("cache")
        return str(written.get("max_age", "")) if isinstance(written, dict) else ""

    def canonical(self) -> str:
        """Return everything the manifest says, but for how it is kept: another text where it says something else."""
        from json import dumps

        return dumps({k: v for k, v in self._data.items() if k != "cache"}, sort_keys=True, default=str)

    def place(self, path: KeyPath) -> str:
        """Return ``file:line`` of a key, as near as can be told; the file alone where nothing is near."""
        file, line = self.locate(path)
        return f"{display(file)}:{line}" if line else display(file) if file else ""

    def locate(self, path: KeyPath) -> tuple[str, int]:
        """Return the file a key is written in, and its line, 0 where it cannot be told. The overlay is on top."""
        from confsvc._toml_lines import line_of

        holding = [text for text in self._texts.values() if _holds(text.data, path)] or list(self._texts.values())[:1]
        return (holding[-1].file, line_of(holding[-1].text, (*holding[-1].prefix, *path))) if holding else ("", 0)

    def choose(self, name: str) -> str:
        """Return the environment to use when ``name`` was asked for; empty where the manifest has none.

        Raises:
            UnknownEnvironmentError: there is none of that name.
            UsageError: none was asked for, and there are several.

        """
        names = self.environments
        if name:
            if name not in names:
                near = did_you_mean(name, names)
                known = "the manifest has " + (", ".join(f"`{n}`" for n in names) or "no environments")
                raise UnknownEnvironmentError(f"unknown environment `{name}`{near}", hint=known)
            return name
        if self.default_environment:
            return self.default_environment
        if len(names) > 1:
            raise UsageError("which environment?", hint="-e NAME, one of: " + ", ".join(names))
        return names[0] if names else ""

    def environment(self, name: str) -> Environment:
        """Return the environment ``name`` with everything it inherits; ``name`` may be empty where there is none."""
        sources: list[SourceEntry] = []
        values: dict[str, tuple[ValueEntry, ...]] = {}
        backends = {key: dict(table) for key, table in self._data.get("backends", {}).items()}
        for ancestor in reversed(list(self.lineage(name))):
            path = ("environments", ancestor)
            table = self._data["environments"][ancestor]
            sources += self._sources(table.get("sources", ()), (*path, "sources"))
            for key, value in table.get("values", {}).items():
                entry = ValueEntry(value, (*path, "values", key))
                values[key] = (entry, *values.get(key, ()))
            for key, changes in table.get("backends", {}).items():
                backends.setdefault(key, {}).update(changes)
        return Environment(name, tuple(sources), values, backends)

    def lineage(self, name: str) -> Iterator[str]:
        """Yield ``name``, then what it extends, and so on. Ends at a cycle, which the checks refuse."""
        seen: set[str] = set()
        while name not in seen and name in self.environments:
            yield name
            seen.add(name)
            name = self._data["environments"][name].get("extends", "")

    def extends(self, name: str) -> str:
        """Return what ``name`` says it extends, or an empty string."""
        return str(self._data["environments"][name].get("extends", ""))

    def has(self, path: KeyPath) -> bool:
        """Tell whether the key ``path`` is written in the manifest."""
        return _holds(self._data, path)

    def credential_names(self, name: str) -> frozenset[str]:
        """Return the environment variables that backends of the environment ``name`` read credentials from."""
        return frozenset(_environment_names(self.environment(name).backends))

    def _sources(self, entries: list[Any], path: KeyPath) -> Iterator[SourceEntry]:
        default = self._data.get("extra", "ignore")
        for number, entry in enumerate(entries):
            table: dict[str, Any] = {"from": entry} if isinstance(entry, str) else entry
            yield SourceEntry(
                table["from"],
                table.get("optional", False),
                table.get("extra", default) == "inject",
                (*path, str(number)),
            )


class Text(NamedTuple):
    """One file that the manifest was read from; ``prefix`` is where our keys begin in it."""

    file: str
    text: str
    data: Mapping[str, Any]
    prefix: KeyPath


def manifest_of_sources(references: list[str], directory: str) -> Manifest:
    """Return a manifest that is nothing but sources, from ``--source``; paths are relative to ``directory``."""
    data = {"environments": {"": {"sources": references}}} if references else {}
    return Manifest(data, file="", directory=directory, texts={})


def _environment_names(options: Mapping[str, Any]) -> Iterator[str]:
    """Yield NAME of every ``{ env = "NAME" }``."""
    for value in options.values():
        if isinstance(value, dict):
            if set(value) == {"env"}:
                yield str(value["env"])
            yield from _environment_names(value)


def _holds(data: object, path: KeyPath) -> bool:
    for key in path:
        if isinstance(data, list) and key.isdecimal() and int(key) < len(data):
            data = data[int(key)]
        elif isinstance(data, dict) and key in data:
            data = data[key]
        else:
            return False
    return True
