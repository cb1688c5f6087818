"""The last known good settings: kept after each good resolution, and taken where stores say nothing."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import confsvc
from confsvc._json import Number
from confsvc.adapter import Document, Lease
from confsvc.cache import counts
from confsvc.cache.upkeep import rekey
from confsvc.cli.lock import main as lock
from confsvc.errors import AdapterError, Denied, Malformed, NotFound, Unauthenticated, Unavailable
from confsvc.finding import make_request
from confsvc.testing import MemoryStore, find_leaks, make_canary
from confsvc.watching import Changed, Event, Outage, Pace, Recovered, Watcher

MANIFEST = """
project = "shop"
cache = true
[settings]
PORT = { type = "int" }
TOKEN = { secret = true }
[environments.production]
sources = ["memory://app"]
[environments.staging]
sources = ["memory://app"]
"""
CANARY = make_canary()


class Shop:
    """A project whose store can be switched off, with a folder for its cache and one for the key."""

    def __init__(self, folder: Path, store: MemoryStore) -> None:
        self.folder = folder
        self.store = store
        self.cache = folder / "cache"
        self.key = folder / "state" / "confsvc" / "cache.key"
        self.manifest(MANIFEST)

    def manifest(self, text: str) -> None:
        (self.folder / "confsvc.toml").write_text(text)

    def resolve(self, environment: str = "production", **options: Any) -> confsvc.Resolution:
        return confsvc.resolve(environment=environment, **options)

    def fails(self, **options: Any) -> confsvc.ResolutionError:
        with pytest.raises(confsvc.ResolutionError) as caught:
            self.resolve(**options)
        return caught.value

    def watcher(self, **options: Any) -> Watcher:
        request = make_request(environment="production", **options)
        return Watcher(request, Pace(interval=0.05, debounce=0.0), alarm=False)

    def file(self) -> Path:
        """The one file of the cache."""
        (found,) = self.cache.glob("*.cache")
        return found


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confsvc_memory: MemoryStore) -> Shop:
    """A shop that has read its settings once, and whose store is then out of reach."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "PORT", "TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONFSVC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Shop(tmp_path, confsvc_memory)
    confsvc_memory.put("app", {"port": "80", "token": CANARY, "other": "unused"})
    made.resolve()
    confsvc_memory.unavailable()
    return made


AGED = pytest.mark.filterwarnings("ignore:these settings are:confsvc.ConfsvcWarning")

REKEYED = pytest.mark.filterwarnings("ignore:the cache cannot be used:confsvc.ConfsvcWarning")


def test_a_store_that_says_nothing_is_stood_in_for_and_that_is_said_loudly(shop: Shop) -> None:
    with pytest.warns(
        confsvc.ConfsvcWarning, match=r"these settings are \d+ s old, from the cache: unavailable: .*off"
    ):
        found = shop.resolve()
    assert (found["PORT"].reveal(), found["TOKEN"].text) == (80, CANARY)
    assert found["PORT"].origin.cached
    assert str(found["PORT"].origin) == "source memory://app (version 1, from the cache)"
    assert found.cached_at == found["TOKEN"].origin.read_at
    assert found["TOKEN"].secret


def test_what_is_read_now_says_nothing_of_a_cache(shop: Shop) -> None:
    shop.store.recover()
    found = shop.resolve()
    assert found.cached_at is None
    assert not found["PORT"].origin.cached
    assert found.warnings == ()


def throttled(store: MemoryStore) -> None:
    store.recover()
    store.throttle(99)


def slow(store: MemoryStore) -> None:
    store.recover()
    store.delay = 60.0


@AGED
@pytest.mark.parametrize("silence", [MemoryStore.unavailable, throttled, slow])
def test_every_kind_of_silence_is_stood_in_for(shop: Shop, silence: Callable[[MemoryStore], None]) -> None:
    silence(shop.store)
    began = time.monotonic()
    assert shop.resolve()["PORT"].reveal() == 80
    assert time.monotonic() - began < 15  # seconds: with something to fall back on, nobody waits for thirty


@pytest.mark.parametrize("answer", [Denied, Unauthenticated, NotFound, Malformed])
def test_an_answer_is_never_contradicted(shop: Shop, answer: type[AdapterError]) -> None:
    shop.store.recover()
    shop.store.fail("app", answer("says the store"))
    error = shop.fails()
    assert {problem.code for problem in error.problems} - {"missing"} == {answer.code}
    assert shop.file().exists()  # one answer, which may be a mistake, takes nothing away
    shop.store.put("app", {"port": "81", "token": "t"})
    assert shop.resolve()["PORT"].reveal() == 81


