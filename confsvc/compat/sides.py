"""What is compared: a file, a revision, or a model, and the settings it declares."""

import os
import re
import tempfile
from collections.abc import Callable
from typing import NamedTuple

from confsvc.compat.declared import Declared, declared_of, from_data
from confsvc.compat.git import Revision, export, find_revision, path_in_repository, read_blob, root_of
from confsvc.discovery import FILE
from confsvc.errors import ManifestError
from confsvc.loading import load_manifest, parse_manifest
from confsvc.manifest import Manifest
from confsvc.schema import Schema

__all__ = ["Side", "read_side"]

_MODEL = r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*"


class Side(NamedTuple):
    """One of the two. ``manifest`` is None for a model alone.

    ``schema`` is None where the model is code of another revision, which only another process imports; ``revision`` and
    ``path`` say which, then.
    """

    label: str
    settings: dict[str, Declared]
    manifest: Manifest | None = None
    schema: Schema | None = None
    revision: Revision | None = None
    path: str = ""


def read_side(text: str, find: Callable[[], Manifest]) -> Side:
    """Return what ``text`` names. ``find`` is asked for the manifest of here, where only that tells what is meant.

    Raises:
        ManifestError: it names nothing, or what it names is wrong, or declares no settings.

    """
    file = os.path.join(text, FILE) if os.path.isdir(text) else text
    if os.path.exists(file):
        return _of_manifest(text, load_manifest(file))
    name, colon, path = text.partition(":")
    if colon and re.fullmatch(_MODEL, text) and not path.endswith(".toml"):
        return _of_model(text)
    around = _folder() if colon else find().directory
    revision = find_revision(name, around)
    path = path if colon else path_in_repository(find().file)
    folder = os.path.join(root_of(around), os.path.dirname(path))
    label = f"{name}:{path}"
    found = parse_manifest(read_blob(revision, path), label, folder)
    if found.schema_target:
        return _of_old_code(label, found, revision, path)
    return _of_manifest(label, found)


def _folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        reason = "the working folder is gone"
    raise ManifestError(reason)


def _of_manifest(label: str, manifest: Manifest) -> Side:
    schema: Schema | None = manifest.schema
    if manifest.schema_target:
        from confsvc.models import import_schema

        schema = import_schema(manifest.schema_target, manifest.directory)
    if schema is None:
        raise ManifestError(
            f"`{label}` declares no settings, so there is nothing to compare",
            hint='write a [settings] table, or `schema = "package.module:Name"`',
        )
    return Side(label, declared_of(schema, manifest), manifest, schema)


def _of_model(target: str) -> Side:
    from confsvc.models import import_schema

    schema = import_schema(target, _folder())
    return Side(target, declared_of(schema), None, schema)


def _of_old_code(label: str, manifest: Manifest, revision: Revision, path: str) -> Side:
    """Import a model as it was, in a process of its own: a module of that name may be loaded here."""
    from confsvc.compat.elsewhere import settings_elsewhere

    with tempfile.TemporaryDirectory(prefix="confsvc-") as folder:
        inner = os.path.join(export(revision, folder), os.path.dirname(path))
        data = settings_elsewhere(manifest.schema_target, inner, label)
    return Side(label, from_data(data, manifest), manifest, None, revision, path)
