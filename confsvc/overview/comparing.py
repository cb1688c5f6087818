"""Comparing two environments, or an environment with what was locked of it, setting by setting.

Values are compared by a digest with a key that nobody ever sees and that ends with the process; no value is kept but
those that are to be shown and are no secret.
"""

import hmac
import os
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from confsvc.errors import ConfsvcError
from confsvc.locking import LockedEnvironment, LockedSetting
from confsvc.overview.gathering import backend_key
from confsvc.overview.survey import Standing, Surveyed
from confsvc.plan import Plan
from confsvc.reference import Reference, parse_reference

__all__ = ["ASPECTS", "Column", "Comparer", "Difference", "Side", "column_of_lock"]

# In what two sides of one setting can differ.
ASPECTS = ("presence", "type", "source", "version", "value")

Verdict = Literal["differs", "alike", "unknown", "expected", "same"]

_HAS = frozenset({"present", "default", "overridden"})
_NOT = frozenset({"absent", "missing"})
_WHICH = frozenset({"version", "stage"})  # the parameters that say which version of a document


class Side(NamedTuple):
    """One setting on one side. ``digest`` is empty where there is no value; ``shown`` where it is not to be shown."""

    standing: Standing
    digest: bytes = b""
    shown: str = ""


class Column(NamedTuple):
    """One side: ``name`` is what people call it. ``plan`` is None where nothing was read: then it has no values."""

    name: str
    sides: Mapping[str, Side]
    plan: Plan | None = None
    error: ConfsvcError | None = None


class Difference(NamedTuple):
    """What became of one setting. ``differs`` are those of `ASPECTS`, as far as they count, in which its sides differ.

    ``verdict`` is ``differs``; ``alike``, where it should differ; ``unknown``, where a side cannot be read;
    ``expected``, where it should differ and does; or ``same``.
    """

    name: str
    verdict: Verdict
    differs: tuple[str, ...]
    one: Side
    other: Side


class Comparer:
    """Makes columns and compares them. ``reveal`` keeps values that are no secret, to be shown."""

    def __init__(self, *, reveal: bool = False) -> None:
        self._key = os.urandom(32)
        self._reveal = reveal

    def column(self, name: str, found: Surveyed) -> Column:
        """Return the column of what was surveyed, of which no value is kept."""
        values = found.resolved.resolution if found.resolved else {}
        sides = {}
        for setting, standing in found.settings.items():
            side = Side(standing)
            if setting in values and standing.state in _HAS:
                text = values[setting].text
                digest = hmac.digest(self._key, text.encode(errors="surrogateescape"), "sha256")
                side = Side(standing, digest, text if self._reveal and not standing.secret else "")
            sides[setting] = side
        return Column(name, sides, found.plan, found.error)

    def compare(
        self, one: Column, other: Column, *, expected: Iterable[str] = (), by: Iterable[str] = ASPECTS
    ) -> list[Difference]:
        """Return every setting of either side. Those in ``expected`` should differ, in their values or by presence."""
        wanted, counted = frozenset(expected), frozenset(by)
        absent = Side(Standing("", "absent"))
        unread = Side(Standing("", "unreadable"))
        found = []
        for name in dict.fromkeys([*one.sides, *other.sides]):
            mine = one.sides.get(name, unread if one.error and not one.sides else absent)
            theirs = other.sides.get(name, unread if other.error and not other.sides else absent)
            aspects = tuple(_aspects(mine, theirs, one.plan, other.plan))
            verdict: Verdict = "differs" if counted & set(aspects) else "same"
            if "unreadable" in {mine.standing.state, theirs.standing.state}:
                verdict, aspects = "unknown", ()
            elif name in wanted:
                verdict = "expected" if {"value", "presence"} & set(aspects) else "alike"
            found.append(Difference(name, verdict, tuple(a for a in aspects if a in counted), mine, theirs))
        return found


def column_of_lock(name: str, locked: LockedEnvironment, error: ConfsvcError) -> Column:
    """Return the column of a lock whose versions cannot be read, for which ``error`` is the reason."""
    return Column(name, {key: Side(_locked(key, one)) for key, one in locked.settings.items()}, None, error)


def _locked(name: str, setting: LockedSetting) -> Standing:
    reads = [read for read in setting.reads if read.state != "absent"]
    if setting.layer == "source":
        reads = reads[-1:]
    reference = " ".join(dict.fromkeys(read.reference for read in reads))
    versions = "" if any(read.part for read in reads) else " ".join(read.version for read in reads if read.version)
    if not setting.layer:
        return Standing(name, "absent")
    state: Literal["default", "overridden", "present"] = "present"
    if setting.layer in {"default", "environment"}:
        state = "default" if setting.layer == "default" else "overridden"
    return Standing(name, state, layer=setting.layer, reference=reference, version=versions)


def _aspects(one: Side, other: Side, plan: Plan | None, second: Plan | None) -> Iterable[str]:
    mine, theirs = one.standing, other.standing
    if _presence(mine) != _presence(theirs):
        yield "presence"
        return
    if _presence(mine) != "set":
        return
    both_read = plan is not None and second is not None
    if both_read and (mine.kind, mine.secret) != (theirs.kind, theirs.secret):
        yield "type"
    if _source(mine) != _source(theirs):
        yield "source"
    is_same = _is_same(mine, theirs, plan, second)
    if is_same and mine.version != theirs.version and (both_read or theirs.version) and not _is_of_tree(mine):
        yield "version"
    if mine.is_leased or theirs.is_leased:  # another one at each read, and yet of one account or of two
        if not is_same:
            yield "value"
    elif both_read and one.digest != other.digest:
        yield "value"


def _presence(standing: Standing) -> str:
    return "set" if standing.state in _HAS else "not set" if standing.state in _NOT else standing.state


def _source(standing: Standing) -> object:
    """Return from what kind of place a value comes: of the same kind, each environment has a document of its own."""
    return standing.layer, [(one.scheme, one.fragment) for one in _references(standing)]


def _references(standing: Standing) -> list[Reference]:
    return [parse_reference(text) for text in standing.reference.split()]


def _is_of_tree(standing: Standing) -> bool:
    """Tell whether the version is that of a tree, which changes with each of its members."""
    return any(reference.is_tree for reference in _references(standing))


def _is_same(mine: Standing, theirs: Standing, plan: Plan | None, second: Plan | None) -> bool:
    """Tell whether both are read from the same documents of the same backends, whatever the version."""
    ours, others = [_documents(one) for one in (mine, theirs)]
    if not ours or ours != others:
        return False
    if plan is None or second is None:
        return True
    schemes = {scheme for scheme, _, _ in ours}
    return all(_key(plan, scheme) == _key(second, scheme) for scheme in schemes)


def _documents(standing: Standing) -> list[tuple[str, str, frozenset[tuple[str, str]]]]:
    return [
        (one.scheme, one.path, frozenset(pair for pair in one.parameters if pair[0] not in _WHICH))
        for one in _references(standing)
    ]


def _key(plan: Plan, scheme: str) -> object:
    return backend_key(plan.backends[scheme]) if scheme in plan.backends else None
