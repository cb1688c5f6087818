"""The contract is worth what it finds: adapters with one flaw each, and the test of the contract that names it."""

import inspect
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from confsvc import registry
from confsvc.adapter import Backend, Deadline, Document, Outcome
from confsvc.errors import Denied, Malformed, NotFound, Unavailable
from confsvc.reference import Reference
from confsvc.testing import AdapterContract, MemoryAdapter, MemoryStore
from confsvc.testing import contract as suite


class Contract(AdapterContract):
    """A store that can be in every state."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    def backend(self) -> Backend:
        return Backend("memory", "memory", {}, "/", {})

    def put(self, name: str, text: str) -> str:
        self.store.put(name, text)
        return f"memory://{name}"

    def put_bytes(self, name: str, data: bytes) -> str:
        self.store.put(name, data)
        return f"memory://{name}"

    def missing(self) -> str:
        return "memory://nowhere"

    def denied(self) -> str:
        self.store.fail("closed", Denied("no"))
        return "memory://closed"

    def malformed(self) -> str:
        self.store.fail("bad", Malformed("odd"))
        return "memory://bad"

    def malformed_with(self, text: str) -> str:
        self.store.put("bad", text, version="malformed")
        return "memory://bad"

    def unreachable(self) -> tuple[Backend, str]:
        self.store.fail("far", Unavailable("no answer"))
        return self.backend(), "memory://far"


class Sound(MemoryAdapter):
    """An adapter without a flaw, to be spoilt: ``see`` has the last word about every outcome."""

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        found = super().fetch(references, deadline=deadline)
        return {reference: self.see(outcome) for reference, outcome in found.items()}

    def see(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Document) and outcome.version == "malformed":
            return Malformed("it cannot be read")
        return outcome


class ReadsAtOnce(Sound):
    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        with Path("/dev/null").open():
            pass


class ConnectsAtOnce(Sound):
    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        socket.socket().close()


class Strips(Sound):
    def see(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Document) and isinstance(text := outcome.content.reveal(), str):
            return Document(text.strip())
        return super().see(outcome)


class Decodes(Sound):
    def see(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Document) and isinstance(data := outcome.content.reveal(), bytes):
            return Document(data.decode(errors="replace"))
        return super().see(outcome)


class HidesDenial(Sound):
    def see(self, outcome: Outcome) -> Outcome:
        return NotFound("it is not there") if isinstance(outcome, Denied) else super().see(outcome)


class TakesOutagesForAbsence(Sound):
    def see(self, outcome: Outcome) -> Outcome:
        return NotFound("it is not there") if isinstance(outcome, Unavailable) else super().see(outcome)


class TakesJunkForAbsence(Sound):
    def see(self, outcome: Outcome) -> Outcome:
        return NotFound("it is not there") if isinstance(outcome, Malformed) else super().see(outcome)


class SaysNothing(Sound):
    def see(self, outcome: Outcome) -> Outcome:
        return NotFound("") if isinstance(outcome, NotFound) else super().see(outcome)


class HasAContext(Sound):
    def see(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, NotFound):
            outcome.__context__ = KeyError("nowhere")
        return super().see(outcome)


class TellsWhatItRead(Sound):
    def see(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Document) and outcome.version == "malformed":
            return Malformed(f"it cannot be read: {outcome.content.reveal()!r}")
        return outcome


class KeepsWhatItRead(Sound):
    def see(self, outcome: Outcome) -> Outcome:
        found = super().see(outcome)
        if isinstance(outcome, Document) and isinstance(found, Malformed):
            vars(found)["answer"] = {"body": outcome.content.reveal()}
        return found


class NotesWhatItRead(Sound):
    def see(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Document) and outcome.version != "malformed":
            return Document(outcome.content.reveal(), notes=[f"read {outcome.content.reveal()!r}"])
        return super().see(outcome)


class ForgetsWhatIsMissing(Sound):
    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        found = super().fetch(references, deadline=deadline)
        return {reference: outcome for reference, outcome in found.items() if isinstance(outcome, Document)}


class FailsTogether(Sound):
    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        found = super().fetch(references, deadline=deadline)
        worst = next((outcome for outcome in found.values() if isinstance(outcome, Malformed)), None)
        return dict.fromkeys(found, worst) if worst else found


class CountsVersions(Sound):
    reads = 0

    def see(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Document) and outcome.version != "malformed":
            type(self).reads += 1
            return Document(outcome.content.reveal(), version=str(self.reads))
        return super().see(outcome)


class HasNoTime(Sound):
    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        return super().fetch(references, deadline=Deadline(deadline.seconds + 60))


class Waits(Sound):
    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        if not deadline.remaining():
            threading.Event().wait(5)
        return super().fetch(references, deadline=deadline)


class WaitsForTheStore(Sound):
    def see(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Unavailable):
            threading.Event().wait(5)
        return super().see(outcome)


class AnswersUnasked(Sound):
    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        return super().fetch(references or [Reference("memory", "all")], deadline=deadline)


class MistypesAnOption(Sound):
    options = {"region": {"type": "text"}}  # noqa: RUF012 - typed by the protocol


class ExpectsMoreOfOptions(Sound):
    options = {"region": {"type": "string", "maxLength": 3}}  # noqa: RUF012 - typed by the protocol


class ListsParameters(Sound):
    parameters = ("version",)  # type: ignore[assignment]


class ChokesOnOddNames(Sound):
    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        for reference in references:
            reference.path.encode("ascii")
        return super().fetch(references, deadline=deadline)


class PinsNothing(Sound):
    @staticmethod
    def pin(reference: Reference, version: str, part: str = "") -> Reference:
        del version, part
        return reference


FLAWS: dict[type[Sound], str] = {
    ReadsAtOnce: "making_one_does_no_io",
    ConnectsAtOnce: "making_one_does_no_io",
    Strips: "every_byte_survives",
    Decodes: "bytes_that_are_no_text_survive",
    HidesDenial: "what_is_denied_is_denied",
    TakesOutagesForAbsence: "a_store_out_of_reach_is_unavailable",
    TakesJunkForAbsence: "what_is_malformed_is_malformed",
    SaysNothing: "what_is_missing_is_not_found",
    HasAContext: "what_is_missing_is_not_found",
    TellsWhatItRead: "what_is_malformed_is_not_told",
    KeepsWhatItRead: "what_is_malformed_is_not_told",
    NotesWhatItRead: "a_value_shows_nowhere",
    ForgetsWhatIsMissing: "a_batch_says_the_same_as_one_by_one",
    FailsTogether: "what_is_malformed_spoils_nothing_else",
    CountsVersions: "reading_twice_gives_the_same",
    PinsNothing: "a_version_that_was_read_can_be_read_again",
    HasNoTime: "a_deadline_that_passed_ends_it",
    Waits: "a_deadline_that_passed_ends_it",
    WaitsForTheStore: "a_store_out_of_reach_keeps_the_deadline",
    AnswersUnasked: "asked_for_nothing_it_says_nothing",
    MistypesAnOption: "its_options_are_json_schemas",
    ExpectsMoreOfOptions: "its_options_are_json_schemas",
    ListsParameters: "it_says_what_it_takes",
    ChokesOnOddNames: "what_has_an_odd_name_is_missing_too",
}


def checks(store: MemoryStore, name: str) -> list[Callable[[], None]]:
    """Return the contract's test ``name``, once for each of its parameters."""
    check = getattr(Contract(store), f"test_{name}")
    values = suite.VALUES if inspect.signature(check).parameters else ()
    return [partial(check, value) for value in values] or [check]


def names() -> list[str]:
    return [name.removeprefix("test_") for name in dir(AdapterContract) if name.startswith("test_")]


@pytest.mark.parametrize("name", names())
def test_an_adapter_without_a_flaw_passes(confsvc_memory: MemoryStore, name: str) -> None:
    registry.register("memory", _reading(confsvc_memory, Sound))
    for check in checks(confsvc_memory, name):
        check()


@pytest.mark.parametrize("flawed", FLAWS, ids=lambda kind: kind.__name__)
def test_a_flaw_is_found(confsvc_memory: MemoryStore, flawed: type[Sound], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "_PATIENCE", 1.0)
    registry.register("memory", _reading(confsvc_memory, flawed))
    found = []
    for check in checks(confsvc_memory, FLAWS[flawed]):
        try:
            check()
        except (AssertionError, KeyError, UnicodeError) as error:
            found.append(error)
    assert found


def test_every_test_of_the_contract_finds_a_flaw() -> None:
    assert set(FLAWS.values()) == set(names())


def _reading(store: MemoryStore, kind: type[Sound]) -> type[Sound]:
    kind.store = store
    return kind
