"""A module of a package, without the package: the same module, and nothing left behind."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with packages: one that is heavy, one whose submodule needs it, one that is a single module."""
    for name, init, inner in (
        ("heavy", "loaded = True\nfrom heavy import inner\n", "value = 1\n"),
        ("needy", "helper = 2\n", "from needy import helper\nvalue = helper\n"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(init)
        (tmp_path / name / "inner.py").write_text(inner)
    (tmp_path / "single.py").write_text("value = 3\n")
    return tmp_path


def run(site: Path, code: str) -> str:
    """Run code that finds the packages of `site`."""
    head = f"import sys; sys.path.insert(0, {str(site)!r})\nfrom confsvc._light import import_submodule\n"
    done = subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_is_not_run(site: Path) -> None:
    code = "(inner,) = import_submodule('heavy', 'inner')\nprint(inner.__name__, inner.value, 'heavy' in sys.modules)\n"
    assert run(site, code) == "heavy.inner 1 False\n"


def test_whoever_imports_the_package_later_gets_the_real_one(site: Path) -> None:
    code = "(inner,) = import_submodule('heavy', 'inner')\nimport heavy\nprint(heavy.loaded, heavy.inner is inner)\n"
    assert run(site, code) == "True True\n"


def test_a_package_that_is_there_already_is_used(site: Path) -> None:
    code = "import heavy\n(inner,) = import_submodule('heavy', 'inner')\nprint(heavy.inner is inner)\n"
    assert run(site, code) == "True\n"


def test_a_submodule_that_needs_its_package_gets_it(site: Path) -> None:
    code = "(inner,) = import_submodule('needy', 'inner')\nprint(inner.value, sys.modules['needy'].helper)\n"
    assert run(site, code) == "2 2\n"


@pytest.mark.parametrize("package", ["single", "absent", "heavy"])
def test_what_is_not_there_is_the_ordinary_error(site: Path, package: str) -> None:
    code = (
        f"try:\n    import_submodule({package!r}, 'nope')\n"
        "except ModuleNotFoundError as error:\n    print(error.name)\n"
    )
    assert run(site, code) == ("absent\n" if package == "absent" else f"{package}.nope\n")
