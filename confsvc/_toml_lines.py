"""Finding the line of a key in a TOML file. Only used once something is wrong: tomllib keeps no positions."""

import re
from functools import lru_cache

__all__ = ["line_of"]

_HEADER = re.compile(r"\s*\[(\[)?([^\]#]+)\]")
_KEY_PART = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_INLINE_KEY = re.compile(r"""(?:^|[{,])\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*=""")
# A string, as far as it goes on its line.
_STRING = re.compile(r"""\"{3}.*?(?:\"{3}|$)|'{3}.*?(?:'{3}|$)|"(?:[^"\\]|\\.)*"|'[^']*'""")
_COMMENT = re.compile(rf"({_STRING.pattern})|#.*")
# One item of an array: an inline table, or a string.
_ITEM = re.compile(rf"""\{{(?:[^{{}}"']|{_STRING.pattern})*+\}}|{_STRING.pattern}""")
_TRIPLE = ('"""', "'''")


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Return the line, from 1, where the key ``path`` is written, or its nearest parent; 0 if none is."""
    whole, parts = _index(text)
    if path in parts:
        return parts[path]
    return next((whole[path[:count]] for count in range(len(path) - 1, 0, -1) if path[:count] in whole), 0)


@lru_cache(maxsize=4)  # a large manifest may have many problems
def _index(text: str) -> tuple[dict[tuple[str, ...], int], dict[tuple[str, ...], int]]:
    """Return the first line of every key, and of every key that is one or begins one."""
    whole: dict[tuple[str, ...], int] = {}
    parts: dict[tuple[str, ...], int] = {}
    for number, found in _keys(text):
        whole.setdefault(found, number)
        for count in range(1, len(found) + 1):
            parts.setdefault(found[:count], number)
    return whole, parts


def _keys(text: str) -> list[tuple[int, tuple[str, ...]]]:
    """List (line, full key) of every table header and every key, inline tables' and arrays' items included."""
    found: list[tuple[int, tuple[str, ...]]] = []
    table: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    quote, depth, item = "", 0, 0
    for number, written in enumerate(text.split("\n"), 1):  # as editors count: a string may hold other line ends
        if quote:
            quote = "" if quote in written else quote
            continue
        line = _COMMENT.sub(r"\1", written)
        if depth:  # inside of an array that spans lines
            value = line
        elif header := _HEADER.match(line):
            table = _parts(header[2])
            found.append((number, table))
            continue
        elif (parts := _parts(line)) and "=" in line:
            key, item = (*table, *parts), 0
            found.append((number, key))
            _, _, value = line.partition("=")
            found += [(number, (*key, inner)) for inner in _inline(value)]
        else:
            continue
        if depth or value.lstrip().startswith("["):
            items = len(_ITEM.findall(value))
            found += [(number, (*key, str(item + n))) for n in range(items)]
            item += items
        depth += _depth(line)
        quote = _left_open(line)
    return found


def _parts(text: str) -> tuple[str, ...]:
    parts = []
    position = 0
    while match := _KEY_PART.match(text, position):
        parts.append(match[1] or match[2] or match[3] or "")
        position = match.end()
        if text[position : position + 1] != ".":
            break
        position += 1
    return tuple(parts)


def _inline(value: str) -> list[str]:
    return [m[1] or m[2] or m[3] or "" for m in _INLINE_KEY.finditer(value)] if value.lstrip().startswith("{") else []


def _left_open(line: str) -> str:
    """Return the quotes of a string that goes on in the next line, or an empty string."""
    last = (_STRING.findall(line) or [""])[-1]
    is_closed = len(last) >= 2 * len(last[:3]) and last.endswith(last[:3])
    return last[:3] if last[:3] in _TRIPLE and not is_closed else ""


def _depth(line: str) -> int:
    bare = _STRING.sub("", line)
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
