"""Adapters: found by name, imported only then, and told apart when two want the same name."""

import subprocess
import sys
from pathlib import Path

import pytest

from confsvc import registry
from confsvc.errors import ManifestError
from confsvc.testing import MemoryAdapter


def install(site: Path, distribution: str, name: str, target: str, code: str = "") -> None:
    """Put a distribution with one adapter into `site`, as pip would."""
    info = site / f"{distribution.replace('-', '_')}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[confsvc.adapters]\n{name} = {target}\n")
    if code:
        (site / f"{target.partition(':')[0]}.py").write_text(code)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that distributions are found in."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_an_adapter_of_another_distribution_is_found(site: Path) -> None:
    install(site, "acme-one", "acme-one", "acme_one_adapter:Acme", "class Acme:\n    pass\n")
    assert "acme-one" in registry.known_adapters()
    assert registry.is_known("acme-one")
    assert "acme_one_adapter" not in sys.modules
    assert registry.adapter_class("acme-one").__name__ == "Acme"


def test_two_distributions_with_one_name_are_both_told(site: Path) -> None:
    install(site, "acme-left", "acme", "acme_left:Acme")
    install(site, "acme-right", "acme", "acme_right:Acme")
    with pytest.raises(ManifestError, match=r"the adapter `acme` is claimed by `acme-left` and `acme-right`"):
        registry.adapter_class("acme")


def test_ours_cannot_be_taken_over(site: Path) -> None:
    install(site, "evil", "dotenv", "evil_dotenv:Evil", "raise RuntimeError\n")
    assert registry.adapter_class("dotenv").__module__ == "confsvc_local.dotenv"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "there is no module `acme_broken`"),
        ("import acme_sdk_of_nobody\n", "there is no module `acme_sdk_of_nobody`"),
        ("from os import nothing_like_it\n", "its import fails"),
        ("x = 1\n", "`acme_broken` has no `Acme`"),
    ],
)
def test_one_that_cannot_be_imported_is_told(
    site: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    monkeypatch.delitem(sys.modules, "acme_broken", raising=False)
    install(site, "acme-broken", "broken", "acme_broken:Acme", code)
    with pytest.raises(ManifestError) as caught:
        registry.adapter_class("broken")
    assert caught.value.message == f"the adapter `broken` cannot be used: {reason}"
    assert caught.value.__context__ is None


def test_what_is_registered_wins_until_it_is_not() -> None:
    registry.register("file", MemoryAdapter)
    try:
        assert registry.adapter_class("file") is MemoryAdapter
    finally:
        registry.unregister("file")
    assert registry.adapter_class("file") is not MemoryAdapter
    registry.unregister("never-there")


def test_names_are_sorted_and_asking_for_them_imports_nothing() -> None:
    code = (
        "import sys; from confsvc import registry; names = registry.known_adapters()\n"
        "assert names == sorted(set(names)) and 'dotenv' in names, names\n"
        "assert registry.is_known('gcp-sm') and not registry.is_known('gcp')\n"
        "print([name for name in sys.modules if name.startswith('confsvc_')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
