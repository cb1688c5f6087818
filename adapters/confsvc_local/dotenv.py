"""``dotenv://.env``: a file of assignments, read as python-dotenv reads it."""

from collections.abc import Mapping
from io import StringIO
from typing import Any, ClassVar

from confsvc.adapter import Content, Deadline, Document, Outcome, import_submodule
from confsvc.errors import Malformed
from confsvc.reference import Reference
from confsvc_local._base import PathAdapter
from confsvc_local._reading import modified_at, read_file, resolve_path

__all__ = ["DotenvAdapter", "parse_dotenv"]

_SWITCH = {"true": True, "false": False}


class DotenvAdapter(PathAdapter):
    """Reads ``.env`` files. ``?interpolate=false`` leaves ``${…}`` in them alone."""

    parameters = frozenset({"interpolate"})
    keeps_names = True
    merges: ClassVar[bool] = True

    def store(self, reference: Reference, content: Content, *, deadline: Deadline, expected: str | None = None) -> str:
        """See ``confsvc.adapter.Storer``. Everything else in the file stays as it is; it has no version."""
        from confsvc_local._assignments import assigned
        from confsvc_local._writing import change_file

        if expected is not None:
            raise Malformed("a `.env` has no versions, so none can be expected")
        if not isinstance(content, Mapping) or not all(isinstance(text, str) for text in content.values()):
            raise Malformed("a `.env` holds names and texts")
        changes = {name: str(text) for name, text in content.items()}
        interpolates = reference.parameter("interpolate", "true") != "false"

        def change(data: bytes) -> bytes:
            mark = data[:3] if data.startswith(b"\xef\xbb\xbf") else b""
            text, line = _decode(data)
            if line:
                raise Malformed(f"line {line} is not UTF-8")
            after = assigned(text, changes, interpolates=interpolates)
            self._check(after, changes, interpolates=interpolates)
            return mark + after.encode()

        change_file(resolve_path(self._backend, reference.path), change, deadline)
        return ""

    def _check(self, text: str, changes: Mapping[str, str], *, interpolates: bool) -> None:
        """Check that reading ``text`` gives what was to be written, whatever else stands in the file."""
        fields, _ = parse_dotenv(text, self._backend.public_environ() if interpolates else None)
        wrong = next((name for name, value in changes.items() if fields.get(name) != value), None)
        if wrong is not None:
            raise Malformed(f"`{wrong}` cannot be written so that it is read back: a line of the file is in its way")

    def _read(self, reference: Reference, deadline: Deadline) -> Outcome:
        interpolate = _SWITCH.get(reference.parameter("interpolate", "true"))
        if interpolate is None:
            return Malformed("`interpolate` must be `true` or `false`")
        path = resolve_path(self._backend, reference.path)
        data = read_file(path, deadline)
        if not isinstance(data, bytes):
            return data
        if b"\0" in data:
            return Malformed(f"line {data[: data.index(0)].count(10) + 1} holds a NUL byte")
        text, line = _decode(data)
        if line:
            return Malformed(f"line {line} is not UTF-8")
        fields, notes = parse_dotenv(text, self._backend.public_environ() if interpolate else None)
        return Document(fields, secret=False, notes=notes, made_at=modified_at(path))


def parse_dotenv(text: str, environ: Mapping[str, str] | None) -> tuple[dict[str, str], list[str]]:
    """Parse ``text`` as python-dotenv's ``dotenv_values`` does. Returns the assignments, and notes about odd lines.

    ``environ`` is what ``${NAME}`` sees besides the file itself; None turns interpolation off. A key without ``=`` is
    no assignment. The notes name lines, never what stands in them.
    """
    parser, variables = import_submodule("dotenv", "parser", "variables")
    found: dict[str, str | None] = {}
    lines: dict[str, int] = {}
    notes = []
    for binding in parser.parse_stream(StringIO(text, newline=None)):  # translates line ends, as open() does
        line = binding.original.line + _leading_lines(binding.original.string)
        if binding.error:
            notes.append(f"line {line} cannot be read and is skipped")
        if binding.key is None:
            continue
        if binding.key in lines:
            notes.append(f"line {line} sets `{binding.key}` again, after line {lines[binding.key]}; the last one wins")
        lines[binding.key] = line
        found[binding.key] = _resolve(binding.value, found, environ, variables)
    return {key: value for key, value in found.items() if value is not None}, notes


def _leading_lines(statement: str) -> int:
    """A statement begins with the blank lines before it."""
    return statement[: len(statement) - len(statement.lstrip())].count("\n")


def _resolve(
    value: str | None, found: Mapping[str, str | None], environ: Mapping[str, str] | None, variables: Any
) -> str | None:
    """Interpolate as python-dotenv does: an assignment above wins over the environment."""
    if value is None or environ is None:
        return value
    scope = {**environ, **found} if "${" in value else {}
    return "".join(atom.resolve(scope) for atom in variables.parse_variables(value))


def _decode(data: bytes) -> tuple[str, int]:
    """Return the text without a byte-order mark, or the line that is not UTF-8."""
    try:
        return data.decode("utf-8-sig"), 0
    except UnicodeDecodeError as error:
        return "", data[: error.start].count(b"\n") + 1
