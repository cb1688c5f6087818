"""The pytest plugin. It is loaded in every run where confsvc is installed, so it imports what a fixture needs there.

A test that reaches a real backend fails: one over the network, of an adapter that is installed and not registered for
the test. ``confsvc_real_backends``, in pytest's configuration or as a mark, names those that may be reached.
"""

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

import confsvc

if TYPE_CHECKING:
    from confsvc.adapter import Adapter, Backend
    from confsvc.testing.memory import MemoryStore

__all__ = ["confsvc_memory", "confsvc_settings"]

_REAL = "confsvc_real_backends"

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
    MemoryAdapter.store.close()


@pytest.fixture
def confsvc_settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that decides settings for this test: ``confsvc_settings(PORT=80, DEBUG=True, NAME=None)``.

    They are set in the process environment, which lies above every source and value of the manifest; what is no text
    as JSON has it. None takes a variable out of it.
    """

    def decide(**settings: object) -> None:
        from confsvc._json import to_text

        for name, value in settings.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, to_text(value))

    return decide


class _Guard:
    """Refuses the backends that a test may not reach, and remembers it: an application may swallow the error."""

    def __init__(self, allowed: list[str]) -> None:
        self._allowed = frozenset(allowed)
        self.item: pytest.Item | None = None
        self.refused: list[str] = []

    def __call__(self, backend: "Backend", adapter: type["Adapter"]) -> None:
        from confsvc import registry

        if adapter.local or registry.is_registered(backend.adapter) or self._is_allowed(backend):
            return
        self.refused.append(_refusal(backend.name))
        if threading.current_thread() is threading.main_thread():
            pytest.fail(self.refused[-1], pytrace=False)
        raise confsvc.UsageError(self.refused[-1])  # the test itself fails when it is over

    def _is_allowed(self, backend: "Backend") -> bool:
        allowed = self._allowed
        for mark in self.item.iter_markers(_REAL) if self.item else ():
            allowed = allowed.union(mark.args or [backend.name])
        return not allowed.isdisjoint((backend.name, backend.adapter))


def _refusal(name: str) -> str:
    return (
        f"this test would reach the backend `{name}` for real; decide its settings with `confsvc_settings`, let "
        f"`confsvc_memory` stand in for its adapter, or allow it: @pytest.mark.{_REAL}({name!r})"
    )


_GUARD = pytest.StashKey[_Guard]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for pytest's configuration."""
    parser.addini(_REAL, "backends, or adapters, that tests may reach over the network", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Refuse real backends from now on, also while modules are imported for their tests."""
    config.addinivalue_line("markers", f"{_REAL}(*names): the test may reach these backends, or all, over the network")
    config.stash[_GUARD] = confsvc._guard = _Guard(config.getini(_REAL))  # noqa: SLF001 - it is there for this


def pytest_unconfigure() -> None:
    """Refuse nothing any more."""
    confsvc._guard = None  # noqa: SLF001


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Know whose test it is that asks."""
    guard = item.config.stash[_GUARD]
    guard.item, guard.refused = item, []
    result = yield
    guard.item = None
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that has tried, and was told no where nobody has heard it."""
    result = yield
    refused = item.config.stash[_GUARD].refused
    if refused:
        pytest.fail(refused[0], pytrace=False)
    return result
