"""Writing one file: whole or not at all, for its owner alone, and never through a link that somebody planted."""

import os

from confsvc._replacing import FOLDER, replace, why
from confsvc.errors import OutputError

__all__ = ["write_file"]


def write_file(path: str, data: bytes, *, mode: int = 0o600) -> None:
    """Put ``data`` into the file at ``path``, replacing a regular file of that name.

    A new file is written beside it and takes its place in one step, so a reader finds the old one or the new one.

    Raises:
        OutputError: it cannot be written; then nothing has changed.

    """
    folder, name = os.path.split(path)
    failure = _reason(name)
    if not failure:
        try:
            handle = os.open(folder or ".", FOLDER)
        except OSError as error:
            failure = f"its folder: {why(error)}"
        else:
            try:
                failure = replace(handle, name, data, mode)
            finally:
                os.close(handle)
    if failure:
        raise OutputError(f"`{path}` cannot be written: {failure}")


def _reason(name: str) -> str:
    if not name or name in {".", ".."}:
        return "it is a folder"
    return "its name holds a NUL" if "\0" in name else ""
