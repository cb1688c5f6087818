"""What lies in the cache's folder may be anything: it is opened whole and unchanged, or not at all."""

import errno
import json
import os
import random
import shutil
import signal
import stat
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from confsvc._replacing import PREFIX
from confsvc.adapter import Deadline, Document
from confsvc.cache.moments import Moment, age_text, now
from confsvc.cache.net import open_net
from confsvc.cache.refusal import Refusal
from confsvc.cache.sealing import parse
from confsvc.cache.store import Kept, Store
from confsvc.cache.upkeep import items, purge, rekey
from confsvc.errors import CacheError, UsageError
from confsvc.fetching import fetch_documents
from confsvc.loading import load_manifest
from confsvc.plan import Plan
from confsvc.resolver import Request, plan_request
from confsvc.testing import MemoryStore, find_leaks, make_canary
from crashing import dies_before

MANIFEST = """
project = "shop"
[settings]
TOKEN = { secret = true }
[environments.production]
sources = ["memory://app"]
[environments.staging]
sources = ["memory://app"]
"""
DAY = 86400.0
CANARY = make_canary()
CALLS = ("open", "write", "fchmod", "fsync", "rename", "close", "stat", "fstat", "unlink", "link", "listdir", "mkdir")


class Desk:
    """A cache with one file, and what may happen to it."""

    def __init__(self, folder: Path, store: MemoryStore) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.store = store
        self.environ = {"CONFSVC_CACHE_DIR": str(self.cache), "XDG_STATE_HOME": str(folder / "state"), "HOME": "/"}
        self.key = folder / "state" / "confsvc" / "cache.key"
        self.text = MANIFEST

    def plan(self, environment: str = "production") -> tuple[Request, Plan]:
        (self.folder / "confsvc.toml").write_text(self.text)
        request = Request(load_manifest(str(self.folder / "confsvc.toml")), environment, environ=self.environ)
        return request, plan_request(request)

    def store_of(self, environment: str = "production") -> tuple[Store, Plan]:
        request, plan = self.plan(environment)
        net = open_net(request.manifest, plan, self.environ, is_on=True, offline=False)
        assert net._store is not None  # noqa: SLF001 - the part that these tests are about
        return net._store, plan  # noqa: SLF001

    def write(self, token: str = CANARY, moment: Moment | None = None, environment: str = "production") -> str:
        """Keep what the store has; returns why that failed."""
        store, plan = self.store_of(environment)
        self.store.put("app", {"token": token})
        return store.write(plan, fetch_documents(plan.documents, plan.backends, Deadline(5)), moment or now())

    def read(self, environment: str = "production", limit: float = DAY) -> str:
        """Return what is kept as the token, or why it is of no use."""
        store, plan = self.store_of(environment)
        found = store.read(plan, limit)
        if isinstance(found, Refusal):
            return found.reason
        (document,) = found.documents.values()
        assert isinstance(document, Document)
        return str(json.loads(json.dumps(document.content.reveal()))["token"])

    def file(self) -> Path:
        (found,) = self.cache.glob("*.cache")
        return found

    def replace(self, data: bytes) -> None:
        """Put ``data`` in the file's place, as whoever may write there can."""
        name = next(name for name in self.names() if ".cache" in name)
        path = self.cache / name.removesuffix(".bad")
        path.write_bytes(data)
        path.chmod(0o600)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.cache.iterdir())


@pytest.fixture
def desk(tmp_path: Path, confsvc_memory: MemoryStore) -> Desk:
    """A cache in which something was kept."""
    made = Desk(tmp_path, confsvc_memory)
    assert made.write() == ""
    assert made.read() == CANARY
    return made


def test_a_flipped_bit_anywhere_is_noticed(desk: Desk) -> None:
    good = desk.file().read_bytes()
    store, plan = desk.store_of()
    for position in range(len(good)):
        desk.replace(good[:position] + bytes([good[position] ^ 1 << position % 8]) + good[position + 1 :])
        found = store.read(plan, DAY)
        assert isinstance(found, Refusal), position
        assert found.reason in {"corrupt", "undecryptable", "newer"}, position
    desk.replace(good)
    assert desk.read() == CANARY  # the control: untouched it is read


