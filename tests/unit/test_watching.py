"""The engine: what it reads, what it tells, and when."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from confsvc import registry
from confsvc.adapter import Deadline, Document, Lease, Outcome
from confsvc.errors import AdapterError, Denied, Malformed, ResolutionError, Unauthenticated, Unavailable
from confsvc.loading import load_manifest
from confsvc.reference import Reference
from confsvc.resolver import Request
from confsvc.testing import MemoryAdapter, MemoryStore, find_leaks, make_canary
from confsvc.watching import Changed, Event, Outage, Pace, Recovered, Rejected, Watcher

QUICK = Pace(interval=0.05, debounce=0.0)

MANIFEST = """
[settings]
PORT = { type = "int" }
NAME = { default = "none" }
[environments.development]
sources = ["memory://app"]
"""


class Watched:
    """A watcher that runs in a thread, and what it has told."""

    def __init__(self, folder: Path, text: str, pace: Pace = QUICK, **options: Any) -> None:
        (folder / "confsvc.toml").write_text(text)
        self.watcher = Watcher(Request(load_manifest(str(folder / "confsvc.toml")), **options), pace)
        self.first = self.watcher.start()
        self.events: list[Event] = []
        self.times: list[float] = []
        self._thread = threading.Thread(target=self.watcher.run, args=(self._note,), daemon=True)
        self._thread.start()

    def _note(self, event: Event) -> None:
        self.times.append(time.monotonic())
        self.events.append(event)

    def until(self, is_there: Callable[[], bool]) -> None:
        """Wait until something is so; it fails where that never comes."""
        end = time.monotonic() + 40
        while not is_there():
            assert time.monotonic() < end, self.events
            time.sleep(0.005)

    def told(self, count: int) -> list[Event]:
        """Wait for ``count`` events in all, and return them."""
        self.until(lambda: len(self.events) >= count)
        return list(self.events)

    def rounds(self, store: MemoryStore, count: int, path: str = "app") -> None:
        """Wait until the store was looked at ``count`` times more."""
        goal = store.described[path] + store.reads[path] + count
        self.until(lambda: store.described[path] + store.reads[path] >= goal)

    def close(self) -> None:
        self.watcher.stop()
        self._thread.join(20)
        self.watcher.close()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    """A function that begins to watch a manifest."""
    begun: list[Watched] = []

    def begin(text: str = MANIFEST, pace: Pace = QUICK, **options: Any) -> Watched:
        begun.append(Watched(tmp_path, text, pace, **options))
        return begun[-1]

    yield begin
    for watched in begun:
        watched.close()


Watch = Callable[..., Watched]


def test_a_change_is_told_with_the_names_that_changed(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"PORT": "1", "NAME": "a"})
    watched = watch()
    assert watched.first["PORT"].text == "1"
    confsvc_memory.put("app", {"PORT": "2", "NAME": "a"})
    (changed,) = watched.told(1)
    assert isinstance(changed, Changed)
    assert changed.names == ("PORT",)
    assert changed.resolution["PORT"].text == "2"
    assert changed.resolution["PORT"].origin.version == "2"


def test_values_are_read_only_when_a_version_moved(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    watched = watch()
    watched.rounds(confsvc_memory, 5)
    assert confsvc_memory.reads["app"] == 1
    confsvc_memory.put("app", {"PORT": "2"})
    watched.told(1)
    watched.rounds(confsvc_memory, 5)
    assert confsvc_memory.reads["app"] == 2


def test_a_new_version_with_the_same_value_is_no_change(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"PORT": "1", "OTHER": "x"})
    watched = watch()
    confsvc_memory.put("app", {"PORT": "1", "OTHER": "y"})
    watched.until(lambda: confsvc_memory.reads["app"] == 2)
    watched.rounds(confsvc_memory, 3)
    assert watched.events == []


def test_a_set_that_is_not_valid_is_told_once_and_never_handed_over(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    watched = watch()
    confsvc_memory.put("app", {"PORT": "many", "NAME": "b"})
    (rejected,) = watched.told(1)
    assert isinstance(rejected, Rejected)
    assert [problem.name for problem in rejected.problems] == ["PORT"]
    confsvc_memory.put("app", {"PORT": "many", "NAME": "c"})
    watched.until(lambda: confsvc_memory.reads["app"] == 3)
    watched.rounds(confsvc_memory, 2)
    assert len(watched.events) == 1
    confsvc_memory.put("app", {"PORT": "2", "NAME": "c"})
    changed = watched.told(2)[1]
    assert isinstance(changed, Changed)
    assert changed.names == ("PORT", "NAME")


def test_what_is_bad_and_then_as_before_is_no_change(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    watched = watch()
    confsvc_memory.put("app", {"PORT": "x"})
    watched.told(1)
    confsvc_memory.put("app", {"PORT": "1"})
    watched.until(lambda: confsvc_memory.reads["app"] == 3)
    watched.rounds(confsvc_memory, 3)
    assert len(watched.events) == 1


@pytest.mark.parametrize("error", [Unavailable("x"), Denied("x"), Unauthenticated("x")], ids=lambda e: e.code)
def test_an_outage_is_told_when_it_begins_and_when_it_ends(
    error: AdapterError, confsvc_memory: MemoryStore, watch: Watch
) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    watched = watch()
    confsvc_memory.fail("app", error)
    (outage,) = watched.told(1)
    assert isinstance(outage, Outage)
    assert [(p.code, p.reference) for p in outage.problems] == [(error.code, "memory://app")]
    watched.rounds(confsvc_memory, 3)
    assert len(watched.events) == 1
    confsvc_memory.put("app", {"PORT": "2"})
    recovered, changed = watched.told(3)[1:]
    assert isinstance(recovered, Recovered)
    assert isinstance(changed, Changed)


def test_nothing_is_handed_over_while_a_part_cannot_be_read(confsvc_memory: MemoryStore, watch: Watch) -> None:
    text = MANIFEST.replace('["memory://app"]', '["memory://app", "memory://other"]')
    confsvc_memory.put("app", {"PORT": "1"})
    confsvc_memory.put("other", {"NAME": "a"})
    watched = watch(text)
    confsvc_memory.fail("other", Unavailable("x"))
    watched.told(1)
    confsvc_memory.put("app", {"PORT": "2"})
    watched.until(lambda: confsvc_memory.reads["app"] == 2)
    watched.rounds(confsvc_memory, 2)
    assert len(watched.events) == 1
    confsvc_memory.put("other", {"NAME": "b"})
    changed = watched.told(3)[2]
    assert isinstance(changed, Changed)
    assert changed.names == ("PORT", "NAME")


def test_a_source_that_was_missing_and_comes_is_a_change(confsvc_memory: MemoryStore, watch: Watch) -> None:
    text = MANIFEST.replace('"memory://app"', '"memory://app", { from = "memory://extra", optional = true }')
    confsvc_memory.put("app", {"PORT": "1"})
    watched = watch(text)
    watched.rounds(confsvc_memory, 3, "extra")
    assert confsvc_memory.reads["extra"] == 1
    confsvc_memory.put("extra", {"NAME": "new"})
    (changed,) = watched.told(1)
    assert isinstance(changed, Changed)
    assert changed.names == ("NAME",)


def test_without_a_schema_names_come_and_go(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"ONE": "1"})
    watched = watch('[environments.development]\nsources = ["memory://app"]\n')
    confsvc_memory.put("app", {"TWO": "2"})
    (changed,) = watched.told(1)
    assert isinstance(changed, Changed)
    assert changed.names == ("TWO", "ONE")


def test_changes_in_quick_succession_are_told_once(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    watched = watch(pace=Pace(interval=0.02, debounce=2.0))
    for port in range(2, 12):
        confsvc_memory.put("app", {"PORT": str(port)})
        time.sleep(0.04)
    (changed,) = watched.told(1)
    assert isinstance(changed, Changed)
    assert changed.resolution["PORT"].text == "11"


def test_what_changes_back_meanwhile_is_no_change(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    watched = watch(pace=Pace(interval=0.02, debounce=2.0))
    confsvc_memory.put("app", {"PORT": "2"})
    watched.until(lambda: confsvc_memory.reads["app"] == 2)
    confsvc_memory.put("app", {"PORT": "1"})
    watched.until(lambda: confsvc_memory.reads["app"] == 3)
    time.sleep(2.2)
    assert watched.events == []


def test_two_changes_are_told_apart(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    watched = watch(pace=Pace(interval=0.02, debounce=0.0, minimum=0.5))
    confsvc_memory.put("app", {"PORT": "2"})
    watched.told(1)
    confsvc_memory.put("app", {"PORT": "3"})
    watched.told(2)
    first, second = watched.times
    assert second - first > 0.35


def test_a_poke_looks_at_once(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    watched = watch(pace=Pace(interval=3600, debounce=0.0))
    confsvc_memory.put("app", {"PORT": "2"})
    watched.watcher.poke()
    watched.told(1)


def test_a_first_resolution_that_fails_raises(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"PORT": "x"})
    with pytest.raises(ResolutionError):
        watch()


@pytest.mark.parametrize("alarm", [True, False], ids=["alarm", "looking"])
@pytest.mark.parametrize("way", ["written", "replaced", "linked"])
def test_files_show_soon_without_waiting_for_the_interval(
    way: str, alarm: bool, tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not alarm:
        monkeypatch.setattr("confsvc.watching.files._watch", lambda _: None)
    text = MANIFEST.replace("memory://app", "dotenv://.env")
    (tmp_path / "old").write_text("PORT=1\n")
    (tmp_path / ".env").symlink_to("old") if way == "linked" else (tmp_path / ".env").write_text("PORT=1\n")
    watched = watch(text, Pace(interval=3600, debounce=0.0))
    time.sleep(0.06)
    (tmp_path / "new").write_text("PORT=2\n")
    if way == "written":
        with (tmp_path / ".env").open("r+") as file:  # in one step: emptied first, it could be read empty
            file.write("PORT=2\n")
    elif way == "replaced":
        os.replace(tmp_path / "new", tmp_path / ".env")
    else:
        (tmp_path / "link").symlink_to("new")
        os.replace(tmp_path / "link", tmp_path / ".env")
    (changed,) = watched.told(1)
    assert isinstance(changed, Changed)


def test_a_kubernetes_volume_that_is_swapped_shows(tmp_path: Path, watch: Watch) -> None:
    volume = tmp_path / "volume"
    for name, port in (("..one", "1"), ("..two", "2")):
        (volume / name).mkdir(parents=True)
        (volume / name / "PORT").write_text(port)
    (volume / "..data").symlink_to("..one")
    (volume / "PORT").symlink_to("..data/PORT")
    watched = watch(MANIFEST.replace("memory://app", "dir://volume/"), Pace(interval=3600, debounce=0.0))
    (volume / "..next").symlink_to("..two")
    os.replace(volume / "..next", volume / "..data")
    (changed,) = watched.told(1)
    assert isinstance(changed, Changed)
    assert changed.resolution["PORT"].text == "2"


class Leasing(MemoryAdapter):
    """A store whose every read makes another credential, with a short lease."""

    made: ClassVar[list[str]] = []
    renewed: ClassVar[list[str]] = []
    ended: ClassVar[list[str]] = []
    grants: ClassVar[list[Lease | AdapterError]] = []
    duration: ClassVar[float] = 2.0
    renewable: ClassVar[bool] = True

    def fetch(self, references: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Outcome]:
        found: dict[Reference, Outcome] = {}
        for reference, outcome in super().fetch(references, deadline=deadline).items():
            if isinstance(outcome, Document):
                self.made.append(f"lease-{len(self.made) + 1}")
                lease = Lease(self.made[-1], self.duration, renewable=self.renewable)
                found[reference] = Document({"PORT": str(len(self.made))}, lease=lease)
            else:
                found[reference] = outcome
        return found

    def renew(self, lease: Lease, *, deadline: Deadline) -> Lease:
        del deadline
        self.renewed.append(lease.id)
        granted = self.grants.pop(0) if self.grants else lease
        if isinstance(granted, AdapterError):
            raise granted
        return granted._replace(id=lease.id)

    def release(self, *, deadline: Deadline) -> None:
        del deadline
        self.ended.extend(self.made)


@pytest.fixture
def leasing(confsvc_memory: MemoryStore) -> type[Leasing]:
    """The store, empty of leases."""
    confsvc_memory.put("app", {"PORT": "0"})
    for found in (Leasing.made, Leasing.renewed, Leasing.ended, Leasing.grants):
        found.clear()
    Leasing.duration, Leasing.renewable = 2.0, True
    registry.register("memory", Leasing)  # the store's own fixture takes the name away again
    return Leasing


def test_a_lease_is_renewed_in_time_and_its_value_is_not_read_again(leasing: type[Leasing], watch: Watch) -> None:
    watched = watch()
    watched.until(lambda: len(leasing.renewed) >= 3)
    assert leasing.made == ["lease-1"]
    assert watched.events == []


def test_a_lease_at_its_longest_is_replaced_before_it_ends(leasing: type[Leasing], watch: Watch) -> None:
    leasing.grants.append(Lease("", 0.2, renewable=True))
    watched = watch()
    (changed,) = watched.told(1)
    assert isinstance(changed, Changed)
    assert changed.names == ("PORT",)
    assert leasing.renewed[0] == "lease-1"
    assert leasing.made == ["lease-1", "lease-2"]
    watched.until(lambda: "lease-2" in leasing.renewed)


def test_what_cannot_be_renewed_is_replaced(leasing: type[Leasing], watch: Watch) -> None:
    leasing.duration, leasing.renewable = 0.6, False
    watched = watch()
    watched.told(2)
    assert leasing.renewed == []
    assert len(leasing.made) >= 3


def test_a_lease_that_was_revoked_is_replaced(leasing: type[Leasing], watch: Watch) -> None:
    leasing.grants.append(Malformed("it has ended"))
    watched = watch()
    (changed,) = watched.told(1)
    assert isinstance(changed, Changed)
    assert leasing.renewed.count("lease-1") == 1


def test_a_store_that_does_not_answer_is_asked_again_before_the_lease_ends(
    leasing: type[Leasing], watch: Watch
) -> None:
    leasing.duration = 6.0
    leasing.grants.append(Unavailable("x"))
    watched = watch()
    outage, recovered = watched.told(2)
    assert isinstance(outage, Outage)
    assert isinstance(recovered, Recovered)
    assert leasing.made == ["lease-1"]
    assert len(leasing.renewed) == 2


def test_a_lease_is_not_made_anew_for_another_documents_change(
    leasing: type[Leasing], confsvc_memory: MemoryStore, watch: Watch, tmp_path: Path
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "NAME").write_text("a")
    leasing.duration = 60.0
    watched = watch(MANIFEST.replace('["memory://app"]', '["memory://app", "dir://more/"]'))
    time.sleep(0.06)
    (tmp_path / "NAME").write_text("b")
    (tmp_path / "NAME").replace(tmp_path / "more" / "NAME")
    (changed,) = watched.told(1)
    assert isinstance(changed, Changed)
    assert changed.names == ("NAME",)
    assert confsvc_memory.reads["app"] == 1
    assert changed.resolution["PORT"].text == "1"


def test_a_new_credential_does_not_wait_for_the_pace(leasing: type[Leasing], watch: Watch) -> None:
    leasing.duration, leasing.renewable = 2.0, False
    watched = watch(pace=Pace(interval=0.05, debounce=0.0, splay=3600.0, minimum=3600.0))
    watched.told(1)


def test_leases_are_given_back_at_the_end(leasing: type[Leasing], watch: Watch) -> None:
    watched = watch()
    watched.close()
    assert leasing.ended == ["lease-1"]


def test_leases_of_a_first_resolution_that_fails_are_given_back(leasing: type[Leasing], watch: Watch) -> None:
    text = MANIFEST.replace('"none"', '"none" }\nMORE = {')
    with pytest.raises(ResolutionError):
        watch(text)
    assert leasing.ended == ["lease-1"]


def test_a_backend_that_flaps_changes_nothing(confsvc_memory: MemoryStore, watch: Watch) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    watched = watch(pace=Pace(interval=0.02, debounce=0.0))
    for round_ in range(1, 4):
        confsvc_memory.unavailable()
        watched.told(2 * round_ - 1)
        confsvc_memory.recover()
        watched.told(2 * round_)
    assert [type(event) for event in watched.events] == [Outage, Recovered] * 3


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_clock_that_jumps_changes_nothing(
    jump: float, confsvc_memory: MemoryStore, tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    (tmp_path / "more.env").write_text("NAME=a\n")
    watched = watch(MANIFEST.replace('["memory://app"]', '["memory://app", "dotenv://more.env"]'))
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    watched.rounds(confsvc_memory, 5)
    assert watched.events == []
    confsvc_memory.put("app", {"PORT": "2"})
    assert isinstance(watched.told(1)[0], Changed)


def test_no_value_shows_in_any_event(confsvc_memory: MemoryStore, watch: Watch) -> None:
    canary = make_canary()
    confsvc_memory.put("app", {"PORT": "1"})
    watched = watch()
    confsvc_memory.put("app", {"PORT": canary})
    watched.told(1)
    confsvc_memory.put("app", {"PORT": "2", "NAME": canary})
    watched.told(2)
    assert find_leaks(canary, *map(repr, watched.events)) == []


def test_a_refresh_makes_no_credentials_anew_that_the_store_still_knows(leasing: type[Leasing], tmp_path: Path) -> None:
    (tmp_path / "confsvc.toml").write_text(MANIFEST)
    leasing.duration = 600.0
    watcher = Watcher(Request(load_manifest(str(tmp_path / "confsvc.toml"))), Pace(interval=3.0, debounce=60.0))
    watcher.start()
    events: list[Event] = []
    watcher.refresh(events.append)
    leasing.grants.append(Unavailable("x"))
    watcher.refresh(events.append)
    assert (leasing.made, events) == (["lease-1"], [])
    leasing.grants.append(Malformed("it has ended"))
    watcher.refresh(events.append)  # the change waits for no debounce
    assert leasing.made == ["lease-1", "lease-2"]
    assert [event.names for event in events if isinstance(event, Changed)] == [("PORT",)]
    time.sleep(3.0)
    watcher.refresh(events.append)  # what is older than that may have been spoilt behind the store's back
    assert leasing.made == ["lease-1", "lease-2", "lease-3"]
    watcher.close()


def test_a_successor_goes_on_with_what_was_read_and_takes_leases_of_its_own(
    leasing: type[Leasing], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("NAME=x\n")
    (tmp_path / "confsvc.toml").write_text(MANIFEST.replace('["memory', '["dotenv://.env", "memory'))
    parent = Watcher(Request(load_manifest(str(tmp_path / "confsvc.toml"))), QUICK, alarm=False)
    parent.start()
    child = parent.successor()
    events: list[Event] = []
    assert child.due() <= time.clock_gettime(time.CLOCK_BOOTTIME)
    child.step(events.append)
    assert leasing.made == ["lease-1", "lease-2"]
    child.step(events.append)
    assert [event.names for event in events if isinstance(event, Changed)] == [("PORT",)]
    parent.close()
    child.close()
