"""The contract that every adapter passes: subclass it in your tests, and say how your store is filled.

    class TestMine(AdapterContract):
        def backend(self) -> Backend: ...
        def put(self, name: str, text: str) -> str: ...

Assertions in a package say little unless pytest rewrites them; the plugin that comes with confsvc sees to that.
"""

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from confsvc.adapter import Adapter, Backend, Deadline, Document
from confsvc.errors import AdapterError, DeadlineError, Denied, Malformed, NotFound, Unavailable
from confsvc.extract import extract
from confsvc.reference import Reference, parse_reference
from confsvc.registry import adapter_class
from confsvc.testing.canary import find_leaks, make_canary

__all__ = ["VALUES", "AdapterContract"]

# Values that have been lost, cut or changed on the way by one tool or another.
VALUES = {
    "empty": "",
    "space": "  leading and trailing  ",
    "newline at the end": "line\n",
    "carriage returns": "a\r\nb\rc",
    "pem": "-----BEGIN X-----\nMIIB+/=\nabc\n-----END X-----\n",
    "composed": "caf\u00e9",
    "decomposed": "cafe\u0301",
    "astral": "\U0001f511 key",
    "json object": '{"a": 1.10, "b": [true, null]}',
    "number": "00123456789012345678901234567890",
    "exponent": "1e400",
    "template": "${HOME} {{ x }} $(id) %s {0} `id`",
    "reference": "vault://secret/db#password",
    "quotes": "'\"\\ \\n #not a comment",
    "control": "\x01\x1b[31m\x7f",
    "64 KiB": "x" * 65536,
}


class AdapterContract:
    """What is the same for all adapters. Override the hooks; skip, with a reason, what your store cannot do."""

    def backend(self) -> Backend:
        """Return the backend to test, with what its store needs in ``options`` and ``environ``."""
        raise NotImplementedError

    def put(self, name: str, text: str) -> str:
        """Store ``text`` under ``name``. Returns the reference, as text, that reads exactly it."""
        raise NotImplementedError

    def missing(self) -> str:
        """Return a reference to what is not there."""
        raise NotImplementedError

    def denied(self) -> str:
        """Make something that this process may not read. Returns its reference."""
        pytest.skip("this store denies nothing")

    def unreachable(self) -> tuple[Backend, str]:
        """Return a backend whose store does not answer, and a reference into it."""
        pytest.skip("this store cannot be out of reach")

    def malformed(self) -> str:
        """Make something that is there and cannot be used. Returns its reference."""
        pytest.skip("everything in this store can be used")

    def unsupported(self, name: str) -> str:
        """Return why the store cannot hold ``VALUES[name]`` at all; an empty string where it can."""
        del name
        return ""

    # What follows is the contract.

    def test_making_one_does_no_io(self) -> None:
        backend = self.backend()._replace(directory="/nonexistent")
        assert adapter_class(backend.adapter)(backend) is not None

    def test_it_says_what_it_takes(self) -> None:
        found = adapter_class(self.backend().adapter)
        assert isinstance(found.parameters, frozenset)
        assert all(isinstance(schema, dict) for schema in found.options.values())
        assert isinstance(found.local, bool)
        assert isinstance(found.keeps_names, bool)

    @pytest.mark.parametrize("name", VALUES)
    def test_every_byte_survives(self, name: str) -> None:
        reason = self.unsupported(name)
        if reason:
            pytest.skip(reason)
        text = self.put(f"contract-{list(VALUES).index(name)}", VALUES[name])
        assert _text(self._read(text), text) == VALUES[name]

    def test_what_is_missing_is_not_found(self) -> None:
        self._fails(self.missing(), NotFound)

    def test_what_is_denied_is_denied(self) -> None:
        self._fails(self.denied(), Denied)

    def test_what_is_malformed_is_malformed(self) -> None:
        self._fails(self.malformed(), Malformed)

    def test_a_store_out_of_reach_is_unavailable(self) -> None:
        backend, text = self.unreachable()
        outcome = _fetch(backend, [_document(text)])[_document(text)]
        assert isinstance(outcome, Unavailable), outcome
        _check_error(outcome)

    def test_a_batch_says_the_same_as_one_by_one(self) -> None:
        texts = [self.put(f"batch-{number}", f"value {number}") for number in range(3)] + [self.missing()]
        references = list(dict.fromkeys(_document(text) for text in texts))
        together = _fetch(self.backend(), references)
        assert set(together) == set(references)
        for reference in references:
            alone = _fetch(self.backend(), [reference])[reference]
            assert _same(together[reference], alone)

    def test_reading_twice_gives_the_same(self) -> None:
        reference = _document(self.put("twice", "same"))
        with _opened(self.backend()) as adapter:
            first = adapter.fetch([reference], deadline=Deadline(20))
            again = adapter.fetch([reference], deadline=Deadline(20))
        assert _same(first[reference], again[reference])

    def test_a_deadline_that_passed_ends_it(self) -> None:
        reference = _document(self.put("late", "value"))
        with _opened(self.backend()) as adapter, pytest.raises(DeadlineError):
            adapter.fetch([reference], deadline=Deadline(0))

    def test_a_value_shows_nowhere(self) -> None:
        canary = make_canary()
        text = self.put("canary", canary)
        document = self._read(text)
        assert isinstance(document, Document)
        assert find_leaks(canary, repr(document), str(document), repr(vars(type(document)))) == []
        assert find_leaks(canary, repr(document.notes), repr(document.version), repr(copy.copy(document.content))) == []
        field = _reference(text)._replace(fragment="no such field")
        _, error = extract(document, field)
        assert find_leaks(canary, error) == []

    def _read(self, text: str) -> object:
        return _fetch(self.backend(), [_document(text)])[_document(text)]

    def _fails(self, text: str, kind: type[AdapterError]) -> None:
        reference = _reference(text)
        outcome = self._read(text)
        error: object = outcome
        if isinstance(outcome, Document):
            _, error = extract(outcome, reference)
        assert type(error) is kind, f"{error!r} is not {kind.__name__}"
        assert isinstance(error, AdapterError)
        _check_error(error)


def _check_error(error: AdapterError) -> None:
    assert re.search(r"\w", error.message)
    assert error.__cause__ is None
    assert error.__context__ is None
    assert error.exit_status in {65, 69, 75, 77}


def _reference(text: str) -> Reference:
    return parse_reference(text)


def _document(text: str) -> Reference:
    return parse_reference(text).document


@contextmanager
def _opened(backend: Backend) -> Iterator[Adapter]:
    """Make an adapter, and close it as the resolver does."""
    adapter = adapter_class(backend.adapter)(backend)
    yield adapter
    close = getattr(adapter, "close", None)
    if callable(close):
        close()


def _fetch(backend: Backend, references: list[Reference]) -> dict[Reference, Any]:
    with _opened(backend) as adapter:
        return dict(adapter.fetch(references, deadline=Deadline(20)))


def _same(one: object, other: object) -> bool:
    if isinstance(one, Document) and isinstance(other, Document):
        return one.content == other.content and one.version == other.version and one.secret == other.secret
    return type(one) is type(other) and str(one) == str(other)


def _text(outcome: object, text: str) -> object:
    assert isinstance(outcome, Document), outcome
    raw, error = extract(outcome, _reference(text))
    assert error is None, error
    return raw.decode() if isinstance(raw, bytes) else raw
