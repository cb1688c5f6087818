"""Importing one module of a package without running the package.

`pydantic_core/__init__.py` builds typed descriptions of every schema, and `dotenv/__init__.py` brings logging, tempfile
and pathlib: together more than a whole start of confsvc, and nothing of it is used when a command is wrapped. Their
submodules do not need it either. Where anything about this fails, the ordinary import is used, so the only thing that
depends on it is speed.
"""

import sys
from importlib import import_module
from types import ModuleType

__all__ = ["import_submodule"]


def import_submodule(package: str, *names: str) -> list[ModuleType]:
    """Return the modules ``package.name`` for each of ``names``, without importing ``package`` itself if possible."""
    if package not in sys.modules and (path := _package_path(package)):
        bare = ModuleType(package)
        bare.__path__ = [path]
        sys.modules[package] = bare
        try:
            return [import_module(f"{package}.{name}") for name in names]
        except ImportError:
            for name in names:
                sys.modules.pop(f"{package}.{name}", None)
        finally:
            # Whoever imports the package later gets the real one.
            sys.modules.pop(package, None)
    return [import_module(f"{package}.{name}") for name in names]


def _package_path(package: str) -> str:
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(package)
    locations = spec.submodule_search_locations if spec else None
    return next(iter(locations), "") if locations else ""