def test_what_is_cut_short_empty_or_noise_is_refused(desk: Desk) -> None:
    good = desk.file().read_bytes()
    store, plan = desk.store_of()
    noise = [random.Random(n).randbytes(n * 7) for n in range(40)]  # noqa: S311 - no secret
    longer = [good + b"x", good + good, good.replace(b"}\n", b'}\n"', 1), b"confsvc cache 1\n{}\n", b"confsvc cache \n"]
    for data in [*(good[:length] for length in range(len(good))), *noise, *longer]:
        desk.replace(data)
        found = store.read(plan, DAY)
        assert isinstance(found, Refusal)
        assert found.reason in {"corrupt", "undecryptable", "newer"}


def test_what_was_damaged_is_set_aside_and_kept_anew(desk: Desk) -> None:
    file = desk.file()
    damaged = file.read_bytes()[:-1] + b"?"
    file.write_bytes(damaged)
    assert desk.read() == "corrupt"
    assert desk.names() == [f"{file.name}.bad"]
    assert (desk.cache / f"{file.name}.bad").read_bytes() == damaged
    assert desk.write("new") == ""
    assert desk.read() == "new"


def test_what_another_version_wrote_is_refused(desk: Desk) -> None:
    file = desk.file()
    file.write_bytes(file.read_bytes().replace(b"confsvc cache 1\n", b"confsvc cache 2\n", 1))
    assert desk.read() == "newer"
    assert file.exists()


def test_an_older_file_that_is_put_back_is_as_good_as_its_age(desk: Desk) -> None:
    """Nothing on this machine can tell: what is kept ends by its age, and the age is authenticated."""
    old = desk.file().read_bytes()
    desk.write("new")
    desk.file().write_bytes(old)
    assert desk.read() == CANARY
    desk.write("older", now()._replace(wall=time.time() - 2 * DAY, boot=""))
    assert desk.read() == "too_old"


def foreign_environment(desk: Desk) -> str:
    desk.write("other", environment="staging")
    return "staging"


def foreign_manifest(desk: Desk) -> str:
    desk.text = MANIFEST.replace("[settings]", "[settings]\nMORE = { required = false }")
    return "production"


def foreign_project(desk: Desk) -> str:
    desk.text = MANIFEST.replace("shop", "bakery")
    return "production"


@pytest.mark.parametrize("other", [foreign_environment, foreign_manifest, foreign_project])
def test_what_was_kept_for_another_is_refused_wherever_it_lies(desk: Desk, other: Callable[[Desk], str]) -> None:
    file = desk.file()
    good = file.read_bytes()
    environment = other(desk)
    assert desk.read(environment) in {"missing", "other"}  # it has another name
    store, plan = desk.store_of(environment)
    (desk.cache / store._identity.file).write_bytes(good)  # noqa: SLF001 - so it is given that one
    (desk.cache / store._identity.file).chmod(0o600)  # noqa: SLF001
    found = store.read(plan, DAY)
    assert isinstance(found, Refusal)
    assert found.reason == "foreign"


@pytest.mark.parametrize("field", ["user", "machine", "backends"])
def test_what_another_user_machine_or_store_had_is_refused(desk: Desk, field: str) -> None:
    store, plan = desk.store_of()
    identity = store._identity  # noqa: SLF001 - whoever it would be
    value: Any = identity.user + 1 if field == "user" else "another"
    other = Store(identity._replace(**{field: value}), desk.environ)
    found = store.read(plan, DAY)
    assert isinstance(found, Kept)
    shutil.copy2(desk.file(), desk.cache / other._identity.file)  # noqa: SLF001
    refused = other.read(plan, DAY)
    assert isinstance(refused, Refusal)
    assert refused.reason == "foreign"


def test_another_key_opens_nothing_and_removes_nothing(desk: Desk) -> None:
    desk.key.unlink()
    before = desk.file().read_bytes()
    assert desk.read() == "undecryptable"
    assert desk.file().read_bytes() == before
    assert desk.write("new") == ""
    assert desk.read() == "new"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_what_others_may_read_or_write_is_refused(desk: Desk, mode: int) -> None:
    desk.file().chmod(mode)
    assert desk.read() == "file"
    assert desk.write("new") == ""  # it is replaced by one that they may not
    assert stat.S_IMODE(desk.file().stat().st_mode) == 0o600
    assert desk.read() == "new"


def test_no_link_is_followed(desk: Desk) -> None:
    file = desk.file()
    elsewhere = desk.folder / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    assert desk.read() == "file"
    assert "not a regular file" in desk.write("new")
    assert elsewhere.read_bytes() == before
    file.unlink()
    file.mkdir()
    assert desk.read() == "file"
    file.rmdir()
    os.mkfifo(file, 0o600)
    assert desk.read() == "file"


