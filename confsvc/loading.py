"""Loading a manifest: reading it, laying the overlay over it, and checking all of it before anybody sees it."""

import os
from collections.abc import Mapping
from typing import Any

from confsvc.discovery import OVERLAY, PYPROJECT, check_owner, display, read_limited
from confsvc.errors import ManifestError, Problem
from confsvc.manifest import KeyPath, Manifest, Text
from confsvc.manifest_checks import check_manifest
from confsvc.manifest_schema import MANIFEST, check
from confsvc.schema import TableSchema
from confsvc.setting import Setting, read_setting

__all__ = ["load_manifest", "parse_manifest"]


def load_manifest(file: str) -> Manifest:
    """Read the manifest ``file`` with its overlay, and check all of it.

    Raises:
        ManifestError: anything is wrong with it; its problems name every place.

    """
    file = os.path.abspath(file)
    directory = os.path.dirname(file)
    texts = {"base": _read(file)}
    data = dict(texts["base"].data)
    overlay = os.path.join(directory, OVERLAY)
    if os.path.exists(overlay):
        check_owner(overlay, trusted=os.stat(file).st_uid)
        texts["overlay"] = _read(overlay)
        data = _merge(data, texts["overlay"].data)
    return _checked(Manifest(data, file=file, directory=directory, texts=texts), texts)


def parse_manifest(text: str, name: str, directory: str) -> Manifest:
    """Read a manifest that is no file here, such as one of another revision: ``name`` is what messages call it.

    There is no overlay. Paths are relative to ``directory``.

    Raises:
        ManifestError: anything is wrong with it.

    """
    found = _text(name, text)
    return _checked(Manifest(found.data, file=name, directory=directory, texts={"base": found}), {"base": found})


def _checked(manifest: Manifest, texts: Mapping[str, Text]) -> Manifest:
    """Return ``manifest`` with its schema, once all of it was checked."""
    data = manifest.data
    problems = [(path, message) for text in texts.values() for path, message in check(text.data, MANIFEST)]
    settings = _read_settings(data.get("settings"), problems)
    _raise(manifest, problems)
    if "settings" in data:
        manifest.schema = TableSchema(settings)
    _raise(manifest, list(check_manifest(manifest)))
    return manifest


def _read_settings(tables: object, problems: list[tuple[KeyPath, str]]) -> list[Setting]:
    """Read ``[settings]`` as far as it has the right structure; what is wrong is added to ``problems``."""
    settings = []
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict) and isinstance(table.get("type", ""), str):
            setting, wrong = read_setting(name, table)
            settings.append(setting)
            problems += [(("settings", name, key), message) for key, message in wrong]
    return settings


def _raise(manifest: Manifest, problems: list[tuple[KeyPath, str]]) -> None:
    if not problems:
        return
    ordered = sorted(problems, key=lambda problem: manifest.locate(problem[0]))
    found = [Problem("manifest", message, place=manifest.place(path), exit_status=78) for path, message in ordered]
    count = "a problem" if len(found) == 1 else f"{len(found)} problems"
    raise ManifestError(f"{count} in the manifest", found)


def _read(file: str) -> Text:
    return _text(file, read_limited(file))


def _text(file: str, text: str) -> Text:
    import tomllib

    reason = ""
    data: Any = {}
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
    except RecursionError:
        reason = "nested too deeply"
    except ValueError:  # Python's own limit, which tomllib does not catch
        reason = "an integer has too many digits"
    if reason:
        raise ManifestError(f"`{display(file)}` is not TOML: {_lower(reason)}")
    prefix = ("tool", "confsvc") if os.path.basename(file).rpartition(":")[2] == PYPROJECT else ()
    for key in prefix:
        data = data.get(key) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        raise ManifestError(f"`{display(file)}` has no table [tool.confsvc]")
    return Text(file, text, data, prefix)


def _lower(reason: str) -> str:
    return reason[:1].lower() + reason[1:]


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge key by key; arrays and ``auth`` are replaced whole."""
    merged = dict(base)
    for key, value in changes.items():
        mine = merged.get(key)
        both = isinstance(mine, dict) and isinstance(value, dict) and key != "auth"
        merged[key] = _merge(mine, value) if both else value  # type: ignore[arg-type]
    return merged
