"""From what a user names, on the command line or in Python, to a request that can be resolved."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from confsvc.discovery import find_manifest
from confsvc.errors import ManifestError, UsageError
from confsvc.inject.environment import parent_environment
from confsvc.loading import load_manifest
from confsvc.manifest import Manifest, manifest_of_sources
from confsvc.resolver import TIMEOUT, Request
from confsvc.schema import Schema

if TYPE_CHECKING:
    from confsvc.locking import Lock

__all__ = ["find_and_load", "make_request"]

_SWITCH = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("", "0", "false", "no", "off"), False)


def find_and_load(file: str = "") -> Manifest:
    """Return the manifest ``file``; else the one CONFSVC_FILE names; else the one found by searching upward.

    Raises:
        ManifestError: there is none, or it is wrong.

    """
    file = file or os.environ.get("CONFSVC_FILE", "") or find_manifest(_working_folder(), os.environ)
    if not file:
        raise ManifestError(
            "no confsvc.toml here or above, and no [tool.confsvc] in a pyproject.toml",
            hint="`confsvc init` writes one; `--source dotenv://.env` needs none",
        )
    return load_manifest(file)


def make_request(  # noqa: PLR0913 - one argument for each thing a user can say
    *,
    environment: str = "",
    file: str = "",
    sources: Iterable[str] = (),
    schema: Schema | str | None = None,
    given: Mapping[str, str] | None = None,
    only: Iterable[str] = (),
    override: bool = False,
    timeout: float = TIMEOUT,
    read_all: bool = False,
    by: str = "",
    locked: bool | str = False,
    offline: bool = False,
    cache: bool = True,
) -> Request:
    """Find and load what is named. ``schema`` is one, or ``package.module:Name``; else the manifest's own.

    ``locked`` has exactly the versions read that the lock beside the manifest, or in the file it names, has.
    ``offline`` is also what CONFSVC_OFFLINE says.

    Raises:
        ManifestError: the manifest, the schema, or the lock cannot be had.
        UsageError: ``sources`` and ``file`` exclude each other, or CONFSVC_OFFLINE is neither true nor false.

    """
    references = list(sources)
    if references and file:
        raise UsageError("sources and a manifest's file exclude each other: a source needs no manifest")
    offline = offline or _is_offline(os.environ.get("CONFSVC_OFFLINE", ""))
    if offline and not cache:
        raise UsageError("offline and without the cache nothing could be read: one of the two")
    manifest = manifest_of_sources(references, _working_folder()) if references else find_and_load(file)
    target = schema if schema is not None else manifest.schema_target
    if isinstance(target, str):
        schema = _import(target, manifest.directory) if target else None
    if not references:
        environment = environment or os.environ.get("CONFSVC_ENV", "")
    return Request(
        manifest,
        "" if references else environment,
        schema if not isinstance(schema, str) else None,
        given=given or {},
        only=frozenset(only),
        override=override,
        timeout=timeout,
        environ=parent_environment(),
        read_all=read_all,
        by=by,
        lock=_lock(locked, manifest) if locked else None,
        offline=offline,
        cache=cache,
    )


def _lock(locked: bool | str, manifest: Manifest) -> "Lock":
    from confsvc.locking import FILE, read_lock

    if not manifest.file:
        raise UsageError("a lock belongs to a manifest, and sources alone have none")
    file = locked if isinstance(locked, str) else os.path.join(manifest.directory, FILE)
    return read_lock(file, manifest.project)


def _is_offline(text: str) -> bool:
    if text.lower() not in _SWITCH:
        raise UsageError("CONFSVC_OFFLINE is neither true nor false", hint="CONFSVC_OFFLINE=1, or unset it")
    return _SWITCH[text.lower()]


def _working_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        reason = "the working folder is gone"
    raise ManifestError(reason, hint="cd to another one, or name the manifest by its full path with -f")


def _import(target: str, directory: str) -> Schema:
    from confsvc.models import import_schema

    return import_schema(target, directory)
