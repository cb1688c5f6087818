"""Importing the schema that a manifest names: ``package.module:Name``."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

from confsvc._suggest import did_you_mean
from confsvc.errors import ManifestError
from confsvc.models.running import raised_at

__all__ = ["import_model"]


def import_model(target: str, directory: str) -> Any:
    """Return what ``target`` names; ``directory`` is looked in before everything else.

    Raises:
        ManifestError: there is no such module or name, or importing it failed.

    """
    name, _, attribute = target.partition(":")
    if not name or not attribute:
        raise ManifestError(f"a schema is written `package.module:Name`, not `{target}`")
    _check_shadow(name.partition(".")[0], directory)
    found: Any = _import(name, directory)
    for part in attribute.split("."):
        if not hasattr(found, part):
            near = did_you_mean(part, (known for known in vars(found) if not known.startswith("_")))
            raise ManifestError(f"schema `{target}`: `{name}` has no `{part}`{near}")
        found = getattr(found, part)
    return found


def _check_shadow(package: str, directory: str) -> None:
    """Refuse a module of the folder whose name another, loaded one has: that one would be taken for it, silently."""
    loaded = sys.modules.get(package)
    spec = PathFinder.find_spec(package, [directory]) if loaded is not None else None
    ours = os.path.realpath(spec.origin) if spec is not None and spec.origin else ""
    theirs = os.path.realpath(getattr(loaded, "__file__", None) or "")
    if ours and ours != theirs:
        raise ManifestError(
            f"schema: another module called `{package}` is loaded already", hint="give yours another name"
        )


def _import(name: str, directory: str) -> ModuleType:
    """Import a module of the user's. What it raises is told by type and place only: its text could hold anything."""
    reason, hint = "", ""
    sys.path.insert(0, directory)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            reason = f"there is no module `{name}`{did_you_mean(name, _modules(directory))}"
        else:
            reason = f"importing `{name}` failed with {raised_at(error)}"
    except Exception as error:  # noqa: BLE001 - a user's module can raise what it wants, and its text may hold a value
        reason = f"importing `{name}` failed with {raised_at(error)}"
        if type(error).__name__ == "ValidationError":
            hint = "a module that makes its settings when it is imported needs the values that confsvc has yet to read"
    finally:
        # What the module imports later is still found, but nothing in the folder is taken for what we import.
        sys.path.remove(directory)
        if directory not in sys.path:
            sys.path.append(directory)
    raise ManifestError(f"schema: {reason}", hint=hint)


def _modules(directory: str) -> Iterator[str]:
    """Yield the names of the modules and packages in ``directory``, and of those one level down."""
    for entry in os.scandir(directory):
        if entry.name.endswith(".py"):
            yield entry.name.removesuffix(".py")
        elif entry.is_dir() and entry.name.isidentifier():
            yield entry.name
            inner = (each.name for each in os.scandir(entry.path) if each.name.endswith(".py"))
            yield from (f"{entry.name}.{name.removesuffix('.py')}" for name in inner if name != "__init__.py")
