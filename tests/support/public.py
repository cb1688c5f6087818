"""A folder for tests in which somebody is another user."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["public_folder"]


@contextmanager
def public_folder() -> Iterator[Path]:
    """Make a folder that every user may look into.

    What pytest makes is private, and any other pytest that starts meanwhile sees to it.
    """
    with tempfile.TemporaryDirectory(prefix="confsvc-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
