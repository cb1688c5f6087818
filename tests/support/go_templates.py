"""As much of Go's templates, and of Sprig's functions, as confsvc writes: to see what the operator would make of them.

What each function does is that of https://pkg.go.dev/text/template and https://masterminds.github.io/sprig/.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus

__all__ = ["BadTemplateError", "render"]

Values = dict[str, object]
Node = tuple[str, str, list[Any]]  # text, an action, or one with what is inside of it
_ACTION = re.compile(r"""\{\{((?:[^"}]|"(?:\\.|[^"\\])*"|\}(?!\}))*)\}\}""", re.DOTALL)
_TOKEN = re.compile(r"""\s*("(?:\\.|[^"\\])*"|:=|[$.]?[A-Za-z_][A-Za-z0-9_]*|[().,|=])""")


class BadTemplateError(Exception):
    """Go would refuse this."""


def render(template: str, data: Mapping[str, str]) -> str:
    """Fill in `template`. A key of `data` that is not there is an error where it is written `.KEY`."""
    nodes = _parse(iter(_split(template)), top=True)
    return "".join(_run(nodes, data, [{}]))


def _split(template: str) -> Iterator[tuple[str, str]]:
    position = 0
    while (start := template.find("{{", position)) >= 0:
        match = _ACTION.match(template, start)
        if not match:
            raise BadTemplateError(template[start:])
        yield "text", template[position:start]
        yield "action", match[1].strip()
        position = match.end()
    yield "text", template[position:]


def _parse(pieces: Iterator[tuple[str, str]], *, top: bool = False) -> list[Node]:
    nodes: list[Node] = []
    for kind, text in pieces:
        if kind == "action" and text == "end":
            if top:
                raise BadTemplateError("an end too many")
            return nodes
        word = text.partition(" ")[0]
        if kind == "action" and word in {"range", "if"}:
            nodes.append((word, text[len(word) :].strip(), _parse(pieces)))
        else:
            nodes.append((kind, text, []))
    if not top:
        raise BadTemplateError("no end")
    return nodes


def _run(nodes: list[Node], data: Mapping[str, str], scopes: list[Values]) -> Iterator[str]:
    for kind, text, inner in nodes:
        if kind == "text":
            yield text
        elif kind == "range":
            assert text == "$key, $value := ."
            for key in sorted(data):  # Go's order too
                yield from _run(inner, data, [*scopes, {"$key": key, "$value": data[key]}])
        elif kind == "if":
            if _value(text, data, scopes):
                yield from _run(inner, data, [*scopes, {}])
        else:
            yield _action(text, data, scopes)


def _action(text: str, data: Mapping[str, str], scopes: list[Values]) -> str:
    match = re.fullmatch(r"(\$\w+) (:?=) (.*)", text, re.DOTALL)
    if not match:
        return str(_value(text, data, scopes))
    name, how, rest = match.groups()
    value = _value(rest, data, scopes)
    if how == ":=":
        scopes[-1][name] = value
    else:
        next(scope for scope in reversed(scopes) if name in scope)[name] = value
    return ""


def _value(text: str, data: Mapping[str, str], scopes: list[Values]) -> object:
    tokens = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise BadTemplateError(text[position:])
        tokens.append(match[1])
        position = match.end()
    value, left = _pipeline(tokens, data, scopes)
    if left:
        raise BadTemplateError(" ".join(left))
    return value


def _pipeline(tokens: list[str], data: Mapping[str, str], scopes: list[Values]) -> tuple[object, list[str]]:
    value, tokens = _command(tokens, data, scopes, [])
    while tokens and tokens[0] == "|":
        value, tokens = _command(tokens[1:], data, scopes, [value])
    return value, tokens


def _command(
    tokens: list[str], data: Mapping[str, str], scopes: list[Values], last: list[object]
) -> tuple[object, list[str]]:
    operands: list[object] = []
    while tokens and tokens[0] not in {"|", ")"}:
        token, tokens = tokens[0], tokens[1:]
        if token == "(":
            value, tokens = _pipeline(tokens, data, scopes)
            operands.append(value)
            tokens = tokens[1:]
        else:
            operands.append(_operand(token, data, scopes))
    if callable(operands[0]):
        return operands[0](*operands[1:], *last), tokens
    if len(operands) > 1 or last:
        raise BadTemplateError("a value is no function")
    return operands[0], tokens


def _operand(token: str, data: Mapping[str, str], scopes: list[Values]) -> object:
    if token.startswith('"'):
        return json.loads(token)
    if token == ".":
        return data
    if token.startswith("."):
        if token[1:] not in data:
            raise BadTemplateError(f"no entry for key {token[1:]}")
        return data[token[1:]]
    if token.startswith("$"):
        return next(scope for scope in reversed(scopes) if token in scope)[token]
    return _FUNCTIONS[token]


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


_FUNCTIONS: dict[str, Callable[..., object]] = {
    "b64dec": lambda text: _text(base64.b64decode(text, validate=True)),
    "b64enc": lambda text: base64.b64encode(_bytes(text)).decode(),
    "contains": lambda part, text: part in text,
    "eq": lambda one, *others: one in others,
    "index": lambda found, key: found.get(key, ""),
    "not": lambda value: not value,
    "or": lambda *values: any(values),
    "print": lambda *texts: "".join(texts),
    "regexMatch": lambda pattern, text: bool(re.search(pattern, text)),
    "replace": lambda old, new, text: text.replace(old, new),
    "toJson": json.dumps,
    "trimAll": lambda cut, text: text.strip(cut),
    "upper": lambda text: text.upper(),
    "urlquery": lambda text: quote_plus(_bytes(text)),
}
