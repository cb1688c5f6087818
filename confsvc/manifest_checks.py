"""What a manifest means must make sense as a whole, in every environment, before anything is fetched."""

from collections.abc import Iterator, Mapping

from confsvc import registry
from confsvc._suggest import did_you_mean
from confsvc.errors import BadReferenceError, ManifestError
from confsvc.manifest import Environment, KeyPath, Manifest
from confsvc.manifest_schema import check
from confsvc.reference import Reference, check_remote_path, is_reference, parse_reference
from confsvc.schema import UNSET, check_schema
from confsvc.template import Fill, fill_placeholders, parse_template
from confsvc.types import parse_duration

__all__ = ["check_manifest", "looks_unresolved", "read_reference"]

Finding = tuple[KeyPath, str]

# These never stand in a manifest as they are: it is committed.
_CREDENTIALS = frozenset({"password", "secret_id", "token"})


def check_manifest(manifest: Manifest) -> Iterator[Finding]:
    """Yield (where, what) for everything that is wrong with ``manifest``."""
    if manifest.schema is not None and manifest.schema_target:
        yield ("schema",), "`schema` and `[settings]` say the same thing twice: keep one of them"
    yield from _check_settings(manifest)
    age = manifest.cache_max_age
    if age and not _is_above_zero(age):
        yield ("cache", "max_age"), "`max_age` is not a duration above zero (`30m`, `12h`, `7d`)"
    default = manifest.default_environment
    if default and default not in manifest.environments:
        near = did_you_mean(default, manifest.environments)
        yield ("default_environment",), f"unknown environment `{default}`{near}"
    yield from _check_extends(manifest)
    seen: set[Finding] = set()
    for name in manifest.environments or ("",):
        for finding in _check_environment(manifest, manifest.environment(name)):
            if finding not in seen:  # what is inherited is wrong once
                seen.add(finding)
                yield finding


def _is_above_zero(text: str) -> bool:
    found = parse_duration(text)
    return found is not None and found.total_seconds() > 0


def _check_settings(manifest: Manifest) -> Iterator[Finding]:
    if manifest.schema is None:
        return
    for invalid in check_schema(manifest.schema):
        yield ("settings", invalid.name, "default"), invalid.message
    for name, setting in manifest.schema.settings.items():
        if setting.default is not UNSET and looks_unresolved(setting.default, manifest.environment("").backends):
            yield ("settings", name, "default"), _unresolved(name)


def _check_extends(manifest: Manifest) -> Iterator[Finding]:
    names = manifest.environments
    for name in names:
        parent = manifest.extends(name)
        path = ("environments", name, "extends")
        if parent and parent not in names:
            yield path, f"`{name}` extends the unknown environment `{parent}`{did_you_mean(parent, names)}"
        lineage = list(manifest.lineage(name))
        if lineage and manifest.extends(lineage[-1]) == name:
            yield path, "`extends` goes round in a circle: " + " → ".join(f"`{n}`" for n in [*lineage, name])


def _check_environment(manifest: Manifest, environment: Environment) -> Iterator[Finding]:
    yield from _check_backends(manifest, environment)
    for source in environment.sources:
        _, message = read_reference(manifest, environment, source.reference)
        if message:
            yield source.path, message
    for name, entries in environment.values.items():
        settings = manifest.schema.settings if manifest.schema else None
        if settings is not None and name not in settings:
            yield entries[0].path, f"no setting is called `{name}`{did_you_mean(name, settings)}"
        for entry in entries:
            for message in _check_value(manifest, environment, name, entry.value):
                yield entry.path, message
    yield from _check_cycles(environment)


def _check_value(manifest: Manifest, environment: Environment, name: str, value: object) -> Iterator[str]:
    if isinstance(value, list | dict) and "${" in str(value):
        yield f"`{name}`: `${{…}}` is filled in text only; write the list or table as one string of JSON"
    if not str(value).startswith("${") and looks_unresolved(value, environment.backends):
        yield _unresolved(name)
    if not isinstance(value, str):
        return
    try:
        parts = parse_template(value)
    except BadReferenceError as error:
        yield f"`{name}`: {error.message}{f' ({error.hint})' if error.hint else ''}"
        return
    for part in parts:
        if not isinstance(part, Fill):
            continue
        if part.is_reference:
            _, message = read_reference(manifest, environment, part.target)
            if message:
                yield f"`{name}`: {message}"
        elif not _is_name(manifest, environment, part.target):
            known = manifest.schema.settings if manifest.schema else environment.values
            yield f"`{name}`: `${{{part.target}}}` names no setting{did_you_mean(part.target, known)}"


