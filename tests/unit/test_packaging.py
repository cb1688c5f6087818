"""What the wheel holds, the registry knows and pyproject.toml says is the same thing."""

import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from confsvc import __version__, registry

ROOT = Path(__file__).parents[2]
with (ROOT / "pyproject.toml").open("rb") as stream:
    PYPROJECT: dict[str, Any] = tomllib.load(stream)
PACKAGES = sorted(path.parent for path in (ROOT / "adapters").glob("*/__init__.py"))


def test_every_adapter_package_is_in_the_wheel_and_typed() -> None:
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(wheel) == sorted(["confsvc", *(f"adapters/{path.name}" for path in PACKAGES)])
    for path in (ROOT / "confsvc", *PACKAGES):
        assert (path / "py.typed").exists()


def test_only_our_own_names_reach_site_packages() -> None:
    toplevel = PYPROJECT["tool"]["check-wheel-contents"]["toplevel"]
    assert sorted(toplevel) == sorted(["confsvc", *(path.name for path in PACKAGES)])
    assert all(path.name.startswith("confsvc_") for path in PACKAGES)


def test_the_registry_knows_what_the_entry_points_say() -> None:
    assert PYPROJECT["project"]["entry-points"][registry.GROUP] == registry.BUILTIN


@pytest.mark.parametrize("name", registry.BUILTIN)
def test_every_entry_point_is_an_adapter(name: str) -> None:
    found = registry.adapter_class(name)
    assert callable(found.fetch)


def test_there_is_an_extra_for_every_backend() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert {"vault", "aws", "gcp", "all"} <= extras.keys()


def test_the_linters_know_every_package() -> None:
    linter = PYPROJECT["tool"]["importlinter"]
    names = {path.name for path in PACKAGES}
    assert set(linter["root_packages"]) == {"confsvc", *names}
    contracts = {contract["name"]: contract for contract in linter["contracts"]}
    assert set(contracts["the core imports no adapter"]["forbidden_modules"]) == names
    assert set(contracts["adapters do not know each other"]["modules"]) == names
    about_adapters = [contract for name, contract in contracts.items() if name.startswith("an adapter ")]
    assert [set(contract["source_modules"]) for contract in about_adapters] == [names, names]
    assert names <= PYPROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"].keys()


def test_the_version_is_said_once() -> None:
    assert import_module("confsvc._version").__version__ == __version__
    assert "version" in PYPROJECT["project"]["dynamic"]


def test_no_python_file_is_long() -> None:
    files = [*(ROOT / "confsvc").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]
    assert [path.name for path in files if len(path.read_text().splitlines()) > 400] == []
