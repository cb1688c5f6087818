"""From a document to what a setting gets: fields, JSON Pointers, and a source's names."""

import re
from collections.abc import Mapping

from confsvc import _json
from confsvc._suggest import did_you_mean
from confsvc.adapter import Document
from confsvc.errors import AdapterError, Malformed, NotFound
from confsvc.reference import Reference
from confsvc.types import Raw

__all__ = ["Fields", "code_pattern", "extract", "fields_of", "runs_code", "setting_name"]

_RUN = r"[^A-Z0-9_]+"

# How many fields are named, and how long a name may be, where one is not there.
_MOST = 10
_LONGEST = 64

# Undeclared names that make programs run other code. A store that somebody else can write must not choose them.
_DANGEROUS = frozenset(
    "BASH_ENV CDPATH ENV GCONV_PATH GLIBC_TUNABLES IFS JAVA_TOOL_OPTIONS NODE_OPTIONS PERL5LIB PERL5OPT PROMPT_COMMAND "
    "PYTHONHOME PYTHONINSPECT PYTHONPATH PYTHONSTARTUP RUBYLIB RUBYOPT SHELLOPTS _JAVA_OPTIONS".split()
)
_DANGEROUS_PREFIXES = ("BASH_FUNC_", "DYLD_", "LD_")


def extract(document: Document, reference: Reference) -> tuple[Raw, AdapterError | None]:
    """Return what ``reference`` names in ``document``, or why it cannot be had.

    Without a fragment that is the document itself. With one, a field of a text document means that the text is JSON.
    """
    content = document.content.reveal()
    fragment = reference.fragment
    if fragment is None:
        return content, None
    found, error = _structure(content, f"`{reference.path}`")
    if error is not None:
        return None, error
    if fragment.startswith("/"):
        value, reason = _json.pointer(found, fragment)
        return (None, NotFound(f"`{reference.path}` {reason}")) if reason else (value, None)
    if not isinstance(found, Mapping):
        return None, Malformed(f"`{reference.path}` is not a JSON object, so it has no field `{fragment}`")
    if fragment in found:
        return found[fragment], None
    near = did_you_mean(fragment, map(str, found))
    return None, NotFound(f"`{reference.path}` has no field `{fragment}`{near}", hint=_names_of(found))


def _names_of(fields: Mapping[object, object]) -> str:
    """Say which fields there are: names only, and no more than can be read. A long one may be a misplaced value."""
    names = [f"`{name}`" for name in map(str, fields) if len(name) <= _LONGEST]
    more = ", …" if len(names) > _MOST else ""
    return "its fields are " + ", ".join(names[:_MOST]) + more if names else ""


def _structure(content: object, what: str) -> tuple[object, AdapterError | None]:
    if not isinstance(content, str | bytes):
        return content, None
    text = _text(content)
    if text is None:
        return None, Malformed(f"{what} is not UTF-8 text, so it has no fields")
    found, reason = _json.parse(text)
    return (None, Malformed(f"{what} {reason}")) if reason else (found, None)


def _text(content: str | bytes) -> str | None:
    if isinstance(content, str):
        return content
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


class Fields:
    """A source's fields by the names of settings, and what they are called there, ``owners``.

    ``collisions`` are pairs of fields that want the same name.
    """

    __slots__ = ("collisions", "document", "owners", "reference", "values", "verbatim")

    def __init__(
        self, document: Document, reference: Reference, fields: Mapping[str, object], *, verbatim: bool
    ) -> None:
        self.document = document
        self.reference = reference
        self.verbatim = verbatim
        self.values: dict[str, object] = {}
        self.collisions: dict[str, tuple[str, str]] = {}
        self.owners: dict[str, str] = {}
        for field, value in fields.items():
            name = field if verbatim else setting_name(field)
            if name in self.owners:
                self.collisions[name] = (self.owners[name], field)
            self.owners[name] = field
            self.values[name] = value


def fields_of(document: Document, reference: Reference, *, verbatim: bool) -> tuple[Fields | None, AdapterError | None]:
    """Return the fields of a source's document, named by the rule, or why it has none.

    ``verbatim`` keeps the names as they are written, for stores that hold environment variables.
    """
    raw, error = extract(document, reference)
    fields: object = raw
    what = f"`{reference.path}`" if reference.fragment is None else f"`{reference.fragment}` of `{reference.path}`"
    if error is None:
        fields, error = _structure(raw, what)
    if error is not None:
        return None, error
    if not isinstance(fields, Mapping):
        return None, Malformed(f"{what} has no fields: a source is a mapping, a tree, or a JSON object")
    return Fields(document, reference, {str(key): value for key, value in fields.items()}, verbatim=verbatim), None


def code_pattern() -> str:
    """Return a regular expression of the names for which `runs_code` is true, for those who look elsewhere."""
    return f"^(?:{'|'.join(sorted(_DANGEROUS))}|(?:{'|'.join(_DANGEROUS_PREFIXES)}).*)$"


def runs_code(name: str) -> bool:
    """Tell whether an environment variable of this name makes programs load other code."""
    return name in _DANGEROUS or name.startswith(_DANGEROUS_PREFIXES)


def setting_name(field: str) -> str:
    """Return the setting's name for a field or a path: the last segment, upper case, odd characters as ``_``."""
    return re.sub(_RUN, "_", field.rstrip("/").rpartition("/")[2].upper())
