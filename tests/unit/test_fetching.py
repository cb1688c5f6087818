"""Reading documents: at the same time, each once, before one deadline, and whatever an adapter does."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from confsvc import registry
from confsvc.adapter import Backend, Deadline, Document, Outcome
from confsvc.errors import ConfsvcError, DeadlineError, InternalError, ManifestError, NotFound, Unavailable
from confsvc.fetching import Pool, fetch_documents
from confsvc.reference import Reference
from confsvc.testing import find_leaks

CANARY = "cnry-5e1f"


class Fake:
    """An adapter that does as its class says."""

    options: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    parameters: ClassVar[frozenset[str]] = frozenset()
    local: ClassVar[bool] = False
    keeps_names: ClassVar[bool] = False
    closed = 0

    def __init__(self, backend: Backend) -> None:
        self.name = backend.name

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        """Give every reference a document."""
        del deadline
        return {reference: Document(self.name) for reference in references}

    def close(self) -> None:
        """Count."""
        type(self).closed += 1


def fetch(*kinds: type[Any], seconds: float = 60) -> dict[str, Document | ConfsvcError]:
    """Fetch one document from a backend of each kind."""
    references = [Reference(f"b{number}", "x") for number in range(len(kinds))]
    backends = {f"b{n}": Backend(f"b{n}", f"b{n}", {}, "/", {}) for n in range(len(kinds))}
    makers = {f"b{number}": kind for number, kind in enumerate(kinds)}
    found = fetch_documents(references, backends, Deadline(seconds), Pool(lambda b: makers[b.name](b)))
    return {reference.scheme: outcome for reference, outcome in found.items()}


def test_backends_are_read_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=30)

    class Waiting(Fake):
        def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
            meeting.wait()
            return super().fetch(references, deadline=deadline)

    found = fetch(Waiting, Waiting, Waiting, seconds=60)
    assert all(isinstance(outcome, Document) for outcome in found.values())


def test_one_that_hangs_holds_up_nobody() -> None:
    release = threading.Event()

    class Hanging(Fake):
        def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
            release.wait(60)
            return super().fetch(references, deadline=deadline)

    found = fetch(Hanging, Fake, seconds=2)
    release.set()
    assert isinstance(found["b0"], DeadlineError)
    assert isinstance(found["b1"], Document)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (RuntimeError(CANARY), InternalError),
        (KeyError(CANARY), InternalError),
        (DeadlineError("late"), DeadlineError),
        (ManifestError("no address"), ManifestError),
        (NotFound("gone"), NotFound),
    ],
)
def test_what_an_adapter_raises_fails_its_own_settings(raised: Exception, expected: type[ConfsvcError]) -> None:
    class Raising(Fake):
        def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
            del references, deadline
            raise raised

    found = fetch(Raising, Fake)
    assert isinstance(found["b0"], expected)
    assert isinstance(found["b1"], Document)
    assert find_leaks(CANARY, found["b0"]) == []
    assert found["b0"].__context__ is None


@pytest.mark.parametrize("answer", [{}, {Reference("b0", "x"): None}, {Reference("b0", "x"): "text"}])
def test_an_adapter_that_leaves_one_out_is_told(answer: dict[Reference, Any]) -> None:
    class Silent(Fake):
        def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
            del references, deadline
            return answer

    assert isinstance(fetch(Silent)["b0"], InternalError)


def test_adapters_are_closed_also_after_a_failure() -> None:
    class Counted(Fake):
        closed = 0

        def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
            del references, deadline
            raise NotFound("x")

    fetch(Counted, Counted)
    assert Counted.closed == 2


def test_an_unknown_adapter_is_told_with_what_there_is() -> None:
    with pytest.raises(ManifestError, match=r"no adapter is called `dotnev` \(did you mean `dotenv`\?\)"):
        registry.adapter_class("dotnev")
    assert {"dir", "dotenv", "env", "file"} <= set(registry.known_adapters())


@pytest.mark.parametrize("raised", [SystemExit(CANARY), KeyboardInterrupt(CANARY), GeneratorExit(CANARY)])
def test_not_even_an_exit_gets_past(raised: BaseException, capfd: pytest.CaptureFixture[str]) -> None:
    class Leaving(Fake):
        def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
            del references, deadline
            raise raised

        def close(self) -> None:
            raise raised

    found = fetch(Leaving, seconds=60)["b0"]
    assert isinstance(found, InternalError)
    assert find_leaks(CANARY, found, *capfd.readouterr()) == []


@pytest.mark.parametrize("answer", [None, [], Document("x"), "text"])
def test_an_answer_that_is_no_mapping_is_told(answer: Any, capfd: pytest.CaptureFixture[str]) -> None:
    class Odd(Fake):
        def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
            del references, deadline
            found: Mapping[Reference, Outcome] = answer
            return found

    assert isinstance(fetch(Odd, seconds=60)["b0"], InternalError)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("seconds", [1e12, float("inf")])
def test_a_deadline_may_be_absurdly_far(seconds: float) -> None:
    assert isinstance(fetch(Fake, seconds=seconds)["b0"], Document)


def test_a_failure_to_close_spoils_nothing() -> None:
    class Clinging(Fake):
        def close(self) -> None:
            raise OSError(CANARY)

    assert isinstance(fetch(Clinging)["b0"], Document)


def test_one_backend_gets_all_its_references_in_one_call() -> None:
    asked: list[list[str]] = []

    class Listening(Fake):
        def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
            asked.append([reference.path for reference in references])
            return super().fetch(references, deadline=deadline)

    references = [Reference("b", path) for path in ("one", "two", "three")]
    backends = {"b": Backend("b", "b", {}, "/", {})}
    fetch_documents(references, backends, Deadline(10), Pool(Listening))
    assert asked == [["one", "two", "three"]]


def test_where_there_is_no_thread_left_a_backend_is_unavailable_and_the_others_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start

    def scarce(thread: threading.Thread) -> None:
        if thread.name == "confsvc-b0":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    found = fetch(Fake, Fake)
    assert isinstance(found["b0"], Unavailable)
    assert isinstance(found["b1"], Document)
