"""Locks: which version of what each setting was read from, so that exactly that can be read again."""

from confsvc.locking.reading import read_lock
from confsvc.locking.records import FILE, Lock, LockedEnvironment, LockedSetting, Read

__all__ = ["FILE", "Lock", "LockedEnvironment", "LockedSetting", "Read", "read_lock"]
