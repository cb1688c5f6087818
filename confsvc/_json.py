"""JSON that survives a round trip: numbers keep their text, duplicate keys and surprises are refused."""

from collections.abc import Mapping, Sequence

__all__ = ["Number", "compact", "parse", "pointer"]

# Far more than any document of settings, far less than Python's own limit: what walks it later calls itself.
_DEEPEST = 100


class Number(str):
    """The text of a JSON number, exactly as written: 1.10 stays 1.10."""

    __slots__ = ()


class _Refused(ValueError):
    """Inside of ``parse`` only."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused
    return found


def _constant(_text: str) -> object:
    raise _Refused


def parse(text: str) -> tuple[object, str]:
    """Parse ``text``. Returns what it holds and an empty string, or None and what is wrong, without any of ``text``."""
    from json import loads

    reason = "is not valid JSON"
    try:
        found = loads(
            text,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except RecursionError:
        reason = "is JSON nested too deeply"
    except _Refused:
        reason = "is JSON with a duplicate key, or a NaN or Infinity, which JSON does not have"
    except ValueError:
        pass
    else:
        reason = _unusable(found, text)
        return (None, reason) if reason else (found, "")
    return None, reason


def _unusable(found: object, text: str) -> str:
    """Return why JSON that was read is refused all the same, or an empty string."""
    if _is_deep(found, _DEEPEST):
        return "is JSON nested too deeply"
    if not _is_text(text) or ("\\u" in text and not _is_text(compact(found))):
        return "is JSON with half a character (a lone surrogate), which is no text"
    return ""


def _is_deep(value: object, left: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not left or any(_is_deep(item, left - 1) for item in inner)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def compact(value: object) -> str:
    """Write ``value`` as JSON without white space, numbers as they were read."""
    from json import dumps

    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{dumps(str(k), ensure_ascii=False)}:{compact(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return "[" + ",".join(compact(item) for item in value) + "]"
    if value is None or isinstance(value, bool | int | float | str):
        return dumps(value, ensure_ascii=False)
    return dumps(to_text(value), ensure_ascii=False)  # a TOML date or time inside of a list or table


def to_text(value: object) -> str:
    """Return the text of a JSON or TOML value: strings bare, dates as ISO 8601, everything else compact JSON."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list) and not value:  # the most frequent default, and json takes a while to import
        return "[]"
    moment = getattr(value, "isoformat", None)
    return str(moment()) if moment else compact(value)


def pointer(document: object, path: str) -> tuple[object, str]:
    """Follow a JSON Pointer (RFC 6901). Returns what it names and an empty string, or None and what is wrong."""
    current = document
    for raw in path.split("/")[1:]:
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(current, Mapping) and token in current:
            current = current[token]
        elif isinstance(current, list) and _is_index(token) and int(token) < len(current):
            if len(token) > 1 and token.startswith("0"):
                return None, "an array index has no leading zero"
            current = current[int(token)]
        else:
            return None, f"has nothing at `{path}`"
    return current, ""


def _is_index(token: str) -> bool:
    return token.isdecimal() and token.isascii() and len(token) < 20  # noqa: PLR2004 - no list is longer, and int() has a limit


def plain(value: object) -> object:
    """Return ``value`` with its numbers as Python's own, for validation and for Python programs."""
    if isinstance(value, Number):
        return float(value) if any(c in value for c in ".eE") else _integer(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def _integer(text: str) -> object:
    try:
        return int(text)
    except ValueError:  # more digits than Python converts: as text it still fails, or passes, as it should
        return str(text)
