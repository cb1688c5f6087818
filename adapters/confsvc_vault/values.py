"""Texts that the manifest gives as they are, or as ``{ env = "NAME" }``, or as ``{ file = "PATH" }``."""

import os
from collections.abc import Mapping
from stat import S_ISREG

from confsvc.adapter import Backend
from confsvc.errors import ConfsvcError

__all__ = ["read_text", "text_of", "variable"]

_LIMIT = 256 * 1024  # tokens and keys are far smaller


def variable(backend: Backend, name: str) -> str:
    """Return the first of ``VAULT_name`` and ``BAO_name`` that is set and not empty, else an empty string.

    For a backend called ``bao``, or whose adapter is, the order is the other one.
    """
    tools = ("BAO", "VAULT") if "bao" in (backend.name, backend.adapter) else ("VAULT", "BAO")
    found = (backend.environ.get(f"{tool}_{name}", "") for tool in tools)
    return next(filter(None, found), "")


def text_of(backend: Backend, table: Mapping[str, object], key: str, failure: type[ConfsvcError]) -> str:
    """Return the text of ``table[key]``, empty where the key is not there.

    Raises:
        ConfsvcError: of the class ``failure``: the variable is not set, or the file cannot be read.

    """
    value = table.get(key, "")
    if not isinstance(value, Mapping):
        return str(value)
    if len(value) != 1:
        raise failure(f"`{key}` is given as {{ env = … }} or as {{ file = … }}")
    if "env" in value:
        name = str(value["env"])
        text = backend.environ.get(name, "")
        if not text:
            raise failure(f"the variable `{name}`, which `{key}` is read from, is not set")
        return text
    path = str(value["file"])
    found = read_text(os.path.join(backend.directory, path))
    if not found:
        raise failure(f"the file `{path}`, which `{key}` is read from, cannot be read, or is empty")
    return found


def read_text(path: str) -> str:
    """Return the text in the file ``path`` without the line end that editors put behind it; empty if there is none."""
    try:
        # Without O_NONBLOCK a FIFO in the file's place would hang here.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return ""
    try:
        data = os.read(handle, _LIMIT) if S_ISREG(os.fstat(handle).st_mode) else b""
        return data.decode().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError):
        return ""
    finally:
        os.close(handle)
