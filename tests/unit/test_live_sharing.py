"""Processes that read together: who leads, who asks, and who is not let in."""

import os
import select
import socket
import stat
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.adapter import Description, Document, Lease, lasting_clock
from confsvc.errors import Denied, InternalError, NotFound, Unavailable
from confsvc.fetching import Described, Fetched
from confsvc.live.sharing.shared import Shared
from confsvc.meeting import Place, find_place
from confsvc.outcomes import decode, encode
from confsvc.reference import Reference

ONE, TWO = Reference("vault", "secret/one"), Reference("vault", "secret/two")
KEY = b"k" * 32


class Backend:
    """What the backends would say, and how often they were asked."""

    def __init__(self, **outcomes: Any) -> None:
        self.outcomes: dict[str, Any] = {"one": Document("1", version="1"), "two": Document({"a": "2"}), **outcomes}
        self.asked: Counter[str] = Counter()
        self.delay = 0.0

    def fetch(self, references: Sequence[Reference], timeout: float, max_age: float) -> Fetched:
        del timeout, max_age
        time.sleep(self.delay)
        self.asked.update(reference.path for reference in references)
        return {reference: self.outcomes[reference.path.rpartition("/")[2]] for reference in references}

    def describe(self, references: Sequence[Reference], timeout: float, max_age: float) -> Described:
        del timeout, max_age
        self.asked.update(f"describe {reference.path}" for reference in references)
        found = {reference: self.outcomes[reference.path.rpartition("/")[2]] for reference in references}
        return {r: Description(o.version) for r, o in found.items() if isinstance(o, Document) and o.version}

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    found = find_place("meet")
    assert found is not None
    return found


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass, in no time: a function that sets their clock forward by so many seconds."""
    passed = [0.0]
    for module in ("shared", "cache"):
        monkeypatch.setattr(f"confsvc.live.sharing.{module}.lasting_clock", lambda: lasting_clock() + passed[0])

    def pass_by(seconds: float) -> None:
        passed[0] += seconds

    return pass_by


class Member(Shared):
    """One that answers in a thread while it leads, as in another process."""

    def __init__(self, backend: Backend, key: bytes, place: Place) -> None:
        super().__init__([ONE, TWO], backend, key, place)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._stay)
        self._thread.start()

    def _stay(self) -> None:
        while not self._is_over.wait(0.002):
            self.serve()

    def close(self) -> None:
        """Answer nobody any more, then leave: a process does not do both at once either."""
        self._is_over.set()
        self._thread.join()
        super().close()


Join = Callable[..., Shared]


@pytest.fixture
def join(place: Place) -> Iterator[Join]:
    """Joins those at the place."""
    made: list[Member] = []

    def begin(backend: Backend, key: bytes = KEY) -> Shared:
        made.append(Member(backend, key, place))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def texts(found: Fetched) -> list[object]:
    return [outcome.content.reveal() if isinstance(outcome, Document) else outcome for outcome in found.values()]


def test_one_reads_and_the_others_ask_it(join: Join) -> None:
    first, second = Backend(), Backend()
    leader, other = join(first), join(second)
    assert texts(leader.fetch([ONE, TWO], 5, 10)) == ["1", {"a": "2"}]
    assert texts(other.fetch([ONE, TWO], 5, 10)) == ["1", {"a": "2"}]
    assert (leader.listener is not None, other.listener) == (True, None)
    assert (first.asked, second.asked) == (Counter({"secret/one": 1, "secret/two": 1}), Counter())


def test_a_version_that_is_another_one_makes_what_was_read_old(join: Join) -> None:
    backend = Backend()
    leader, other = join(backend), join(Backend())
    leader.fetch([ONE], 5, 60)
    backend.outcomes["one"] = Document("2", version="2")
    assert texts(other.fetch([ONE], 5, 60)) == ["1"]
    assert other.describe([ONE, TWO], 5, 60) == {ONE: Description("2")}
    assert texts(other.fetch([ONE], 5, 60)) == ["2"]
    assert texts(leader.fetch([ONE], 5, 60)) == ["2"]
    assert backend.asked["secret/one"] == 2


def test_a_version_that_is_still_the_same_makes_what_was_read_new(join: Join, wait: Callable[[float], None]) -> None:
    backend = Backend()
    leader, other = join(backend), join(Backend())
    leader.fetch([ONE], 5, 60)
    wait(600)
    assert other.describe([ONE], 5, 0) == {ONE: Description("1")}
    assert texts(other.fetch([ONE], 5, 300)) == ["1"]
    assert backend.asked["secret/one"] == 1


def test_those_who_ask_at_once_share_one_reading(join: Join, wait: Callable[[float], None]) -> None:
    backend = Backend()
    backend.delay = 0.1
    leader = join(backend)
    leader.fetch([ONE], 5, 0)
    others = [join(Backend()) for _ in range(16)]
    found: list[Fetched] = []
    threads = [threading.Thread(target=lambda one=one: found.append(one.fetch([ONE], 5, 300))) for one in others]
    wait(600)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert backend.asked["secret/one"] <= 3  # 18 without sharing


def test_what_has_a_lease_everybody_reads_for_himself(join: Join) -> None:
    leased = Document("mine", lease=Lease("l-1", 60, renewable=True))
    first, second = Backend(one=leased), Backend(one=Document("his", lease=Lease("l-2", 60, renewable=True)))
    leader, other = join(first), join(second)
    assert texts(leader.fetch([ONE], 5, 60)) == ["mine"]
    assert texts(other.fetch([ONE], 5, 60)) == ["his"]
    assert first.asked["secret/one"] == 1


def test_another_takes_over_when_the_leader_ends(join: Join, place: Place) -> None:
    second = Backend(one=Document("new"))
    leader, other = join(Backend()), join(second)
    leader.fetch([ONE], 5, 60)
    assert texts(other.fetch([ONE], 5, 60)) == ["1"]
    leader.close()
    assert not os.path.exists(place.path)
    assert texts(other.fetch([ONE], 5, 60)) == ["new"]
    assert other.listener is not None
    assert second.asked["secret/one"] == 1


def test_a_leader_that_was_killed_leaves_no_harm(join: Join, place: Place) -> None:
    with socket.socket(socket.AF_UNIX) as left:  # a socket without a process
        left.bind(place.path)
    alone = join(Backend())
    assert texts(alone.fetch([ONE], 5, 60)) == ["1"]
    assert alone.listener is not None


def test_who_leads_has_its_own_turn_however_many_ask(place: Place) -> None:
    leader = Shared([ONE, TWO], Backend(), KEY, place)
    leader.fetch([ONE], 5, 60)
    assert leader.listener is not None
    asking = [place.connect(5) for _ in range(40)]
    for one in asking:
        assert one is not None
        one.close()
    rounds = 0
    while select.select([leader.listener], [], [], 0)[0]:
        leader.serve()  # it comes back while others still wait
        rounds += 1
    leader.close()
    assert rounds > 1


def test_who_does_not_know_the_secret_gets_nothing(join: Join) -> None:
    first, second = Backend(one=Document("first")), Backend(one=Document("second"))
    leader, stranger = join(first), join(second, b"x" * 32)
    leader.fetch([ONE], 5, 60)
    assert texts(stranger.fetch([ONE], 5, 60)) == ["second"]
    assert second.asked["secret/one"] == 1


def test_a_false_leader_is_not_believed(place: Place) -> None:
    with socket.socket(socket.AF_UNIX) as false:
        false.bind(place.path)
        false.listen()

        def lie() -> None:
            connection, _ = false.accept()
            with connection:
                connection.sendall(bytes(16))
                connection.recv(4096)
                connection.sendall(b"\0\0\0\2" + bytes(32) + b"[]")

        thread = threading.Thread(target=lie)
        thread.start()
        alone = Shared([ONE, TWO], Backend(), KEY, place)
        assert texts(alone.fetch([ONE], 5, 60)) == ["1"]
        alone.close()
        thread.join()


@pytest.mark.parametrize("outcome", [NotFound("not there"), Denied("no", hint="ask"), Unavailable("down")])
def test_errors_are_told_as_they_are(outcome: Any, join: Join) -> None:
    leader, other = join(Backend(one=outcome)), join(Backend())
    leader.fetch([ONE], 5, 60)
    (found,) = other.fetch([ONE], 5, 60).values()
    assert (type(found), found.message, found.hint) == (type(outcome), outcome.message, outcome.hint)  # type: ignore[union-attr]


def test_a_place_is_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert find_place("meet") == Place(str(tmp_path / "confsvc" / "meet"))
    assert stat.S_IMODE((tmp_path / "confsvc").stat().st_mode) == 0o700
    (tmp_path / "confsvc").chmod(0o755)
    assert find_place("meet") is None
    (tmp_path / "confsvc").rmdir()
    (tmp_path / "confsvc").symlink_to(tmp_path)
    assert find_place("meet") is None
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    elsewhere = Place(str(tmp_path / f"confsvc-{os.geteuid()}" / "meet"))
    assert find_place("meet") == elsewhere
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("long" * 30)))
    assert find_place("meet") == elsewhere


json = st.recursive(
    st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.text() | st.binary() | st.dictionaries(st.text(), json), st.text(), st.booleans())
def test_documents_arrive_as_they_were(content: Any, version: str, secret: bool) -> None:
    found = decode(encode(Document(content, version=version, secret=secret, notes=["odd"])))
    assert isinstance(found, Document)
    assert found.content.reveal() == content
    assert (found.version, found.secret, found.notes) == (version, secret, ("odd",))


def test_what_cannot_be_told_is_left_to_whoever_asks() -> None:
    assert encode(Document({"raw": b"\xff"})) is None
    assert encode(InternalError("a bug")) is None
    assert decode(None) is None
