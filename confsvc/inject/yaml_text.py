"""YAML as text: what people wrote is double-quoted, so that nothing is taken for a number, a date or a `no`."""

import re
from collections.abc import Iterator, Mapping
from json import dumps

__all__ = ["Word", "document", "scalar"]

# What YAML 1.2 wants escaped beyond what JSON does: https://yaml.org/spec/1.2.2/#51-character-set
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_PLAIN = re.compile("[a-z][A-Za-z0-9]*")
# What YAML 1.1 takes for a truth value where it is not quoted, as a key too.
_NOT_PLAIN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


class Word(str):
    """A text of ours that stands as it is."""

    __slots__ = ()


def scalar(text: str) -> str:
    """Return a double-quoted YAML scalar. It looks like JSON, but astral characters stand as they are."""
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", dumps(text, ensure_ascii=False))


def document(value: Mapping[str, object]) -> str:
    """Return ``value`` in block style: mappings and lists of texts, in their order."""
    return "".join(f"{line}\n" for line in _mapping(value))


def _mapping(value: Mapping[str, object]) -> Iterator[str]:
    for name, entry in value.items():
        is_plain = _PLAIN.fullmatch(name) and name.lower() not in _NOT_PLAIN
        yield from _entry(f"{name if is_plain else scalar(name)}:", entry)


def _entry(head: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from (f"  {line}" for line in _mapping(value))
    elif isinstance(value, list) and value:
        yield head
        for item in value:
            yield from _item(item)
    else:
        yield f"{head} {_empty(value) or _scalar(value)}"


def _item(value: object) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"  - {_scalar(value)}"
        return
    for number, line in enumerate(_mapping(value)):
        yield f"    {line}" if number else f"  - {line}"


def _scalar(value: object) -> str:
    return value if isinstance(value, Word) else scalar(str(value))


def _empty(value: object) -> str:
    if isinstance(value, Mapping):
        return "{}"
    return "[]" if isinstance(value, list) else ""
