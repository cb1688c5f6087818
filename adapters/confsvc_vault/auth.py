"""The ``auth`` table of a backend: which method, and what it needs."""

from collections.abc import Mapping
from typing import Any

from confsvc.adapter import Backend
from confsvc.errors import ManifestError, Unauthenticated
from confsvc_vault.options import METHODS
from confsvc_vault.values import text_of, variable

__all__ = ["Auth", "check_auth"]


class Auth:
    """The ``auth`` table of a backend. Its texts are read when they are asked for, at every login anew."""

    def __init__(self, backend: Backend) -> None:
        table = backend.options.get("auth")
        self._backend = backend
        self._table: Mapping[str, Any] = table if isinstance(table, Mapping) else {}
        self.method = str(self._table.get("method", "token"))

    @property
    def keys(self) -> set[str]:
        """The keys that are written."""
        return {*self._table} - {"method", "mount"}

    @property
    def mount(self) -> str:
        """Where the method is mounted: under its own name by default. Percent-encoded where it needs to be."""
        return self.text("mount", self.method).strip("/")

    @property
    def role(self) -> str:
        """The role to take, empty where none is written."""
        return self.text("role")

    def switch(self, key: str) -> bool:
        """Tell whether ``key`` is written and true."""
        return bool(self._table.get(key, False))

    def text(self, key: str, default: str = "") -> str:
        """Return the text of ``key``, or ``default`` where it is not written.

        Raises:
            Unauthenticated: it is in a variable or a file that is not there.

        """
        return text_of(self._backend, self._table, key, Unauthenticated) or default

    def needed(self, key: str, name: str) -> str:
        """Return the text of ``key``, or that of the variable VAULT_``name`` or BAO_``name``.

        Raises:
            Unauthenticated: there is neither.

        """
        text = self.text(key) or variable(self._backend, name)
        if not text:
            raise Unauthenticated(f"`auth` has no `{key}`, and VAULT_{name} is not set")
        return text

    def environ(self, name: str) -> str:
        """Return an environment variable, empty where it is not set."""
        return self._backend.environ.get(name, "")


def check_auth(auth: Auth, name: str) -> None:
    """See that the keys written belong to the method.

    Raises:
        ManifestError: one is missing, or is another method's.

    """
    needed, possible = METHODS[auth.method]
    where = f"backend `{name}`: `auth` with the method `{auth.method}`"
    for key in sorted(needed - auth.keys):
        raise ManifestError(f"{where} needs `{key}`")
    for key in sorted(auth.keys - needed - possible):
        raise ManifestError(f"{where} takes no `{key}`")
