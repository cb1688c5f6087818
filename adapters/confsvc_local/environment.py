"""``env://NAME`` and ``env://?prefix=SHOP_``: this process's own environment."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from confsvc.adapter import Deadline, Document, Outcome
from confsvc.errors import Malformed, NotFound
from confsvc.reference import Reference
from confsvc_local._base import LocalAdapter

if TYPE_CHECKING:
    from confsvc.diagnosis import Finding

__all__ = ["EnvironmentAdapter"]


class EnvironmentAdapter(LocalAdapter):
    """Reads environment variables: one by its name, or all those with a prefix, which is kept in their names."""

    parameters = frozenset({"prefix"})
    keeps_names = True

    def paths(self, reference: Reference) -> Sequence[str]:
        """Return none: the environment of a process that runs is its own affair."""
        del reference
        return []

    def examine(
        self, references: Sequence[Reference], *, deadline: Deadline, optional: Collection[Reference] = ()
    ) -> "Iterator[Finding]":
        """See ``confsvc.diagnosis.Examiner``."""
        from confsvc.diagnosis import Finding

        del optional  # a variable that is missing is told of all the same: it is set elsewhere
        deadline.check()
        environ = self._backend.environ
        for reference in references:
            name, prefix = reference.path, reference.parameter("prefix")
            number = sum(one == name if name else one.startswith(prefix) for one in environ)
            what = f"`{name}`" if name else f"`{prefix}…`"
            if number:
                yield Finding("variable", "ok", f"{what} is set" if name else f"{what}: {number} variables are set")
            else:
                yield Finding("variable", "warning", f"{what} is not set here", "set it where the program starts")

    def _read(self, reference: Reference, deadline: Deadline) -> Outcome:
        deadline.check()
        environ = self._backend.environ
        prefix = reference.parameter("prefix")
        if not reference.path:
            return Document({name: text for name, text in environ.items() if name.startswith(prefix)}, secret=False)
        if prefix:
            return Malformed("a name and a prefix exclude each other")
        if reference.path not in environ:
            return NotFound(f"`{reference.path}` is not set")
        return Document(environ[reference.path], secret=False)
