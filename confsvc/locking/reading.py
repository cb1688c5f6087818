"""Reading a lock. People edit it and merges mix it up, so all of it is checked."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from confsvc.discovery import display, read_limited
from confsvc.errors import LockError, Problem
from confsvc.locking.records import FORMAT, STATES, Lock, LockedEnvironment, LockedSetting, Read
from confsvc.manifest_schema import NAME, check

__all__ = ["read_lock"]

_LIMIT = 32 * 1024 * 1024
_LAYERS = ["source", "values", "default", "environment"]
_AGAIN = "`confsvc lock -e ENV` writes what is there now"
_MEND = f"mend it, or remove it and lock again: {_AGAIN}"

_READ: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["reference"],
    "properties": {
        "reference": {"type": "string", "pattern": "^[a-z][a-z0-9+.-]*://[!-~]*$"},
        "version": {"type": "string", "pattern": "^[!-~]{1,256}$"},
        "state": {"enum": list(STATES)},
        "part": {"type": "string", "pattern": "^[^\x00-\x1f\x7f]+$"},
    },
}
_READS = {"type": "array", "items": _READ}
_SETTING = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"layer": {"enum": _LAYERS}, "reads": _READS},
}
_ENVIRONMENT = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"sources": _READS, "settings": {"type": "object", "patternProperties": {"": _SETTING}}},
}
_LOCK: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "format": {"type": "integer"},
        "project": {"type": "string"},
        "environments": {
            "type": "object",
            "patternProperties": {NAME: _ENVIRONMENT},
            "additionalProperties": False,
        },
    },
}

_Finding = tuple[tuple[str, ...], str]


def read_lock(file: str, project: str) -> Lock:
    """Read and check the lock ``file``, which is to be one of ``project``.

    Raises:
        LockError: there is none, it is wrong, of another project, or of a format that is not known here.

    """
    if not os.path.lexists(file):
        raise LockError(f"there is no lock `{display(file)}`", hint=_AGAIN)
    text = read_limited(file, _LIMIT)
    data = _parse(file, text)
    _check_kind(file, data, project)
    problems = list(check(data, _LOCK)) or list(_check_reads(data))
    if problems:
        _refuse(file, text, problems)
    environments = {name: _environment(table) for name, table in data.get("environments", {}).items()}
    return Lock(file, data.get("project", ""), environments)


def _parse(file: str, text: str) -> dict[str, Any]:
    import tomllib

    reason, hint = "", _MEND
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = f"is not TOML: {str(error)[:1].lower()}{str(error)[1:]}"
    except (RecursionError, ValueError):
        reason = "is not TOML that could be a lock"
    if "\n<<<<<<<" in f"\n{text}":
        reason, hint = "holds the conflict markers of a merge", f"take either side; then {_AGAIN}"
    raise LockError(f"`{display(file)}` {reason}", hint=hint)


def _check_kind(file: str, data: Mapping[str, Any], project: str) -> None:
    """Check what decides whether the rest can be understood at all."""
    form = data.get("format")
    if not isinstance(form, int) or isinstance(form, bool) or form < 1:
        raise LockError(f"`{display(file)}` is no lock: it says no `format`", hint=_MEND)
    if form > FORMAT:
        raise LockError(
            f"`{display(file)}` has format {form}, and this version of confsvc knows {FORMAT} at most",
            hint="use the version of confsvc that wrote it, or a newer one",
        )
    named = data.get("project", "")
    if isinstance(named, str) and named != project:
        theirs, ours = (f"the project `{name}`" if name else "no project" for name in (named, project))
        raise LockError(f"`{display(file)}` is a lock of {theirs}, and the manifest is of {ours}")


def _check_reads(data: Mapping[str, Any]) -> Iterator[_Finding]:
    """Yield what no single entry shows: a version that is missing or too much, or two of the same document."""
    for name, environment in data.get("environments", {}).items():
        seen: dict[tuple[str, str], object] = {}
        for path, read in _entries(environment, ("environments", name)):
            state, version = read.get("state", ""), read.get("version", "")
            if not state and not version:
                yield path, "a read without a `state` needs its `version`"
            if version and state == "absent":
                yield path, "what was absent has no `version`"
            if state == "parts":
                continue
            key = (read["reference"].partition("#")[0], read.get("part", ""))
            if seen.setdefault(key, (state, version)) != (state, version):
                yield path, f"`{key[0]}` is locked to two versions"


def _entries(
    environment: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for read in environment.get("sources", ()):
        yield (*path, "sources"), read
    for name, setting in environment.get("settings", {}).items():
        for read in setting.get("reads", ()):
            yield (*path, "settings", name), read


def _refuse(file: str, text: str, problems: list[_Finding]) -> NoReturn:
    from confsvc._toml_lines import line_of

    found = []
    for path, message in problems:
        line = line_of(text, path)
        place = f"{display(file)}:{line}" if line else display(file)
        found.append(Problem("lock", message, place=place, exit_status=78))
    count = "a problem" if len(found) == 1 else f"{len(found)} problems"
    raise LockError(f"{count} in the lock", found, hint=_MEND)


def _environment(table: Mapping[str, Any]) -> LockedEnvironment:
    sources = tuple(Read(**read) for read in table.get("sources", ()))
    settings = {
        name: LockedSetting(setting.get("layer", ""), tuple(Read(**read) for read in setting.get("reads", ())))
        for name, setting in table.get("settings", {}).items()
    }
    return LockedEnvironment(sources, settings)
