"""Comparing two schemas, setting by setting.

What breaks is told apart from what needs care later: a setting that takes more than before is the step that makes a
change safe, and must not stop a gate.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from confsvc.compat.declared import Declared
from confsvc.compat.domains import refused
from confsvc.compat.renames import guess_renames

__all__ = ["NEW_ON_OLD", "OLD_ON_NEW", "Finding", "compare"]

NEW_ON_OLD = "new on old"
OLD_ON_NEW = "old on new"
_BOTH = (NEW_ON_OLD, OLD_ON_NEW)

_KEEP = "keep its value in every environment until no old version can come back"


class Finding(NamedTuple):
    """One difference. ``breaks`` are the directions in which an artifact may not start; ``step`` makes it safe.

    ``change`` is one of ``added``, ``removed``, ``required``, ``optional``, ``narrowed``, ``widened``, ``retyped``,
    ``renamed``, ``default`` and ``secret``. ``guess`` says that nothing proves it.
    """

    change: str
    name: str
    message: str
    breaks: tuple[str, ...] = ()
    step: str = ""
    guess: bool = False


def compare(old: Mapping[str, Declared], new: Mapping[str, Declared]) -> list[Finding]:
    """Return every difference, in the order of the old settings, then of the new."""
    removed = {name: one for name, one in old.items() if name not in new}
    added = {name: one for name, one in new.items() if name not in old}
    renames = guess_renames(removed, added)
    found: list[Finding] = []
    for name, one in old.items():
        if name in new:
            found += _changed(name, one, new[name])
        elif name in renames:
            found += _renamed(one, new[renames[name]])
        else:
            found.append(_removed(one))
    taken = set(renames.values())
    return [*found, *(_added(one) for name, one in added.items() if name not in taken)]


def _removed(one: Declared) -> Finding:
    if not one.is_needed:
        return Finding("removed", one.name, "is gone; the old version starts without it", step=f"afterwards {_KEEP}")
    return Finding(
        "removed",
        one.name,
        "is gone, and the old version does not start without it",
        (OLD_ON_NEW,),
        f"first make it optional or give it a default, and let that version be everywhere; or {_KEEP}",
    )


def _added(one: Declared) -> Finding:
    if not one.is_needed:
        return Finding("added", one.name, "is new, and nothing has to set it")
    return Finding(
        "required",
        one.name,
        "is new and required: no environment need have it yet",
        (NEW_ON_OLD,),
        "put its value into every environment first; or begin with a default, and require it in a later version",
    )


def _renamed(old: Declared, new: Declared) -> Iterator[Finding]:
    if old.name in new.names:
        yield Finding(
            "renamed",
            old.name,
            f"is `{new.name}` now, which reads the old name too",
            step=f"set it by the old name until no old version can come back, then by `{new.name}`",
        )
    else:
        breaks = tuple(way for way, one in zip(_BOTH, (new, old), strict=True) if one.is_needed)
        yield Finding(
            "renamed",
            old.name,
            f"seems to be `{new.name}` now",
            breaks,
            f"declare both for one version, with `{new.name}` made of the old one (`values`: `${{{old.name}}}`, or an"
            " alias of a model), move the values, then remove the old name",
            guess=True,
        )
    yield from _of_values(new.name, old, new)


def _changed(name: str, old: Declared, new: Declared) -> Iterator[Finding]:
    if new.is_needed and not old.is_needed:
        yield Finding(
            "required",
            name,
            "is required now: an environment that does not set it has no value for it",
            (NEW_ON_OLD,),
            "put its value into every environment first, and require it then",
        )
    if old.is_needed and not new.is_needed:
        yield Finding("optional", name, "is no longer required", step=_KEEP)
    yield from _of_values(name, old, new)
    if old.default is not None and new.default is not None and old.default != new.default:
        shown = "" if old.secret or new.secret else f": `{_short(old.default)}` → `{_short(new.default)}`"
        yield Finding("default", name, f"has another default{shown}", step="where it matters, set it before")
    if old.secret and not new.secret:
        yield Finding("secret", name, "is no longer secret: its value is shown", step="keep it secret, or rotate it")
    if new.secret and not old.secret:
        yield Finding("secret", name, "is secret now", step="move it to a store of secrets, and rotate it")


def _of_values(name: str, old: Declared, new: Declared) -> Iterator[Finding]:
    """Yield what became of the values that it takes."""
    lost, gained = refused(old.domain, new.domain), refused(new.domain, old.domain)
    types = f"`{old.domain}` → `{new.domain}`"
    is_retyped = str(old.domain) != str(new.domain)
    if not (lost or gained):
        if is_retyped:
            yield Finding("retyped", name, f"{types}, which take the same values")
        return
    said, steps = [types] if is_retyped else [], []
    if lost:
        said.append(f"the new version refuses {_either(lost)}")
        steps.append(f"make sure that no environment has {_either(lost)}: `-e ENV` looks")
    if gained:
        said.append(f"the old version refuses {_either(gained)}")
        steps.append("write nothing that only the new version takes until no old one can come back")
    if lost and gained:  # another thing under the same name
        steps = ["give it a new name, and read both for one version"]
    change = "retyped" if is_retyped else "narrowed" if lost else "widened"
    # What takes more, and refuses nothing, is how a change begins.
    breaks = _BOTH if lost and gained else (NEW_ON_OLD,) if lost else ()
    yield Finding(change, name, "; ".join(said), breaks, "; ".join(steps))


def _either(reasons: list[str]) -> str:
    return ", or ".join(reasons)


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
