"""The contract that every adapter passes: subclass it in your tests, and say how your store is filled.

    class TestMine(AdapterContract):
        def backend(self) -> Backend: ...
        def put(self, name: str, text: str) -> str: ...
        def missing(self) -> str: ...

Every other hook skips, with a reason, until it is overridden: a store that can deny, be out of reach, hold bytes or
something malformed says how. Assertions in a package say little unless pytest rewrites them; the plugin that comes with
confsvc sees to that.
"""

import copy
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from confsvc.adapter import Adapter, Backend, Deadline, Document
from confsvc.errors import AdapterError, DeadlineError, Denied, Malformed, NotFound, Unavailable
from confsvc.extract import extract
from confsvc.manifest_schema import check
from confsvc.reference import Reference, parse_reference
from confsvc.registry import adapter_class
from confsvc.testing.canary import find_leaks, make_canary
from confsvc.testing.watching import watch

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

# Every byte there is, and what is no UTF-8.
_BYTES = bytes(range(256)) + b"\xff\xfe\0\r\n"

_ODD_NAME = "-\u00e9 %20+&=;'\"?#$(x)\\"
_NAME = r"[A-Za-z][A-Za-z0-9_.-]*"
_KEYWORDS = frozenset(
    "additionalProperties default description enum examples items minItems minimum pattern patternProperties "
    "properties required title type".split()
)
_TYPES = frozenset({"array", "boolean", "integer", "number", "object", "string"})
_PATIENCE = 20.0


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

    def put_bytes(self, name: str, data: bytes) -> str:
        """Store ``data``, which is no text, under ``name``. Returns the reference that reads exactly it."""
        del name, data
        pytest.skip("this store holds text only")

    def denied(self) -> str:
        """Make something that this process may not read. Returns its reference."""
        pytest.skip("this store denies nothing")

    def unreachable(self) -> tuple[Backend, str]:
        """Return a backend whose store does not answer, and a reference into it."""
        pytest.skip("this store cannot be out of reach")

    def malformed(self) -> str:
        """Make something that is there and cannot be used. Returns its reference."""
        pytest.skip("everything in this store can be used")

    def malformed_with(self, text: str) -> str:
        """Make something that cannot be used and holds ``text``, which no error may tell. Returns its reference."""
        del text
        pytest.skip("what cannot be used in this store holds no text")

    def unsupported(self, name: str) -> str:
        """Return why the store cannot hold ``VALUES[name]`` at all; an empty string where it can."""
        del name
        return ""

    # What follows is the contract.

    def test_making_one_does_no_io(self) -> None:
        backend = self.backend()._replace(directory="/nonexistent")
        kind = adapter_class(backend.adapter)
        kind(backend)  # modules that are imported here are not what is meant
        with watch() as seen:
            kind(backend)
        assert seen == []

    def test_it_says_what_it_takes(self) -> None:
        found = adapter_class(self.backend().adapter)
        assert isinstance(found.parameters, frozenset)
        assert [name for name in found.parameters if not re.fullmatch(_NAME, name)] == []
        assert isinstance(found.local, bool)
        assert isinstance(found.keeps_names, bool)

    def test_its_options_are_json_schemas(self) -> None:
        options = adapter_class(self.backend().adapter).options
        assert [name for name in options if not re.fullmatch(_NAME, name)] == []
        _check_schema({"properties": options})
        schema = {"properties": options, "additionalProperties": False}
        assert list(check(dict(self.backend().options), schema)) == []

    @pytest.mark.parametrize("name", VALUES)
    def test_every_byte_survives(self, name: str) -> None:
        reason = self.unsupported(name)
        if reason:
            pytest.skip(reason)
        text = self.put(f"contract-{list(VALUES).index(name)}", VALUES[name])
        assert _text(self._read(text), text) == VALUES[name]

    def test_bytes_that_are_no_text_survive(self) -> None:
        text = self.put_bytes("bytes", _BYTES)
        assert _raw(self._read(text), text) == _BYTES

    def test_what_is_missing_is_not_found(self) -> None:
        self._fails(self.missing(), NotFound)

    def test_what_has_an_odd_name_is_missing_too(self) -> None:
        reference = _document(self.missing())
        odd = reference._replace(path=reference.path.rstrip("/") + _ODD_NAME)
        outcome = _fetch(self.backend(), [odd])[odd]
        assert isinstance(outcome, NotFound | Denied | Malformed), outcome
        _check_error(outcome)

    def test_what_is_denied_is_denied(self) -> None:
        self._fails(self.denied(), Denied)

    def test_what_is_malformed_is_malformed(self) -> None:
        self._fails(self.malformed(), Malformed)

    def test_what_is_malformed_is_not_told(self) -> None:
        canary = make_canary()
        text = self.malformed_with(canary)
        assert find_leaks(canary, self._fails(text, Malformed)) == []

    def test_a_store_out_of_reach_is_unavailable(self) -> None:
        backend, text = self.unreachable()
        outcome = _fetch(backend, [_document(text)])[_document(text)]
        assert isinstance(outcome, Unavailable), outcome
        _check_error(outcome)

    def test_a_batch_says_the_same_as_one_by_one(self) -> None:
        texts = [self.put(f"batch-{number}", f"value {number}") for number in range(3)] + [self.missing()]
        self._check_batch(texts)

    def test_what_is_malformed_spoils_nothing_else(self) -> None:
        self._check_batch([self.put("good", "value"), self.malformed(), self.missing()])

    def test_asked_for_nothing_it_says_nothing(self) -> None:
        assert _fetch(self.backend(), []) == {}

    def test_reading_twice_gives_the_same(self) -> None:
        reference = _document(self.put("twice", "same"))
        with _opened(self.backend()) as adapter:
            first = adapter.fetch([reference], deadline=Deadline(_PATIENCE))
            again = adapter.fetch([reference], deadline=Deadline(_PATIENCE))
        assert _same(first[reference], again[reference])

    def test_a_version_that_was_read_can_be_read_again(self) -> None:
        pin = getattr(adapter_class(self.backend().adapter), "pin", None)
        if pin is None:
            pytest.skip("this store keeps no earlier versions")
        text = self.put("pinned", "then")
        then = self._read(text)
        assert isinstance(then, Document)
        if not then.version:
            pytest.skip("this store keeps no earlier versions")
        self.put("pinned", "now")
        pinned = pin(_document(text), then.version)
        assert _same(_fetch(self.backend(), [pinned])[pinned], then)
        assert not _same(self._read(text), then)

    def test_a_deadline_that_passed_ends_it(self) -> None:
        outcome = _fetch_aside(self.backend(), _document(self.put("late", "value")), Deadline(0))
        assert isinstance(outcome, DeadlineError), outcome

    def test_a_store_out_of_reach_keeps_the_deadline(self) -> None:
        backend, text = self.unreachable()
        outcome = _fetch_aside(backend, _document(text), Deadline(0.5))
        assert isinstance(outcome, DeadlineError | Unavailable), outcome

    def test_a_value_shows_nowhere(self) -> None:
        canary = make_canary()
        text = self.put("canary", canary)
        with _opened(self.backend()) as adapter:
            document = adapter.fetch([_document(text)], deadline=Deadline(_PATIENCE))[_document(text)]
            assert find_leaks(canary, repr(adapter)) == []
        assert isinstance(document, Document)
        assert find_leaks(canary, repr(document), str(document), repr(vars(type(document)))) == []
        assert find_leaks(canary, document.notes, document.version, copy.copy(document.content)) == []
        _, error = extract(document, _reference(text)._replace(fragment="no such field"))
        assert find_leaks(canary, error) == []

    def _read(self, text: str) -> object:
        return _fetch(self.backend(), [_document(text)])[_document(text)]

    def _fails(self, text: str, kind: type[AdapterError]) -> AdapterError:
        outcome = self._read(text)
        error: object = outcome
        if isinstance(outcome, Document):
            _, error = extract(outcome, _reference(text))
        assert type(error) is kind, f"{error!r} is not {kind.__name__}"
        assert isinstance(error, AdapterError)
        _check_error(error)
        return error

    def _check_batch(self, texts: list[str]) -> None:
        references = list(dict.fromkeys(_document(text) for text in texts))
        together = _fetch(self.backend(), references)
        assert set(together) == set(references)
        for reference in references:
            alone = _fetch(self.backend(), [reference])[reference]
            assert _same(together[reference], alone), f"{together[reference]!r} is not {alone!r}"


