"""The text of a lock: the same for the same state, one line for each setting, in an order that merges well."""

import re
from collections.abc import Iterator

from confsvc.errors import LockError
from confsvc.locking.records import FORMAT, Lock, LockedEnvironment, LockedSetting, Read

__all__ = ["lock_text"]

_HEAD = "# The versions that each setting was read from. `confsvc lock` writes it, `--locked` reads it: commit it.\n"


def lock_text(lock: Lock) -> str:
    """Return the text of a lock file."""
    head = [_HEAD, f"format = {FORMAT}\n"]
    if lock.project:
        head.append(f"project = {_quoted(lock.project)}\n")
    return "".join([*head, *(_table(name, lock.environments[name]) for name in sorted(lock.environments))])


def _table(name: str, environment: LockedEnvironment) -> str:
    key = f"environments.{_key(name)}"
    lines = []
    if environment.sources:
        lines += [f"\n[{key}]\n", "sources = [\n", *(f"  {_read(read)},\n" for read in environment.sources), "]\n"]
    lines.append(f"\n[{key}.settings]\n")
    lines += (f"{_key(n)} = {_setting(environment.settings[n])}\n" for n in sorted(environment.settings))
    return "".join(lines)


def _setting(setting: LockedSetting) -> str:
    parts = [f"layer = {_quoted(setting.layer)}"] if setting.layer else []
    if setting.reads:
        parts.append(f"reads = [{', '.join(map(_read, setting.reads))}]")
    return f"{{ {', '.join(parts)} }}" if parts else "{}"


def _read(read: Read) -> str:
    return "{ " + ", ".join(f"{key} = {_quoted(text)}" for key, text in _written(read)) + " }"


def _written(read: Read) -> Iterator[tuple[str, str]]:
    texts = {"reference": read.reference, "part": read.part, "version": read.version, "state": read.state}
    return ((key, text) for key, text in texts.items() if text)


def _key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _quoted(name)


def _quoted(text: str) -> str:
    """Return ``text`` as a basic string of TOML.

    Raises:
        LockError: it is no Unicode text, as a name in a file of assignments may be.

    """
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise LockError("a name that is not UTF-8 cannot be written into a lock")
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else f"\\U{ord(char):08X}"
