"""Did you mean?"""

from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean `x`?)`` for the nearest of ``known``, else an empty string."""
    # Only errors need it, and difflib costs as much to import as reading a manifest.
    from difflib import get_close_matches

    names = sorted(set(known))
    lowered = {name.lower(): name for name in reversed(names)}
    near = get_close_matches(word, names, n=1, cutoff=0.6) or [
        lowered[match] for match in get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    ]
    return f" (did you mean `{near[0]}`?)" if near else ""
