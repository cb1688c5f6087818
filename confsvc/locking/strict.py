"""What a lock has that cannot be read again as it was: told, or refused."""

from collections.abc import Mapping, Sequence

from confsvc.errors import LockError, Problem
from confsvc.locking.records import LockedEnvironment

__all__ = ["loose_of", "refuse_loose", "some_of"]


def loose_of(locked: LockedEnvironment) -> dict[str, list[str]]:
    """Return what cannot be read again as it is now, each with the settings that come from it."""
    found: dict[str, list[str]] = {}
    for name, setting in locked.settings.items():
        if setting.layer == "environment":
            found.setdefault("the process environment", []).append(name)
        for read in setting.reads:
            if read.state == "unpinned" and name not in found.setdefault(f"`{read.document}`", []):
                found[f"`{read.document}`"].append(name)
    for read in locked.sources:
        if read.state == "unpinned":
            found.setdefault(f"`{read.document}`", [])
    return found


def refuse_loose(loose: Mapping[str, Mapping[str, Sequence[str]]], therefore: str) -> None:
    """Refuse what is ``loose``, by the name of each environment; ``therefore`` is what comes of that.

    Raises:
        LockError: something is.

    """
    problems = [
        Problem(
            "lock",
            f"{what} keeps no earlier versions, which --strict refuses: {some_of(settings)}",
            environment,
            exit_status=78,
        )
        for environment, found in loose.items()
        for what, settings in found.items()
    ]
    if problems:
        raise LockError(
            f"not everything has a version that can be read again, {therefore}",
            problems,
            hint="without --strict it is marked in the lock, and read as it is then",
        )


def some_of(names: Sequence[str], most: int = 5) -> str:
    """Return ``names`` for people, who want no more than a few."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"`{name}`" for name in names[:most]) + more or "no setting, so far"
