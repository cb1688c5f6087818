"""What the library promises: its public names, and what they take.

More may be added. A name that goes, and a parameter that goes, moves or gets another default, break somebody's program.
`python tests/unit/test_public_surface.py > tests/unit/public_surface.txt` writes all of it down anew.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MODULES = ("confsvc", "confsvc.fields", "confsvc.pydantic_settings", "confsvc.testing")
MADE_HERE = {f"confsvc.{name}" for name in ("Change", "Live", "Origin", "Resolution", "Value")}
EXPECTED = Path(__file__).parent / "public_surface.txt"


def surface() -> Iterator[str]:
    """Yield a line for every public name, and for every public member of the classes among them."""
    for module in MODULES:
        found = importlib.import_module(module)
        for name in found.__all__:
            yield from described(f"{module}.{name}", getattr(found, name))


def described(name: str, found: Any) -> Iterator[str]:
    yield name if name in MADE_HERE else f"{name}{taken(found)}"
    if isinstance(found, type):
        for member in sorted(members(found)):
            yield f"{name}.{member}{taken(inspect.getattr_static(found, member, None))}"


def members(kind: type) -> set[str]:
    """Return the public names that confsvc's own classes give it; of an error only what its bases do not have."""
    own = [base for base in kind.__mro__ if base.__module__.startswith("confsvc")]
    shared = own[1:] if issubclass(kind, Exception) else []
    names = {name for base in own for name in (*vars(base), *getattr(base, "__annotations__", {}))}
    theirs = {name for base in shared for name in vars(base)}
    return {name for name in names - theirs if not name.startswith("_")}


def taken(found: Any) -> str:
    """Return what a function or a class takes; of anything else nothing is said here."""
    if isinstance(found, classmethod | staticmethod):
        found = found.__func__
    if not (inspect.isfunction(found) or isinstance(found, type)):
        return ""
    try:
        parameters = inspect.signature(found).parameters.values()
    except ValueError:  # a class without a constructor of its own
        return ""
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return str(inspect.Signature([one for one in plain if one.name != "self"]))


def parts(line: str) -> tuple[str, list[str]]:
    name, _, parameters = line.partition("(")
    return name, parameters.removesuffix(")").split(", ") if parameters.removesuffix(")") else []


@pytest.mark.parametrize("line", EXPECTED.read_text().splitlines())
def test_what_was_promised_is_kept(line: str) -> None:
    name, promised = parts(line)
    assert name in FOUND
    kept = [parameter for parameter in FOUND[name] if parameter in promised]
    assert kept == promised
    added = [one for one in FOUND[name] if one not in promised]
    assert [one for one in added if "=" not in one and not one.startswith("*")] == []


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_documented(module: str) -> None:
    found = importlib.import_module(module)
    plain = {
        "confsvc.__version__",
        *(f"confsvc.fields.{name}" for name in ("Email", "Host", "Port", "SecretUrl", "Url")),
    }
    names = [name for name in found.__all__ if f"{module}.{name}" not in plain]
    assert [name for name in names if not inspect.getdoc(getattr(found, name))] == []
    assert found.__all__ == sorted(found.__all__)


FOUND = dict(map(parts, surface()))

if __name__ == "__main__":
    sys.stdout.write("\n".join(surface()) + "\n")
