"""Text that the External Secrets Operator fills in: Go's templates, with the functions of Sprig.

https://pkg.go.dev/text/template, and https://external-secrets.io/latest/guides/templating/ for what it is given: a map
of texts, in which a key that is not there is an error where it is written `.KEY`.
"""

import re
from collections.abc import Iterable, Sequence
from json import dumps
from typing import NamedTuple

from confsvc.template import FILTERS

__all__ = ["Part", "Pipe", "decoded", "every_field", "field", "field_or", "filtered", "render", "some_fields"]

# Exactly what ours do. `urlquery` has `+` for a space, and for nothing else; a plain `trim` takes Unicode's spaces too.
_FILTERS = {
    "urlencode": 'urlquery | replace "+" "%20"',
    "base64": "b64enc",
    "trim": r'trimAll " \t\n\r\u000b\f"',
}
_IDENTIFIER = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_PAIR = "{{ $key | toJson }}: {{ $value | toJson }}"


class Pipe(NamedTuple):
    """A pipeline: what stands between ``{{`` and ``}}``. ``before`` has to stand before it, and prints nothing."""

    text: str
    before: tuple[str, ...] = ()


Part = str | Pipe


def field(name: str) -> Pipe:
    """Return what was fetched as ``name``."""
    return Pipe(f".{name}" if _IDENTIFIER.fullmatch(name) else f"index . {_quoted(name)}")


def field_or(name: str, default: str) -> Pipe:
    """Return what was fetched as ``name``, an identifier, or ``default`` where nothing was."""
    variable = f"$or_{name}"  # no setting's variable may be one of the two that `range` sets
    look = f"{{{{ range $key, $value := . }}}}{{{{ if eq $key {_quoted(name)} }}}}{{{{ {variable} = $value }}}}"
    return Pipe(variable, (f"{{{{ {variable} := {_quoted(default)} }}}}{look}{{{{ end }}}}{{{{ end }}}}",))


def decoded(text: str) -> Pipe:
    """Return the bytes that ``text``, which is base64, stands for."""
    return Pipe(f"{_quoted(text)} | b64dec")


def filtered(parts: Sequence[Part], filters: Sequence[str]) -> list[Part]:
    """Return ``parts``, all together, through ``filters``."""
    if not filters:
        return list(parts)
    if all(isinstance(part, str) for part in parts):
        data = "".join(map(str, parts)).encode(errors="surrogateescape")
        for name in filters:
            data = FILTERS[name](data)
        return [data.decode(errors="surrogateescape")]
    before = tuple(dict.fromkeys(line for part in parts if isinstance(part, Pipe) for line in part.before))
    return [Pipe(" | ".join([_joined(parts), *(_FILTERS[name] for name in filters)]), before)]


def _joined(parts: Sequence[Part]) -> str:
    if len(parts) == 1 and isinstance(parts[0], Pipe):
        return parts[0].text
    # `print` puts a space between two operands only if neither is a text.
    return " ".join(["print", *(f"({part.text})" if isinstance(part, Pipe) else _quoted(part) for part in parts)])


def render(parts: Iterable[Part]) -> str:
    """Return the template."""
    parts = list(parts)
    before = dict.fromkeys(line for part in parts if isinstance(part, Pipe) for line in part.before)
    return "".join([*before, *map(_written, parts)])


def some_fields(names: Sequence[str]) -> str:
    """Return a template of a YAML mapping of those of ``names`` that were fetched."""
    listed = " ".join(map(_quoted, names))
    return f"{{{{ range $key, $value := . }}}}{{{{ if eq $key {listed} }}}}{_PAIR}\n{{{{ end }}}}{{{{ end }}}}"


def every_field(but: str) -> str:
    """Return a template of a YAML mapping of all that was fetched, but for names with a dot or that match ``but``."""
    test = f'not (or (contains "." $key) (regexMatch {_quoted(but)} $key))'
    return f"{{{{ range $key, $value := . }}}}{{{{ if {test} }}}}{_PAIR}\n{{{{ end }}}}{{{{ end }}}}"


def _written(part: Part) -> str:
    """Return an action, or text that stands for itself: a brace might open an action, or join the one that follows."""
    if isinstance(part, Pipe):
        return f"{{{{ {part.text} }}}}"
    return f"{{{{ {_quoted(part)} }}}}" if "{" in part else part


def _quoted(text: str) -> str:
    """Return a Go string: JSON's escapes are Go's too, as long as there are no surrogate pairs."""
    return dumps(text, ensure_ascii=False)
