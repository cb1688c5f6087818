"""Tokens that were given to us: in the manifest's words, in a variable, or in the file that ``vault login`` writes."""

import os

from confsvc.adapter import Backend
from confsvc.errors import Unauthenticated
from confsvc_vault.values import read_text, text_of, variable

__all__ = ["checked_token", "given_token"]


def given_token(backend: Backend) -> str:
    """Return the token that was given, an empty string where there is none.

    Raises:
        Unauthenticated: where it should be it is not, or it cannot be one.

    """
    auth = backend.options.get("auth")
    table = auth if isinstance(auth, dict) else {}
    return checked_token(text_of(backend, table, "token", Unauthenticated) or _found_token(backend))


def checked_token(text: str) -> str:
    """Return ``text`` without white space around it.

    Raises:
        Unauthenticated: it holds what no token does, and no header may.

    """
    token = text.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Unauthenticated("what is given as the token is none: it holds white space, or odd characters")
    return token


def _found_token(backend: Backend) -> str:
    token = variable(backend, "TOKEN")
    if token:
        return token
    file = variable(backend, "TOKEN_FILE")
    if file:
        found = read_text(file)
        if not found:
            raise Unauthenticated(f"the token file `{file}` cannot be read, or is empty")
        return found
    home = backend.environ.get("HOME", "")
    return read_text(os.path.join(home, ".vault-token")) if home else ""