def test_a_value_that_is_there_and_invalid_is_never_replaced(shop: Shop) -> None:
    shop.store.recover()
    shop.store.put("app", {"port": "none", "token": "t"})
    assert {problem.code for problem in shop.fails().problems} == {"invalid"}
    shop.store.unavailable()
    with pytest.warns(confsvc.ConfsvcWarning):
        assert shop.resolve()["PORT"].reveal() == 80  # what was invalid was not kept


TWO = MANIFEST.replace(
    '[environments.production]\nsources = ["memory://app"]',
    '[environments.production]\nsources = ["memory://base", { from = "memory://app", optional = true }]',
)


@pytest.fixture
def both(shop: Shop) -> Shop:
    """The same with two documents, both of which were read."""
    shop.store.recover()
    shop.manifest(TWO)
    shop.store.put("base", {"port": "1", "token": "base"})
    shop.store.put("app", {"port": "2"})
    shop.resolve()
    return shop


@AGED
def test_it_is_all_old_or_all_new(both: Shop) -> None:
    both.store.put("base", {"port": "3", "token": "new"})
    both.store.fail("app", Unavailable("away"))
    found = both.resolve()
    assert {name: value.text for name, value in found.items()} == {"PORT": "2", "TOKEN": "base"}


def test_one_answer_is_enough_to_rule_it_out(both: Shop) -> None:
    both.store.fail("base", Unavailable("away"))
    both.store.fail("app", Denied("no"))
    assert {problem.code for problem in both.fails().problems} == {"denied"}
    both.store.remove("app")
    both.store.fail("app", NotFound("gone"))
    error = both.fails()
    assert {problem.code for problem in error.problems} == {"unavailable"}
    assert "`memory://app` was answered" in error.problems[0].hint


@AGED
def test_what_was_not_there_then_is_not_there_now(both: Shop) -> None:
    both.store.remove("app")
    assert both.resolve()["PORT"].text == "1"
    both.store.unavailable()
    assert both.resolve()["PORT"].text == "1"


def test_a_silent_document_that_nobody_needs_changes_nothing(both: Shop) -> None:
    both.store.put("app", {"port": "5", "token": "app"})
    both.resolve()
    both.store.fail("base", Unavailable("away"))
    both.store.put("app", {"port": "6", "token": "app"})
    assert both.resolve()["PORT"].text == "6"


@AGED
def test_the_process_environment_and_set_win_and_are_checked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.resolve(set={"PORT": "9"})["PORT"].reveal() == 9
    monkeypatch.setenv("PORT", "7")
    assert shop.resolve()["PORT"].reveal() == 7
    monkeypatch.setenv("PORT", "seven")
    error = shop.fails()
    assert {problem.code for problem in error.problems} >= {"invalid"}


@AGED
def test_files_of_this_machine_are_read_as_they_are_now(shop: Shop) -> None:
    shop.store.recover()
    shop.manifest(MANIFEST.replace('["memory://app"]', '["memory://app", "dotenv://.env"]', 1))
    (shop.folder / ".env").write_text("PORT=1\n")
    shop.resolve()
    (shop.folder / ".env").write_text("PORT=2\n")
    shop.store.unavailable()
    found = shop.resolve()
    assert found["PORT"].reveal() == 2
    assert not found["PORT"].origin.cached
    assert found["TOKEN"].origin.cached


def test_no_byte_of_a_value_is_on_the_disk_in_clear(shop: Shop) -> None:
    everything = b"".join(path.read_bytes() for path in shop.folder.rglob("*") if path.is_file())
    assert shop.file().read_bytes() in everything
    assert find_leaks(CANARY, everything) == []
    assert not any(CANARY.encode()[n : n + 8] in everything for n in range(len(CANARY.encode()) - 8))


def test_only_its_owner_may_read_it_and_its_key(shop: Shop) -> None:
    modes = {path: path.stat().st_mode & 0o7777 for path in (shop.cache, shop.file(), shop.key.parent, shop.key)}
    assert list(modes.values()) == [0o700, 0o600, 0o700, 0o400]


@AGED
def test_fields_that_nobody_asks_for_are_not_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[bytes] = []

    def look(text: bytes) -> Any:
        opened.append(text)
        return json.loads(text)

    monkeypatch.setattr("confsvc.cache.store.loads", look)
    shop.resolve()
    assert b"unused" not in opened[0]
    assert CANARY[:20].encode() in opened[0]


