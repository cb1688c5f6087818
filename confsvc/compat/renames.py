"""Guessing which settings were given another name: nothing says so, but much may hint at it."""

from collections.abc import Mapping
from difflib import SequenceMatcher

from confsvc.compat.declared import Declared

__all__ = ["guess_renames"]

_ENOUGH = 0.6
_PAIRS = 200_000  # comparing every name with every other takes longer than anybody waits


def guess_renames(removed: Mapping[str, Declared], added: Mapping[str, Declared]) -> dict[str, str]:
    """Return old names, each with the new one that it most likely has. Both appear once at most."""
    scored = sorted(
        ((score, old, new) for old, new, score in _scores(removed, added) if score >= _ENOUGH),
        key=lambda found: (-found[0], found[1], found[2]),
    )
    found: dict[str, str] = {}
    for _, old, new in scored:
        if old not in found and new not in found.values():
            found[old] = new
    return found


def _scores(removed: Mapping[str, Declared], added: Mapping[str, Declared]) -> list[tuple[str, str, float]]:
    compares_names = len(removed) * len(added) <= _PAIRS
    hints = _hints(added)
    found = []
    for old, one in removed.items():
        near = set(added) if compares_names else {new for hint in _hints_of(one) for new in hints.get(hint, ())}
        found += [(old, new, _score(one, added[new], by_name=compares_names)) for new in near]
    return found


def _hints(settings: Mapping[str, Declared]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, one in settings.items():
        for hint in _hints_of(one):
            found.setdefault(hint, []).append(name)
    return found


def _hints_of(one: Declared) -> list[str]:
    return [*one.names, *one.evidence, *([one.description] if one.description else [])]


def _score(old: Declared, new: Declared, *, by_name: bool) -> float:
    """Return how likely ``new`` is ``old``: 1 where it still answers to the old name."""
    if set(old.names) & set(new.names):
        return 1.0
    score = 0.5 if old.evidence and old.evidence & new.evidence else 0.0
    score += 0.5 if old.description and old.description == new.description else 0.0
    score += 0.15 if old.domain == new.domain else 0.0
    score += 0.05 if old.secret == new.secret else 0.0
    return score + (0.5 * _alike(old.name, new.name) if by_name else 0.0)


def _shortens(short: str, long: str) -> bool:
    """Tell whether each word of ``short`` is one of ``long``, or a shorter form of it: ``DB_URL``, ``DATABASE_URL``."""
    words = list(zip(short.split("_"), long.split("_"), strict=False))
    return short.count("_") == long.count("_") and all(_is_within(one, other) for one, other in words)


def _is_within(short: str, long: str) -> bool:
    letters = iter(long)
    return short[:1] == long[:1] and all(letter in letters for letter in short)


def _alike(old: str, new: str) -> float:
    """Return how much two names have in common, from 0 to 1: their words, or their letters."""
    if _shortens(old, new) or _shortens(new, old):
        return 1.0
    one, other = set(old.split("_")), set(new.split("_"))
    words = len(one & other) / max(len(one), len(other))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.real_quick_ratio() < _ENOUGH or matcher.quick_ratio() < _ENOUGH:
        return words
    return max(words, matcher.ratio())
