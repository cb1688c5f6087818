"""The pytest plugin. It is loaded in every run where confsvc is installed, so it imports what a fixture needs there."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from confsvc.testing.memory import MemoryStore

__all__ = ["confsvc_memory", "confsvc_settings"]

# Here and not in a hook: a conftest.py may import the contract before the first hook is called.
pytest.register_assert_rewrite("confsvc.testing.contract")


@pytest.fixture
def confsvc_memory() -> Iterator["MemoryStore"]:
    """A fresh, empty store, which ``memory://`` references read in this test."""
    from confsvc import registry
    from confsvc.testing.memory import MemoryAdapter, MemoryStore

    MemoryAdapter.store = MemoryStore()
    registry.register("memory", MemoryAdapter)
    yield MemoryAdapter.store
    registry.unregister("memory")


@pytest.fixture
def confsvc_settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that decides settings for this test: ``confsvc_settings(PORT="80")``.

    They are set in the process environment, which lies above every source and value of the manifest.
    """

    def decide(**settings: str) -> None:
        for name, text in settings.items():
            monkeypatch.setenv(name, text)

    return decide