@AGED
def test_single_settings_are_served_from_what_was_kept_of_all(shop: Shop) -> None:
    assert list(shop.resolve(only=["PORT"])) == ["PORT"]
    shop.store.recover()
    shop.store.put("app", {"port": "5", "token": "new"})
    shop.resolve(only=["PORT"])
    shop.store.unavailable()
    assert shop.resolve()["TOKEN"].text == "new"


@AGED
def test_what_has_a_lease_is_not_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    leased = Document({"port": "5", "token": CANARY}, lease=Lease("l", 60.0, renewable=True))
    shop.store.recover()
    before = shop.file().read_bytes()
    monkeypatch.setattr(shop.store, "_documents", {"app": leased})
    assert shop.resolve()["PORT"].reveal() == 5
    assert shop.file().read_bytes() == before


def test_counters_tell_what_was_done(shop: Shop) -> None:
    before = dict(counts)
    with pytest.warns(confsvc.ConfsvcWarning):
        shop.resolve()
    shop.store.recover()
    shop.resolve()
    assert {name: counts[name] - before[name] for name in counts} == {"used": 1, "written": 1, "failed": 0}


def test_it_is_off_unless_somebody_says_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.store.recover()
    monkeypatch.delenv("CONFSVC_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(shop.folder / "xdg"))
    shop.manifest(MANIFEST.replace("cache = true\n", ""))
    shop.resolve()
    assert not (shop.folder / "xdg").exists()
    monkeypatch.setenv("CONFSVC_CACHE_DIR", str(shop.folder / "said"))
    shop.resolve()
    assert list((shop.folder / "said").iterdir())
    shop.manifest(MANIFEST.replace("cache = true\n", "cache = false\n"))
    monkeypatch.setenv("CONFSVC_CACHE_DIR", str(shop.folder / "not"))
    shop.resolve()
    assert not (shop.folder / "not").exists()


def test_without_the_cache_nothing_stands_in(shop: Shop) -> None:
    os.utime(shop.file(), (1, 1))
    shop.fails(cache=False)
    shop.store.recover()
    shop.resolve(cache=False)
    assert shop.file().stat().st_mtime == 1


@AGED
def test_offline_asks_no_store(shop: Shop) -> None:
    shop.store.recover()
    batches = shop.store.batches
    assert shop.resolve(offline=True)["PORT"].reveal() == 80
    assert shop.store.batches == batches


def test_offline_without_anything_kept_says_why(shop: Shop) -> None:
    error = shop.fails(environment="staging", offline=True)
    assert {problem.code for problem in error.problems} == {"cache.missing"}
    assert error.exit_status == 75


MODEL = """
from pydantic import BaseModel, SecretStr, model_validator

class Settings(BaseModel):
    port: int
    token: SecretStr

    @model_validator(mode="after")
    def both(self):
        if self.port == 666:
            raise ValueError("no")
        return self
"""


@AGED
def test_a_model_in_code_is_served_too_and_its_rules_are_checked(shop: Shop) -> None:
    (shop.folder / "shopmodel.py").write_text(MODEL)
    shop.store.recover()
    shop.manifest(
        'cache = true\nschema = "shopmodel:Settings"\n[environments.production]\nsources = ["memory://app"]\n'
    )
    shop.resolve()
    shop.store.unavailable()
    assert shop.resolve()["PORT"].reveal() == 80
    error = shop.fails(set={"PORT": "666"})
    assert {problem.code for problem in error.problems} == {"unavailable"}
    assert "the cache does not help: with it there would be no good value for" in error.problems[0].hint


@AGED
def test_a_lock_is_kept_by_the_versions_that_it_names(shop: Shop) -> None:
    """Other references are read then, so what was kept without one does not do, and the other way round."""
    shop.store.recover()
    assert lock(["-e", "production"]) == 0
    shop.resolve(locked=True)
    shop.store.unavailable()
    found = shop.resolve(locked=True)
    assert found["PORT"].reveal() == 80
    assert found["PORT"].origin.cached


def test_a_watcher_starts_from_it_tells_the_outage_and_has_what_is_new(shop: Shop) -> None:
    watching = shop.watcher()
    events: list[Event] = []
    try:
        assert watching.start()["PORT"].origin.cached
        watching.poke()
        watching.step(events.append)
        shop.store.recover()
        shop.store.put("app", {"port": "81", "token": "new"})
        until(lambda: any(isinstance(event, Changed) for event in events), lambda: watching.step(events.append))
        assert [type(event) for event in events] == [Outage, Recovered, Changed]
        changed = events[-1]
        assert isinstance(changed, Changed)
        assert not changed.resolution["PORT"].origin.cached
    finally:
        watching.close()
    shop.store.unavailable()
    with pytest.warns(confsvc.ConfsvcWarning):
        assert shop.resolve()["PORT"].reveal() == 81  # the change was kept


def test_what_a_watcher_finds_unchanged_stays_young(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.store.recover()
    watching = shop.watcher()
    try:
        watching.start()
        before = shop.file().read_bytes()
        watching.poke()
        watching.step(lambda _: None)
        assert shop.file().read_bytes() == before  # not at every look
        monkeypatch.setattr("confsvc.cache.net._AGAIN", 0.0)
        watching.poke()
        watching.step(lambda _: None)
        assert shop.file().read_bytes() != before
        after = shop.file().read_bytes()
        shop.store.unavailable()
        watching.poke()
        watching.step(lambda _: None)
        assert shop.file().read_bytes() == after  # an outage makes nothing younger
    finally:
        watching.close()


def test_a_watcher_offline_asks_no_store(shop: Shop) -> None:
    shop.store.recover()
    asked = shop.store.batches, shop.store.described["app"]
    watching = shop.watcher(offline=True)
    events: list[Event] = []
    try:
        assert watching.start()["PORT"].reveal() == 80
        for _ in range(3):
            watching.poke()
            watching.step(events.append)
    finally:
        watching.close()
    assert events == []
    assert (shop.store.batches, shop.store.described["app"]) == asked


def until(is_so: Callable[[], bool], act: Callable[[], None]) -> None:
    end = time.monotonic() + 40
    while not is_so():
        assert time.monotonic() < end
        act()
        time.sleep(0.01)


KEYRING = """
import json, os, time
from pathlib import Path
PLACE = Path(os.environ["FAKE_KEYRING"])
class Ring:
    priority = float(os.environ.get("FAKE_PRIORITY", "5"))
    def _all(self):
        return json.loads(PLACE.read_text()) if PLACE.exists() else {}
    def get_password(self, service, name):
        time.sleep(float(os.environ.get("FAKE_DELAY", "0")))
        return self._all().get(f"{service} {name}")
    def set_password(self, service, name, text):
        PLACE.write_text(json.dumps(self._all() | {f"{service} {name}": text}))
    def delete_password(self, service, name):
        PLACE.write_text(json.dumps({k: v for k, v in self._all().items() if k != f"{service} {name}"}))
def get_keyring():
    return Ring()
"""


@pytest.fixture
def desktop(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Somebody in front of the machine, with a keyring."""
    (shop.folder / "modules").mkdir()
    (shop.folder / "modules" / "keyring.py").write_text(KEYRING)
    monkeypatch.syspath_prepend(str(shop.folder / "modules"))
    for name, text in {
        "DISPLAY": ":0",
        "DBUS_SESSION_BUS_ADDRESS": "x",
        "FAKE_KEYRING": str(shop.folder / "ring"),
    }.items():
        monkeypatch.setenv(name, text)
    shop.store.recover()
    yield shop
    sys.modules.pop("keyring", None)


@REKEYED
@AGED
def test_a_desktop_has_the_key_in_its_keyring(desktop: Shop) -> None:
    desktop.key.unlink()
    desktop.resolve()
    assert not desktop.key.exists()
    assert list(json.loads((desktop.folder / "ring").read_text())) == ["confsvc cache key"]
    first = (desktop.folder / "ring").read_text()
    desktop.store.unavailable()
    assert desktop.resolve()["PORT"].reveal() == 80
    assert rekey(dict(os.environ)) == (1, ())
    assert list(json.loads((desktop.folder / "ring").read_text())) == ["confsvc cache key"]
    assert (desktop.folder / "ring").read_text() != first
    assert desktop.resolve()["PORT"].reveal() == 80


@REKEYED
@pytest.mark.parametrize(
    ("name", "text"), [("FAKE_PRIORITY", "0.5"), ("FAKE_DELAY", "60"), ("DISPLAY", ""), ("FAKE_PRIORITY", "none")]
)
def test_without_a_keyring_that_works_the_key_is_in_a_file(
    desktop: Shop, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """One that keeps nothing, one that waits for somebody, a server, one that is broken."""
    monkeypatch.setenv(name, text)
    desktop.key.unlink()
    began = time.monotonic()
    desktop.resolve()
    assert time.monotonic() - began < 20
    assert desktop.key.exists()
    assert not (desktop.folder / "ring").exists()


CONTENTS: Mapping[str, tuple[Any, str]] = {
    "text": ("plain", ""),
    "empty": ("", ""),
    "a trailing line end": ("-----BEGIN X-----\nabc\n-----END X-----\n", ""),
    "unicode": ("e\u0301 \U0001f600 \u202e '\"\\ ${X} %41", ""),
    "64 KiB": ("x" * 65536, ""),
    "bytes": (bytes(range(256)), ""),
    "a field": ({"a": "1.10", "b": "unused"}, "#a"),
    "a number": ({"a": Number("1.10"), "b": Number("1e400")}, "#a"),
    "a number of Python": ({"a": 3, "b": 2.5, "c": True, "d": None}, "#a"),
    "deeper": ({"a": {"b": [Number("7e1"), "x", None, {"c/d": "y"}]}}, "#/a/b/3/c~1d"),
    "an object": ({"a": {"b": [Number("1.0"), False, "\u2028"]}}, "#/a"),
    "a field of text": ('{"a": 1.10, "b": "unused"}', "#a"),
    "a pointer into text": ('{"a/b": {"c": "x"}, "b": 1}', "#/a~1b/c"),
    "a list in text": ('[1, "two", {"three": 3}]', "#/2/three"),
    "a field of bytes": (b'{"a": "x", "b": "y"}', "#a"),
    "the whole of text": ('{ "a" : 1.10 }', ""),
    "the whole of fields": ({"b": Number("1.10"), "a": ["x"]}, ""),
}


@AGED
@pytest.mark.parametrize("case", CONTENTS)
def test_what_is_kept_is_the_same_to_the_byte(shop: Shop, case: str) -> None:
    content, fragment = CONTENTS[case]
    is_json = "object" in case or "whole" in case
    kind = "bytes" if isinstance(content, bytes) and not fragment else "json" if is_json else "str"
    shop.manifest(
        f'cache = true\n[settings]\nX = {{ type = "{kind}" }}\n[environments.production.values]\n'
        f"X = '${{memory://doc{fragment}}}'\n"
    )
    shop.store.recover()
    shop.store.put("doc", content)
    fresh = shop.resolve()["X"]
    shop.store.unavailable()
    kept = shop.resolve()["X"]
    assert kept.origin.cached
    assert (kept.text, kept.data, kept.reveal(), kept.secret) == (fresh.text, fresh.data, fresh.reveal(), fresh.secret)
    assert (kept.origin.version, kept.origin.made_at) == (fresh.origin.version, fresh.origin.made_at)


@AGED
@pytest.mark.parametrize("content", [{"port": Number("80"), "to-ken": "t"}, '{"port": 80, "TO_KEN": "t"}'])
def test_a_source_is_kept_by_the_settings_that_its_fields_become(shop: Shop, content: Any) -> None:
    shop.manifest(MANIFEST.replace("TOKEN =", "TO_KEN ="))
    shop.store.recover()
    shop.store.put("app", content)
    fresh = shop.resolve().environ()
    shop.store.unavailable()
    assert shop.resolve().environ() == fresh == {"PORT": "80", "TO_KEN": "t"}


@AGED
def test_without_a_schema_every_field_is_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFSVC_CACHE_DIR", str(shop.folder / "cache"))
    shop.store.recover()
    fresh = confsvc.resolve(sources=["memory://app"]).environ()
    shop.store.unavailable()
    assert confsvc.resolve(sources=["memory://app"]).environ() == fresh
    assert "OTHER" in fresh


@pytest.mark.filterwarnings("ignore:the cache cannot be used:confsvc.ConfsvcWarning")
def test_what_cannot_be_read_again_stops_nobody_who_can_read_the_store(shop: Shop) -> None:
    shop.manifest(MANIFEST.replace('PORT = { type = "int" }', "PORT = {}"))
    shop.store.recover()
    shop.store.put("app", {"port": float("nan"), "token": "t"})
    for _ in range(3):
        assert shop.resolve()["TOKEN"].text == "t"
    shop.store.unavailable()
    assert {problem.code for problem in shop.fails().problems} == {"unavailable"}


def test_without_cryptography_the_extra_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    shop.store.recover()
    with pytest.warns(confsvc.ConfsvcWarning, match="the cache cannot be used: cryptography is not installed"):
        assert shop.resolve()["PORT"].reveal() == 80
    shop.file().unlink()
    with pytest.warns(confsvc.ConfsvcWarning, match=r"nothing is kept in the cache: cryptography .*confsvc\[cache\]"):
        assert shop.resolve()["PORT"].reveal() == 80
