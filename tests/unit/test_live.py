"""Settings that stay right: what a program sees, and when."""

import asyncio
import gc
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, field_validator

import confsvc
from confsvc.testing import MemoryStore, find_leaks, make_canary
from confsvc.watching import Watcher
from supervised import until


class Settings(BaseModel):
    """Two settings that belong together."""

    port: int
    name: str = "none"


class Guarded(BaseModel):
    """A validator that puts what it got into its error."""

    token: SecretStr

    @field_validator("token")
    @classmethod
    def is_good(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith("bad"):
            message = f"no good: {value.get_secret_value()}"
            raise ValueError(message)
        return value


Watch = Callable[..., "confsvc.Live[Settings]"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confsvc_memory: MemoryStore) -> Path:
    del confsvc_memory  # the manifest names it
    (tmp_path / ".git").mkdir()
    (tmp_path / "confsvc.toml").write_text(
        "[environments.one]\nsources = ['dotenv://one.env']\n"
        "[environments.two]\nsources = ['dotenv://two.env']\n"
        "[environments.store]\nsources = ['memory://app']\n"
    )
    (tmp_path / "one.env").write_text("PORT=1\nNAME=first\n")
    (tmp_path / "two.env").write_text("PORT=2\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def watch(folder: Path) -> Iterator[Watch]:
    """`confsvc.watch`, quick; what it returns is closed in the end."""
    del folder
    made: list[confsvc.Live[Settings]] = []

    def begin(environment: str = "one", **options: object) -> "confsvc.Live[Settings]":
        options = {"interval": 0.05, "debounce": 0.0, **options}
        made.append(confsvc.watch(Settings, environment=environment, **options))  # type: ignore[arg-type]
        return made[-1]

    yield begin
    for live in made:
        live.close()


def write(folder: Path, text: str, name: str = "one.env") -> None:
    (folder / "new").write_text(text)
    (folder / "new").rename(folder / name)


def threads() -> list[str]:
    """Return the threads of watchers. Other tests leave some behind, which wait for what never answers."""
    return [one.name for one in threading.enumerate() if one.name in {"confsvc-watch", "confsvc-files"}]


def test_current_follows_the_source(watch: Watch, folder: Path) -> None:
    live = watch()
    assert live.current == Settings(port=1, name="first")
    write(folder, "PORT=5\nNAME=second\n")
    until(lambda: live.current == Settings(port=5, name="second"))


def test_local_changes_show_within_two_seconds_whatever_the_interval(watch: Watch, folder: Path) -> None:
    live = watch(interval=600.0, debounce=0.2)
    began = time.monotonic()
    write(folder, "PORT=5\n")
    until(lambda: live.current.port == 5)
    assert time.monotonic() - began < 10  # how long it takes is printed by the benchmark; here it does come


def test_nobody_but_the_watcher_swaps_current(watch: Watch) -> None:
    live = watch()
    settings = live.current
    with pytest.raises(AttributeError, match="cannot be set"):
        live.current = Settings(port=9)  # type: ignore[misc]
    assert live.current is settings


def test_a_reader_never_sees_a_mixture(watch: Watch, folder: Path) -> None:
    live = watch()
    seen: set[tuple[int, str]] = set()
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            settings = live.current
            seen.add((settings.port, settings.name))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(2, 12):
        write(folder, f"PORT={number}\nNAME=of-{number}\n")
        until(lambda number=number: live.current.port == number)  # type: ignore[misc]
    is_over.set()
    for reader in readers:
        reader.join()
    assert seen - {(1, "first")} <= {(number, f"of-{number}") for number in range(2, 12)}
    assert len(seen) > 5


def test_a_change_is_there_for_every_thread_when_it_is_told(watch: Watch, folder: Path) -> None:
    live = watch()
    seen: list[int] = []

    def look(change: "confsvc.Change[Settings]") -> None:
        readers = [threading.Thread(target=lambda: seen.append(live.current.port)) for _ in range(8)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert change.settings is live.current

    live.on_change(look)
    write(folder, "PORT=5\n")
    until(lambda: len(seen) == 8)
    assert set(seen) == {5}


def test_watchers_on_different_environments_keep_to_their_own(watch: Watch, folder: Path) -> None:
    one, two = watch("one"), watch("two")
    told: list[str] = []
    one.on_change(lambda _change: told.append("one"))
    two.on_change(lambda _change: told.append("two"))
    write(folder, "PORT=22\n", "two.env")
    until(lambda: two.current.port == 22)
    assert (one.current, two.current) == (Settings(port=1, name="first"), Settings(port=22))
    write(folder, "PORT=x\n", "two.env")  # what one refuses is nothing to the other
    write(folder, "PORT=11\n", "one.env")
    until(lambda: one.current.port == 11 and len(told) > 1)  # it is told after it is there
    assert (two.current.port, told) == (22, ["two", "one"])


def test_callbacks_are_told_what_they_asked_for(watch: Watch, folder: Path) -> None:
    live = watch()
    told: list[tuple[str, confsvc.Change[Settings]]] = []
    live.on_change(lambda change: told.append(("all", change)))
    live.on_change(lambda change: told.append(("port", change)), "PORT")
    stop = live.on_change(lambda change: told.append(("stopped", change)))
    stop()
    write(folder, "PORT=1\nNAME=second\n")
    until(lambda: len(told) == 1)
    write(folder, "PORT=3\nNAME=second\n")
    until(lambda: len(told) == 3)
    assert [who for who, _ in told] == ["all", "all", "port"]
    assert [change.names for _, change in told] == [("NAME",), ("PORT",), ("PORT",)]
    assert (told[1][1].previous.port, told[1][1].settings.port) == (1, 3)
    assert repr(told[1][1]) == "Change(PORT)"


def test_a_callback_that_raises_hurts_nobody_and_its_words_are_not_logged(
    watch: Watch, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    live = watch()
    told: list[object] = []

    def fail(change: "confsvc.Change[Settings]") -> None:
        raise ValueError(change.settings.name)

    live.on_change(fail)
    live.on_change(told.append)
    canary = make_canary()
    write(folder, f"PORT=1\nNAME={canary}\n")
    until(lambda: bool(told))
    assert "raised ValueError" in caplog.text
    assert "test_live.py:" in caplog.text
    assert find_leaks(canary, caplog.text) == []


def test_a_set_that_is_not_valid_leaves_the_old_one(watch: Watch, folder: Path) -> None:
    rejected: list[tuple[confsvc.Problem, ...]] = []
    live = watch(on_rejected=rejected.append)
    write(folder, "PORT=x\nNAME=second\n")
    until(lambda: bool(rejected))
    assert live.current == Settings(port=1, name="first")
    assert [problem.message for problem in rejected[0]] == ["invalid: is not an integer"]
    write(folder, "PORT=7\nNAME=second\n")
    until(lambda: live.current.port == 7)


def test_without_a_callback_it_is_logged(watch: Watch, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    live = watch()
    write(folder, "NAME=second\n")
    until(lambda: "not valid" in caplog.text)
    assert "PORT missing" in caplog.text
    assert live.current.port == 1


def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    watch: Watch, confsvc_memory: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    confsvc_memory.put("app", {"PORT": "1"})
    live = watch("store")
    confsvc_memory.fail("app", confsvc.Unavailable("refused"))
    until(lambda: "cannot be read" in caplog.text)
    assert live.current.port == 1
    confsvc_memory.put("app", {"PORT": "2"})
    until(lambda: live.current.port == 2)
    assert "can be read again" in caplog.text


def test_refresh_reads_past_what_is_known(watch: Watch, confsvc_memory: MemoryStore) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    live = watch("store", interval=600.0, debounce=600.0)
    confsvc_memory.put("app", {"PORT": "2"})
    assert live.current.port == 1
    assert live.refresh().port == 2
    assert live.current.port == 2


def test_those_who_refresh_at_once_share_a_reading(watch: Watch, confsvc_memory: MemoryStore) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    live = watch("store", interval=600.0)
    before = confsvc_memory.reads["app"]
    callers = [threading.Thread(target=live.refresh) for _ in range(16)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert 1 <= confsvc_memory.reads["app"] - before <= 2


def test_a_callback_may_refresh_and_does_not_wait(
    watch: Watch, confsvc_memory: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    live = watch("store", interval=600.0)
    seen: list[int] = []

    def again(change: "confsvc.Change[Settings]") -> None:
        seen.append(change.settings.port)
        if change.settings.port == 2:
            confsvc_memory.put("app", {"PORT": "3"})
            live.refresh()

    live.on_change(again)
    confsvc_memory.put("app", {"PORT": "2"})
    live.refresh()
    until(lambda: seen == [2] or len(seen) > 1)
    time.sleep(1.1)  # what was read a moment ago is new enough until then
    assert live.refresh().port == 3
    assert seen == [2, 3]
    assert caplog.text == ""


def test_refresh_on_lets_the_error_through(watch: Watch, confsvc_memory: MemoryStore) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    live = watch("store", interval=600.0)
    confsvc_memory.put("app", {"PORT": "2"})
    with pytest.raises(KeyError), live.refresh_on(ValueError):
        raise KeyError
    assert live.current.port == 1
    with pytest.raises(ValueError, match="mine"), live.refresh_on(ValueError):
        raise ValueError("mine")
    assert live.current.port == 2


def test_retry_calls_again_once(watch: Watch, confsvc_memory: MemoryStore) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    live = watch("store", interval=600.0)
    confsvc_memory.put("app", {"PORT": "2"})
    calls: list[int] = []

    def connect() -> int:
        calls.append(live.current.port)
        if live.current.port == 1:
            raise ConnectionError
        return live.current.port

    assert live.retry(connect, on=ConnectionError) == 2
    assert calls == [1, 2]

    def never() -> None:
        calls.append(0)
        raise ConnectionError

    with pytest.raises(ConnectionError) as caught:
        live.retry(never, on=ConnectionError)
    assert calls[2:] == [0, 0]
    assert caught.value.__context__ is None


def test_asyncio_gets_changes_and_does_not_block(watch: Watch, folder: Path, confsvc_memory: MemoryStore) -> None:
    confsvc_memory.put("app", {"PORT": "1"})
    live = watch()

    async def follow() -> list[tuple[str, ...]]:
        changes = live.changes()
        only_port = live.changes("PORT")
        write(folder, "PORT=1\nNAME=second\n")
        seen = [(await anext(changes)).names]
        write(folder, "PORT=2\nNAME=second\n")
        seen.append((await anext(only_port)).names)
        await asyncio.to_thread(live.close)
        seen += [change.names async for change in changes]
        async with await confsvc.awatch(Settings, environment="store", interval=600.0) as other:
            confsvc_memory.put("app", {"PORT": "9"})
            with pytest.raises(OSError):  # noqa: PT011 - it is ours
                async with other.refresh_on(OSError):
                    raise OSError
            assert other.current.port == 9
            assert await other.aretry(ports(other), on=OSError) == 9
        return seen

    assert asyncio.run(follow()) == [("NAME",), ("PORT",), ("PORT",)]


def ports(live: "confsvc.Live[Settings]") -> Callable[[], "asyncio.Future[int]"]:
    calls = iter([OSError, None])

    async def port() -> int:
        if error := next(calls):
            raise error
        return live.current.port

    return lambda: asyncio.ensure_future(port())


def test_a_slow_task_gets_several_changes_as_one(watch: Watch, folder: Path) -> None:
    live = watch()
    told: list[object] = []

    async def follow() -> "confsvc.Change[Settings]":
        changes = live.changes()
        live.on_change(told.append)  # it is told after `changes` is
        write(folder, "PORT=1\nNAME=second\n")
        await asyncio.to_thread(until, lambda: len(told) == 1)
        write(folder, "PORT=2\nNAME=second\n")
        await asyncio.to_thread(until, lambda: len(told) == 2)
        await asyncio.sleep(0)
        return await anext(changes)

    change = asyncio.run(follow())
    assert set(change.names) == {"NAME", "PORT"}
    assert (change.previous.name, change.settings.port) == ("first", 2)


def test_one_thread_watches_for_all_and_ends_with_the_last(watch: Watch, folder: Path) -> None:
    until(lambda: threads() == [])  # the one of the test before is ending
    lives = [watch(), watch(), watch("two")]
    assert threads() == ["confsvc-watch"]
    write(folder, "PORT=22\n", "two.env")
    until(lambda: lives[2].current.port == 22)
    assert lives[0].current.port == 1
    for live in lives:
        live.close()
    until(lambda: threads() == [])
    assert watch().current.port == 1
    assert threads() == ["confsvc-watch"]


def test_closed_is_closed(watch: Watch, folder: Path) -> None:
    with watch() as live:
        pass
    live.close()
    write(folder, "PORT=5\n")
    time.sleep(0.2)
    assert live.current.port == 1
    with pytest.raises(confsvc.UsageError, match="closed"):
        live.refresh()


def test_one_that_was_not_closed_warns_and_ends(folder: Path) -> None:
    del folder
    gc.collect()  # what other tests have left warns now
    live = confsvc.watch(Settings, environment="one")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del live
        gc.collect()
    assert [(one.category, str(one.message)) for one in caught] == [
        (ResourceWarning, "<confsvc.Live of Settings> was not closed")
    ]
    until(lambda: threads() == [])


def test_a_forked_child_goes_on_by_itself(watch: Watch, folder: Path) -> None:
    live = watch()
    told: list[object] = []
    live.on_change(told.append)
    child = os.fork()
    if child == 0:  # nothing of pytest's is to run here
        status = 1
        try:
            write(folder, "PORT=8\n")
            until(lambda: live.current.port == 8 and bool(told))
            status = 0 if threads() == ["confsvc-watch"] else 2
            live.close()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    until(lambda: live.current.port == 8)


def test_a_bug_in_one_watcher_is_logged_and_ends_nothing(
    watch: Watch, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("confsvc.live.hub._REST", 0.05)
    canary = make_canary()
    real = Watcher.step
    failures = iter([1])

    def step(watcher: Watcher, tell: Any, **options: Any) -> None:
        if next(failures, None):
            raise RuntimeError(canary)
        real(watcher, tell, **options)

    live = watch()
    monkeypatch.setattr(Watcher, "step", step)
    write(folder, "PORT=6\n")
    until(lambda: live.current.port == 6)
    assert caplog.text.count("watching raised RuntimeError") == 1
    assert find_leaks(canary, caplog.text) == []
    monkeypatch.setattr(Watcher, "refresh", lambda *_: next(iter(())))
    live.refresh()  # it is answered all the same
    until(lambda: "watching raised StopIteration" in caplog.text)


def test_what_cannot_be_watched_says_why(watch: Watch, folder: Path) -> None:
    live = watch()

    async def callback(_change: object) -> None: ...

    with pytest.raises(confsvc.UsageError, match="did you mean `PORT`"):
        live.on_change(print, "PROT")
    with pytest.raises(confsvc.UsageError, match="not awaited"):
        live.on_change(callback)
    for no_callback in (None, "PORT", 5):
        with pytest.raises(confsvc.UsageError, match="cannot be"):
            live.on_change(no_callback)  # type: ignore[arg-type]
        with pytest.raises(confsvc.UsageError, match="cannot be"):
            live.on_rejected(no_callback)  # type: ignore[arg-type]
        with pytest.raises(confsvc.UsageError, match="cannot be"):
            watch(on_rejected=no_callback or 5)
    with pytest.raises(RuntimeError):
        live.changes()
    with pytest.raises(confsvc.UsageError, match="interval"):
        watch(interval=0)
    (folder / "one.env").write_text("NAME=x\n")
    with pytest.raises(confsvc.ResolutionError, match="1 of 2"):
        watch()


def test_no_value_is_in_any_frame_message_or_repr(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = make_canary()
    monkeypatch.setenv("OTHER", canary)
    (folder / "one.env").write_text(f"TOKEN=bad{canary}\n")
    with pytest.raises(confsvc.ResolutionError) as caught:
        confsvc.watch(Guarded, environment="one")
    assert find_leaks(canary, caught.value, str(caught.value), repr(caught.value)) == []
    (folder / "one.env").write_text(f"TOKEN={canary}\n")
    with confsvc.watch(Guarded, environment="one", interval=0.05, debounce=0.0) as live:
        assert find_leaks(canary, repr(live) + repr(live.current)) == []
        write(folder, f"TOKEN=bad{canary}\n")
        until(lambda: "not valid" in caplog.text)
        assert find_leaks(canary, caplog.text) == []
        assert live.current.token.get_secret_value() == canary
