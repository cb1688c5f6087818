"""Examining a file or a folder: is it there, who may read it, and does Git have it."""

import os
import stat
from collections.abc import Iterator

from confsvc.diagnosis import Finding, finding_of, git_state
from confsvc.errors import NotFound
from confsvc_local._reading import error_of

__all__ = ["examine_path", "quieter"]

_MISSING = "is not there"
_OTHERS_READ, _OTHERS_WRITE = 0o004, 0o022
_LINE = "add the line `{name}` to .gitignore"


def examine_path(path: str, name: str, *, is_folder: bool, holds_settings: bool) -> Iterator[Finding]:
    """Yield what is found about ``path``, which people call ``name``.

    ``is_folder`` says what should be there. ``holds_settings`` says that it is a file of settings, which may hold
    secrets: others have no business with it.
    """
    name = name or path
    try:
        found = os.stat(path)
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        failure = error_of(error)
    except ValueError:
        yield Finding("file", "problem", "its path holds a NUL", "mend the reference", 65)
        return
    else:
        if stat.S_ISDIR(found.st_mode) is not is_folder:
            what = "a file, not a folder" if is_folder else "a folder, not a file"
            yield Finding("file", "problem", f"`{name}` is {what}", "mend the reference", 65)
            return
        yield Finding("file", "ok", f"`{name}` can be read{_owner(found)}")
        yield from _access(found, path, name, holds_settings=holds_settings)
        return
    if isinstance(failure, NotFound):
        yield Finding("file", "problem", f"`{name}` {_MISSING}", "write it, or mark the source `optional = true`", 65)
    else:
        fix = "let this user read it, and nobody else" if failure.exit_status == 77 else "put a regular file there"
        yield finding_of("file", failure)._replace(message=f"`{name}`: {failure.message}", fix=fix)


def quieter(finding: Finding) -> Finding:
    """Return what ``finding`` is of a source that may be missing."""
    if finding.message.endswith(_MISSING):
        return Finding(finding.topic, "note", f"{finding.message}, and may be missing")
    return finding


def _access(found: os.stat_result, path: str, name: str, *, holds_settings: bool) -> Iterator[Finding]:
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS_WRITE and not stat.S_ISDIR(found.st_mode):
        yield Finding("access", "warning", f"others may write `{name}` ({mode:03o})", f"chmod go-w {name}")
    if not holds_settings:
        return
    if mode & _OTHERS_READ:
        yield Finding("access", "warning", f"everybody may read `{name}` ({mode:03o})", f"chmod 600 {name}")
    state = git_state(path)
    if state == "tracked":
        fix = f"git rm --cached {name}, and change the secrets that are in it"
        yield Finding("git", "warning", f"Git has `{name}`, and with it everybody who has the repository", fix)
    elif state == "open":
        fix = _LINE.format(name=os.path.basename(name))
        yield Finding("git", "warning", f"Git does not ignore `{name}`, so that it may get in by mistake", fix)


def _owner(found: os.stat_result) -> str:
    return "" if found.st_uid in {0, os.geteuid()} else f"; it belongs to another user ({found.st_uid})"
