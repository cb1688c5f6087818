"""For the tests of programs that use confsvc, and of adapters.

``MemoryAdapter`` is a store with fault switches, ``AdapterContract`` what every adapter must pass, ``canary`` finds a
value where it must not be. Importing them imports pytest; confsvc itself never does.

With pytest, the fixtures ``confsvc_memory`` and ``confsvc_settings`` are there as soon as confsvc is installed.
"""

from confsvc.testing.canary import find_leaks, make_canary
from confsvc.testing.contract import AdapterContract
from confsvc.testing.memory import MemoryAdapter, MemoryStore

__all__ = ["AdapterContract", "MemoryAdapter", "MemoryStore", "find_leaks", "make_canary"]