def test_a_folder_in_which_others_write_is_not_used(desk: Desk) -> None:
    desk.cache.chmod(0o770)
    assert desk.read() == "folder"
    assert "others may write in it" in desk.write("new")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_what_belongs_to_another_user_is_not_used(desk: Desk) -> None:
    os.chown(desk.file(), 12345, -1)
    assert desk.read() == "file"
    os.chown(desk.file(), 0, -1)
    os.chown(desk.cache, 12345, -1)
    assert desk.read() == "folder"


def test_the_age_is_the_longest_that_any_clock_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    here = now()
    assert Moment(here.wall, here.boot, here.lasting - 50).age() == pytest.approx(50, abs=5)
    assert Moment(here.wall - 50, here.boot, here.lasting).age() == pytest.approx(50, abs=5)
    assert Moment(here.wall - 50, "another", here.lasting - 9999).age() == pytest.approx(50, abs=5)
    assert Moment(here.wall + 200, "another", here.lasting).age() == 0.0
    assert Moment(here.wall + 400, here.boot, here.lasting).age() is None
    monkeypatch.setattr(time, "time", lambda: here.wall - 3600)  # a clock that was set back
    assert desk.read() == "clock"
    monkeypatch.setattr(time, "time", lambda: here.wall - 200)
    assert desk.read() == CANARY
    monkeypatch.setattr(time, "time", lambda: here.wall + DAY - 5)
    assert desk.read() == CANARY
    monkeypatch.setattr(time, "time", lambda: here.wall + DAY + 5)
    assert desk.read() == "too_old"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (719, "11 min"),
        (11520, "3 h 12 min"),
        (86400, "1 d"),
        (187200, "2 d 4 h"),
    ],
)
def test_an_age_is_said_in_two_units(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


def make_key(data: bytes, mode: int = 0o400) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(data)
        path.chmod(mode)

    return make


GIVEN: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "nothing": (lambda _: None, "no such file"),
    "short": (make_key(b"x" * 31), "not 32 bytes, nor their base64"),
    "long": (make_key(b"x" * 33), "not 32 bytes, nor their base64"),
    "base64 of less": (make_key(b"eHh4eHg=\n"), "not 32 bytes, nor their base64"),
    "for the group": (make_key(b"x" * 32, 0o460), "others than its owner"),
    "for all": (make_key(b"x" * 32, 0o404), "others than its owner"),
    "a folder": (lambda path: path.mkdir(), "is a directory"),
    "a pipe": (lambda path: os.mkfifo(path, 0o400), "not a regular file"),
}


@pytest.mark.parametrize("case", GIVEN)
def test_a_bad_key_is_refused_and_said(desk: Desk, case: str) -> None:
    make, message = GIVEN[case]
    path = desk.folder / "given.key"
    make(path)
    desk.environ["CONFSVC_CACHE_KEY_FILE"] = str(path)
    assert desk.read() == "key"
    assert message in desk.write()


HINTS = {
    "nothing": "head -c 32 /dev/urandom > FILE",
    "for all": "(chmod 0400)",
    "a folder": "is a directory",
    "a pipe": "not a regular file",
}


@pytest.mark.parametrize("case", HINTS)
def test_what_helps_against_a_bad_key_is_said_and_nothing_else(desk: Desk, case: str) -> None:
    GIVEN[case][0](desk.folder / "given.key")
    desk.environ["CONFSVC_CACHE_KEY_FILE"] = str(desk.folder / "given.key")
    said = desk.write()
    assert HINTS[case] in said
    assert ("chmod 0400" in said) == (case in {"nothing", "for all"})


@pytest.mark.parametrize("variable", ["CONFSVC_CACHE_DIR", "XDG_STATE_HOME"])
def test_a_folder_that_cannot_be_made_is_said(desk: Desk, variable: str) -> None:
    desk.environ[variable] = "/proc/confsvc"  # where nobody can make one, and it is not there
    assert "is not used: no such file or directory" in desk.write()


@pytest.mark.parametrize(
    "data",
    [b"k" * 32, b"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n", b"__-_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="],
    ids=["raw", "base64", "URL base64"],
)
def test_a_key_is_32_bytes_or_their_base64_and_a_link_may_lead_to_it(desk: Desk, data: bytes) -> None:
    make_key(data)(desk.folder / "secret")
    (desk.folder / "given.key").symlink_to(desk.folder / "secret")  # as Kubernetes mounts a Secret
    desk.environ["CONFSVC_CACHE_KEY_FILE"] = str(desk.folder / "given.key")
    assert desk.read() == "undecryptable"
    assert desk.write("new") == ""
    assert desk.read() == "new"