def _check_error(error: AdapterError) -> None:
    assert re.search(r"\w", error.message)
    assert error.__cause__ is None
    assert error.__context__ is None
    assert error.exit_status in {65, 69, 75, 77}


def _check_schema(schema: object) -> None:
    """Check that everything in ``schema`` is what the manifest's checks act upon."""
    assert isinstance(schema, Mapping), schema
    assert _KEYWORDS.issuperset(schema), f"manifests are not checked for {set(schema) - _KEYWORDS}"
    types = schema.get("type", [])
    assert _TYPES.issuperset([types] if isinstance(types, str) else types), schema
    parts = [part for table in ("properties", "patternProperties") for part in schema.get(table, {}).values()]
    for part in parts + [schema[key] for key in ("items",) if key in schema]:
        _check_schema(part)


def _reference(text: str) -> Reference:
    return parse_reference(text)


def _document(text: str) -> Reference:
    return parse_reference(text).document


@contextmanager
def _opened(backend: Backend) -> Iterator[Adapter]:
    """Make an adapter, and close it as the resolver does."""
    adapter = adapter_class(backend.adapter)(backend)
    try:
        yield adapter
    finally:
        close = getattr(adapter, "close", None)
        if callable(close):
            close()


def _fetch(backend: Backend, references: list[Reference]) -> dict[Reference, Any]:
    with _opened(backend) as adapter:
        return dict(adapter.fetch(references, deadline=Deadline(_PATIENCE)))


def _fetch_aside(backend: Backend, reference: Reference, deadline: Deadline) -> object:
    """Return what becomes of ``reference``, DeadlineError included; an adapter that hangs fails the test."""
    found: list[object] = []

    def fetch() -> None:
        try:
            with _opened(backend) as adapter:
                found.append(adapter.fetch([reference], deadline=deadline)[reference])
        except DeadlineError as error:
            found.append(error)

    thread = threading.Thread(target=fetch, name="confsvc-contract", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    assert not thread.is_alive(), "it still waits, long after the deadline"
    assert found, "it failed with something else than DeadlineError"
    return found[0]


def _same(one: object, other: object) -> bool:
    if isinstance(one, Document) and isinstance(other, Document):
        return one.content == other.content and one.version == other.version and one.secret == other.secret
    return type(one) is type(other) and str(one) == str(other)


def _raw(outcome: object, text: str) -> object:
    assert isinstance(outcome, Document), outcome
    raw, error = extract(outcome, _reference(text))
    assert error is None, error
    return raw


def _text(outcome: object, text: str) -> object:
    raw = _raw(outcome, text)
    return raw.decode() if isinstance(raw, bytes) else raw
