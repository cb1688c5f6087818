"""For the tests of programs that use confsvc, and of adapters.

``MemoryAdapter`` is a store with fault switches, ``AdapterContract`` what every adapter must pass, ``find_leaks`` finds
a value where it must not be. Each is imported when it is first used, and only the contract needs pytest.

With pytest, the fixtures ``confsvc_memory`` and ``confsvc_settings`` are there as soon as confsvc is installed. Where
plugins are not loaded by themselves, name it: ``-p confsvc.testing.plugin``, or say
``pytest.register_assert_rewrite("confsvc.testing")`` before the contract is imported, so that its assertions tell what
they compared.
"""

# The plugin lies in this package and is loaded in every run of pytest: nothing else may be imported for it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from confsvc.testing.canary import encodings_of, find_leaks, make_canary
    from confsvc.testing.contract import AdapterContract
    from confsvc.testing.memory import MemoryAdapter, MemoryStore

__all__ = ["AdapterContract", "MemoryAdapter", "MemoryStore", "encodings_of", "find_leaks", "make_canary"]

_MODULES = {
    "AdapterContract": "contract",
    "MemoryAdapter": "memory",
    "MemoryStore": "memory",
    "encodings_of": "canary",
    "find_leaks": "canary",
    "make_canary": "canary",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name not in _MODULES:
        message = f"module 'confsvc.testing' has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    value: object = getattr(import_module(f"confsvc.testing.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