def test_a_key_in_the_folder_of_the_cache_is_refused(desk: Desk) -> None:
    make_key(b"k" * 32)(desk.cache / "key")
    (desk.folder / "link").symlink_to(desk.cache / "key")
    for path in (desk.cache / "key", desk.folder / "link"):
        desk.environ["CONFSVC_CACHE_KEY_FILE"] = str(path)
        assert desk.read() == "key"
        assert "protects nothing" in desk.write()
    del desk.environ["CONFSVC_CACHE_KEY_FILE"]
    desk.environ["XDG_STATE_HOME"] = str(desk.cache)
    assert "protects nothing" in desk.write()


def test_a_full_disk_leaves_what_there_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    names = desk.names()
    for call in ("write", "fsync", "rename", "fchmod"):
        with monkeypatch.context() as patched:
            patched.setattr(os, call, failing(errno.ENOSPC))
            assert "no space left" in desk.write("new"), call
        assert desk.names() == names
        assert desk.read() == CANARY


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(number, "")

    return fail


def test_a_folder_that_cannot_be_written_is_read_all_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def read_only(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "")
        return real(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", read_only)
    assert "read-only" in desk.write("new")
    assert desk.read() == CANARY


def leftovers(desk: Desk) -> list[str]:
    return [name for name in desk.names() if name.startswith(PREFIX)]


def test_a_crash_before_any_call_leaves_what_there_was_or_what_is_new(desk: Desk) -> None:
    number, crashed = 0, True
    store, plan = desk.store_of()
    desk.store.put("app", {"token": "new"})
    fetched = fetch_documents(plan.documents, plan.backends, Deadline(5))
    good = desk.file().read_bytes()
    while crashed:
        desk.file().write_bytes(good)
        crashed = dies_before(number, CALLS, lambda: store.write(plan, fetched, now()))
        assert desk.read() in {CANARY, "new"}, number
        assert desk.write("newer") == ""
        assert leftovers(desk) == []
        number += 1
    assert number > 12


def test_a_crash_while_the_first_key_is_made_wedges_nothing(tmp_path: Path, confsvc_memory: MemoryStore) -> None:
    number, crashed = 0, True
    while crashed:
        desk = Desk(tmp_path / str(number), confsvc_memory)
        desk.folder.mkdir()
        store, plan = desk.store_of()
        confsvc_memory.put("app", {"token": "new"})
        fetched = fetch_documents(plan.documents, plan.backends, Deadline(5))
        crashed = dies_before(number, CALLS, partial(store.write, plan, fetched, now()))
        assert desk.write("newer") == ""
        assert desk.read() == "newer"
        number += 1
    assert number > 20


def test_that_test_can_fail(desk: Desk) -> None:
    torn = 0
    good = desk.file().read_bytes()

    def naive() -> None:
        handle = os.open(desk.file(), os.O_WRONLY | os.O_TRUNC)
        os.write(handle, good[:100])
        os.write(handle, good[100:])
        os.close(handle)

    for number in range(4):
        desk.file().write_bytes(good)
        dies_before(number, CALLS, naive)
        torn += desk.read() != CANARY
        desk.replace(good)
    assert torn


def test_a_kill_at_any_moment_leaves_a_whole_file(desk: Desk) -> None:
    store, plan = desk.store_of()
    desk.store.put("app", {"token": "new"})
    fetched = fetch_documents(plan.documents, plan.backends, Deadline(5))
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    for _ in range(150):
        pid = os.fork()
        if pid == 0:
            for _ in range(50):
                store.write(plan, fetched, now())
            os._exit(0)
        time.sleep(chance.uniform(0, 0.006))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert desk.read() in {CANARY, "new"}
    assert desk.write("newer") == ""
    assert leftovers(desk) == []


def test_many_who_write_at_once_leave_a_file_of_one_of_them(desk: Desk) -> None:
    store, plan = desk.store_of()
    pids = []
    for number in range(24):
        pid = os.fork()
        if pid == 0:
            desk.store.put("app", {"token": f"by {number}"})
            store.write(plan, fetch_documents(plan.documents, plan.backends, Deadline(5)), now())
            os._exit(0)
        pids.append(pid)
    while pids:
        assert desk.read().startswith(("by ", CANARY))
        pids = [pid for pid in pids if os.waitpid(pid, os.WNOHANG) == (0, 0)]
    assert desk.read().startswith("by ")
    assert leftovers(desk) == []


def test_who_is_rekeying_keeps_writers_out_for_a_moment_only(desk: Desk) -> None:
    handle = os.open(desk.cache, os.O_RDONLY)
    import fcntl

    fcntl.flock(handle, fcntl.LOCK_EX)
    began = time.monotonic()
    assert desk.write("new") == ""
    assert time.monotonic() - began < 15
    os.close(handle)
    assert desk.read() == CANARY


def test_rekeying_seals_everything_with_a_new_key(desk: Desk) -> None:
    before, old = desk.file().read_bytes(), desk.key.read_bytes()
    assert rekey(desk.environ) == (1, ())
    assert desk.key.read_bytes() != old
    assert desk.file().read_bytes() != before
    assert desk.read() == CANARY
    assert sorted(path.name for path in desk.key.parent.iterdir()) == ["cache.key"]


def test_a_crash_while_rekeying_leaves_everything_readable(desk: Desk) -> None:
    number, crashed = 0, True
    while crashed:
        crashed = dies_before(number, CALLS, lambda: rekey(desk.environ))
        assert desk.read() == CANARY, number
        number += 1
    assert number > 20
    assert rekey(desk.environ).left == ()
    assert desk.read() == CANARY


def test_a_key_that_was_given_is_changed_by_who_gives_it(desk: Desk) -> None:
    old, new = desk.folder / "old.key", desk.folder / "new.key"
    make_key(b"o" * 32)(old)
    make_key(b"n" * 32)(new)
    desk.environ["CONFSVC_CACHE_KEY_FILE"] = str(old)
    desk.write("kept")
    desk.environ["CONFSVC_CACHE_KEY_FILE"] = str(new)
    assert desk.read() == "undecryptable"
    with pytest.raises(UsageError, match="CONFSVC_CACHE_KEY_FILE"):
        rekey(desk.environ)
    assert rekey(desk.environ, str(old)) == (1, ())
    assert desk.read() == "kept"
    assert rekey(desk.environ, str(old)) == (1, ())


def test_what_cannot_be_opened_is_left_alone_by_rekeying(desk: Desk) -> None:
    (desk.cache / "noise.cache").write_bytes(b"noise")
    (desk.cache / "noise.cache").chmod(0o600)
    assert rekey(desk.environ) == (1, ("noise.cache",))


def test_items_say_how_each_file_is(desk: Desk) -> None:
    desk.write("s", now()._replace(wall=time.time() - 2 * DAY, boot=""), environment="staging")
    (desk.cache / "noise.cache").write_bytes(b"noise")
    (desk.cache / "noise.cache").chmod(0o600)
    found = {item.environment: item for item in items(desk.environ, DAY)}
    assert {name: item.state for name, item in found.items()} == {
        "production": "usable",
        "staging": "too_old",
        "": "corrupt",
    }
    assert found["production"].documents == 1
    assert find_leaks(CANARY, repr(found)) == []


def test_purging_removes_what_is_meant(desk: Desk) -> None:
    desk.write("s", environment="staging")
    assert purge(desk.environ, lambda project, environment: (project, environment) == ("shop", "staging")) == 1
    assert desk.read() == CANARY
    assert purge(desk.environ) == 1
    assert desk.names() == []
    assert purge({**desk.environ, "CONFSVC_CACHE_DIR": str(desk.folder / "nowhere")}) == 0


def test_nothing_that_is_refused_shows_a_value(desk: Desk) -> None:
    store, plan = desk.store_of()
    good = desk.file().read_bytes()
    sealed = parse(good)
    said = [repr(store.read(plan, DAY)), repr(sealed), repr(store)]
    desk.file().write_bytes(good[:-3])
    said.append(repr(store.read(plan, DAY)))
    assert find_leaks(CANARY, *said) == []


def test_without_a_home_a_folder_can_be_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> Any:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", nobody)
    for name in ("CONFSVC_CACHE_DIR", "XDG_STATE_HOME", "HOME"):
        desk.environ.pop(name)
    assert desk.read() == "folder"
    assert "no home" in desk.write()
    with pytest.raises(CacheError):
        items(desk.environ, DAY)
