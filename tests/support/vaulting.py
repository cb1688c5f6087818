"""Asking the vault adapter, as the resolver does."""

from collections.abc import Mapping
from typing import Any

from confsvc.adapter import Backend, Deadline, Document
from confsvc.errors import ConfsvcError
from confsvc.extract import extract
from confsvc.reference import parse_reference
from confsvc_vault.adapter import VaultAdapter
from openbao import ROOT

__all__ = ["backend_for", "fetch", "fetch_one", "value_of"]


def backend_for(
    address: str, environ: Mapping[str, str] | None = None, *, name: str = "vault", directory: str = "/", **options: Any
) -> Backend:
    """Return a backend at ``address``; with no ``auth`` and no ``environ`` it has the root token."""
    if environ is None:
        environ = {} if "auth" in options else {"VAULT_TOKEN": ROOT}
    return Backend(name, "vault", {"address": address, **options} if address else options, directory, environ)


def fetch(backend: Backend, *texts: str, seconds: float = 60) -> list[Document | ConfsvcError]:
    """Return the outcome of each reference; an error that is raised is the outcome of all."""
    references = [parse_reference(text).document for text in texts]
    adapter = VaultAdapter(backend)
    try:
        found = adapter.fetch(references, deadline=Deadline(seconds))
    except ConfsvcError as error:
        return [error.with_traceback(None)] * len(texts)
    finally:
        adapter.close()
    assert set(found) == set(references)
    return [found[reference] for reference in references]


def fetch_one(backend: Backend, text: str, *, seconds: float = 60) -> Document | ConfsvcError:
    """Return the outcome of one reference."""
    return fetch(backend, text, seconds=seconds)[0]


def value_of(backend: Backend, text: str) -> Any:
    """Return the value that ``text`` names, which must be there."""
    outcome = fetch_one(backend, text)
    assert isinstance(outcome, Document), outcome
    raw, error = extract(outcome, parse_reference(text))
    assert error is None, error
    return raw
