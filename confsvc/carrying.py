"""A document as JSON can hold it, for whoever carries it to another process, or to a later one."""

from collections.abc import Mapping, Sequence
from typing import Any

from confsvc.adapter import Content, Document, compact_json, parse_json

__all__ = ["pack", "unpack"]


def pack(document: Document) -> list[object] | None:
    """Return ``document`` as a list, which `unpack` takes; None for one with a lease, or with what JSON cannot hold."""
    content = document.content.reveal()
    if document.lease is not None or not _is_json(content):
        return None
    if isinstance(content, bytes):
        kind, text = "bytes", content.hex()
    elif isinstance(content, str):
        kind, text = "text", content
    else:
        kind, text = "fields", compact_json(content)
    return [kind, text, document.version, document.secret, list(document.notes), document.made_at, dict(document.parts)]


def unpack(packed: Sequence[Any], *, kept_since: float | None = None) -> Document:
    """Return the document that `pack` was given. For what it did not make it raises ValueError or TypeError."""
    kind, text, version, secret, notes, made_at, parts = packed
    content: Content = bytes.fromhex(text) if kind == "bytes" else text
    if kind == "fields":
        found, reason = parse_json(text)
        if reason or not isinstance(found, Mapping):
            raise ValueError
        content = found
    document = Document(content, version=version, secret=secret, notes=notes, made_at=made_at, parts=parts)
    document.kept_since = kept_since
    return document


def _is_json(content: object) -> bool:
    """Tell whether ``content`` is bytes, or what JSON can hold."""
    return isinstance(content, bytes) or _is_plain(content)


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, str | bool | int | float)