def _is_name(manifest: Manifest, environment: Environment, name: str) -> bool:
    if manifest.schema is not None:
        return name in manifest.schema.settings
    return bool(manifest.schema_target) or name in environment.values


def read_reference(manifest: Manifest, environment: Environment, text: str) -> tuple[Reference | None, str]:
    """Read a reference as written in ``environment``. Returns it and an empty string, or None and what is wrong."""
    try:
        filled = fill_placeholders(text, project=manifest.project, environment=environment.name)
        reference = parse_reference(filled)
    except BadReferenceError as error:
        return None, f"bad reference `{text}`: {error.message}{f' ({error.hint})' if error.hint else ''}"
    message = _check_reference(reference, environment)
    return (None, f"bad reference `{text}`: {message}") if message else (reference, "")


def _check_reference(reference: Reference, environment: Environment) -> str:
    backend = environment.backends.get(reference.scheme)
    adapter = str((backend or {}).get("adapter", reference.scheme))
    if backend is None and not registry.is_known(adapter):
        near = did_you_mean(adapter, [*environment.backends, *registry.known_adapters()])
        return f"no backend or adapter is called `{reference.scheme}`{near}"
    try:
        found = registry.adapter_class(adapter)
    except ManifestError as error:
        return error.message
    for name, _ in reference.parameters:
        if name not in found.parameters:
            return f"`{adapter}` references take no parameter `{name}`{did_you_mean(name, found.parameters)}"
    return "" if found.local else check_remote_path(reference)


def _check_backends(manifest: Manifest, environment: Environment) -> Iterator[Finding]:
    for name, options in environment.backends.items():
        path = _backend_path(manifest, environment, name)
        adapter = str(options.get("adapter", name))
        literal = list(_literal_credentials(options))
        for key in literal:
            yield (*path, *key), f"`{key[-1]}` cannot stand in the manifest: write {{ env = … }} or {{ file = … }}"
        if not registry.is_known(adapter):
            near = did_you_mean(adapter, registry.known_adapters())
            yield path, f"backend `{name}`: no adapter is called `{adapter}`{near}"
            continue
        own = {key: value for key, value in options.items() if key != "adapter"}
        schema = {"properties": registry.adapter_class(adapter).options, "additionalProperties": False}
        for key, message in check(own, schema):
            if key not in literal:
                yield (*path, *key), f"backend `{name}`: {message}"


def _backend_path(manifest: Manifest, environment: Environment, name: str) -> KeyPath:
    """Where the backend is written: the nearest environment that adjusts it, else the manifest's own table."""
    own = ("environments", environment.name, "backends", name)
    return own if manifest.has(own) else ("backends", name)


def _literal_credentials(options: Mapping[str, object], path: KeyPath = ()) -> Iterator[KeyPath]:
    for key, value in options.items():
        if key in _CREDENTIALS and isinstance(value, str):
            yield (*path, key)
        elif isinstance(value, Mapping):
            yield from _literal_credentials(value, (*path, key))


def _check_cycles(environment: Environment) -> Iterator[Finding]:
    needs = {name: _names_in(entries[0].value) for name, entries in environment.values.items()}
    for name, entries in environment.values.items():
        trail = _cycle(name, needs)
        if trail:
            yield entries[0].path, "values need each other: " + " → ".join(f"`{step}`" for step in trail)


def _names_in(value: object) -> list[str]:
    if not isinstance(value, str):
        return []
    try:
        parts = parse_template(value)
    except BadReferenceError:  # told elsewhere
        return []
    return [part.target for part in parts if isinstance(part, Fill) and not part.is_reference]


def _cycle(start: str, needs: Mapping[str, list[str]]) -> list[str]:
    """Return the way from ``start`` back to itself, or nothing."""
    trails = [[start]]
    seen: set[str] = set()
    while trails:
        trail = trails.pop()
        for name in needs.get(trail[-1], ()):
            if name == start:
                return [*trail, start]
            if name not in seen:
                seen.add(name)
                trails.append([*trail, name])
    return []


def looks_unresolved(value: object, backends: Mapping[str, object]) -> bool:
    """Tell whether a literal is a reference that nobody resolves: a process must not start with it as its value.

    A file URL is an ordinary value. In what is no template, ``${…}`` is not filled in by anybody.
    """
    text = value if isinstance(value, str) else ""
    is_bare = not (text.startswith("${") and text.endswith("}"))
    text = text if is_bare else text[2:-1]
    if not is_reference(text):
        return False
    scheme = text.partition("://")[0].removeprefix("ref+")  # as vals writes it
    known = scheme in backends or scheme in registry.BUILTIN
    return known and not (is_bare and scheme == "file")


def _unresolved(name: str) -> str:
    return f"`{name}` is a reference where a value is meant; write it as `${{…}}` in an environment's `values`"
