"""Locks: what was read is read again, whatever was written since; and a lock that is not right is refused."""

import os
import threading
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import confsvc
from confsvc.cli import run
from confsvc.cli.lock_file import write_lock
from confsvc.errors import Denied, LockError, ResolutionError, UsageError
from confsvc.locking import LockedEnvironment, LockedSetting, Read, read_lock
from confsvc.testing import MemoryStore, find_leaks, make_canary

CANARY = make_canary()

MANIFEST = """
project = "shop"
[settings]
URL = { secret = true }
HOST = {}
LEVEL = { default = "info" }
OPTIONAL = { required = false }
PLAIN = {}
TREE = {}
[environments.staging]
sources = ["memory://staging"]
[environments.production]
sources = ["memory://base", { from = "memory://missing", optional = true }, "memory://tree/"]
[environments.production.values]
PLAIN = "80"
URL = "postgres://${HOST}:${memory://db#password|urlencode}@${memory://db#name}"
"""


class Model(BaseModel):
    """The settings of the manifest."""

    url: str
    host: str
    level: str = "info"
    optional: str | None = None
    plain: int
    tree: str


class Case:
    """A project over the memory store."""

    def __init__(self, folder: Path, store: MemoryStore, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.store = store
        self._capfd = capfd

    @property
    def lock(self) -> Path:
        """The lock beside the manifest."""
        return self.folder / "confsvc.lock"

    def manifest(self, text: str = MANIFEST) -> None:
        """Write the manifest."""
        (self.folder / "confsvc.toml").write_text(text)

    def run(self, *argv: str) -> tuple[int, str, str]:
        """Run a command in this process, whose memory is the store."""
        status = run(list(argv))
        out, err = self._capfd.readouterr()
        return status, out, err

    def take(self, *argv: str) -> dict[str, Any]:
        """Lock, and return what the lock says of the settings of production."""
        status, _, err = self.run("lock", *(argv or ("-e", "production")))
        assert status == 0, err
        found: dict[str, Any] = tomllib.loads(self.lock.read_text())["environments"]["production"]
        return found

    def locked(self, **options: Any) -> dict[str, str]:
        """Return the values that are read with the lock."""
        options.setdefault("environment", "production")
        return confsvc.resolve(locked=True, **options).environ()

    def refused(self, **options: Any) -> dict[str, str]:
        """Return why reading with the lock is refused, by the name of the setting or the place."""
        with pytest.raises(LockError) as caught:
            self.locked(**options)
        assert caught.value.exit_status == 78
        return {p.name or p.reference or p.place: p.message for p in caught.value.problems}

    def edit(self, old: str, new: str) -> None:
        """Edit the lock by hand."""
        text = self.lock.read_text()
        assert old in text
        self.lock.write_text(text.replace(old, new))


@pytest.fixture
def case(
    tmp_path: Path, confsvc_memory: MemoryStore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Case:
    """A project whose production is complete."""
    made = Case(tmp_path, confsvc_memory, capfd)
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("URL", "HOST", "LEVEL", "OPTIONAL", "PLAIN", "TREE"):
        monkeypatch.delenv(name, raising=False)
    made.manifest()
    confsvc_memory.put("base", {"host": "first"})
    confsvc_memory.put("db", {"password": CANARY, "name": "shop"})
    confsvc_memory.put("tree/", {"tree": "leaf", "other": "x"}, parts={"tree": "7", "other": "1"})
    confsvc_memory.put("staging", dict.fromkeys(("url", "host", "plain", "tree"), "s"))
    return made


def test_a_lock_says_for_every_setting_what_was_read(case: Case) -> None:
    assert case.take() == {
        "sources": [
            {"reference": "memory://base", "version": "1"},
            {"reference": "memory://missing", "state": "absent"},
            {"reference": "memory://tree/", "version": "1", "state": "parts"},
        ],
        "settings": {
            "HOST": {"layer": "source", "reads": [{"reference": "memory://base", "version": "1"}]},
            "LEVEL": {"layer": "default"},
            "OPTIONAL": {},
            "PLAIN": {"layer": "values"},
            "TREE": {"layer": "source", "reads": [{"reference": "memory://tree/", "part": "tree", "version": "7"}]},
            "URL": {
                "layer": "values",
                "reads": [
                    {"reference": "memory://db#password", "version": "1"},
                    {"reference": "memory://db#name", "version": "1"},
                ],
            },
        },
    }
    assert find_leaks(CANARY, case.lock.read_text()) == []


def test_it_has_one_line_for_each_setting_and_is_the_same_each_time(case: Case) -> None:
    case.take()
    first = case.lock.read_bytes()
    case.manifest(MANIFEST.replace("URL = { secret = true }\nHOST = {}", "HOST = {}\nURL = { secret = true }"))
    case.take()
    assert case.lock.read_bytes() == first
    assert [line.split(" = ")[0] for line in first.decode().splitlines() if line[:1].isupper()] == [
        "HOST", "LEVEL", "OPTIONAL", "PLAIN", "TREE", "URL",
    ]  # fmt: skip


def test_locking_one_environment_leaves_the_others_alone(case: Case) -> None:
    case.take()
    before = read_lock(str(case.lock), "shop").environments["production"]
    assert case.run("lock", "-e", "staging")[0] == 0
    after = read_lock(str(case.lock), "shop").environments
    assert after["production"] == before
    assert list(after) == ["production", "staging"]


def test_what_was_locked_is_read_again_whatever_came_later(case: Case) -> None:
    case.take()
    then = confsvc.resolve(environment="production").environ()
    case.store.put("base", {"host": "second", "optional": "new"})
    case.store.put("missing", {"host": "third", "level": "debug"})
    case.store.put("db", {"password": "other", "name": "other"})
    case.store.put("tree/", {"tree": "grown", "optional": "y"}, parts={"tree": "8", "optional": "1"})
    assert case.locked() == then
    assert confsvc.resolve(environment="production").environ() != then


def test_the_origin_is_what_the_manifest_says_at_the_version_that_was_locked(case: Case) -> None:
    case.take()
    case.store.put("base", {"host": "second"})
    origin = confsvc.resolve(environment="production", locked=True)["HOST"].origin
    assert (origin.layer, origin.reference, origin.version) == ("source", "memory://base", "1")


def test_a_model_is_loaded_with_the_lock(case: Case) -> None:

    case.take()
    case.store.put("base", {"host": "second"})
    assert confsvc.load(Model, environment="production", locked=True).host == "first"
    assert confsvc.load(Model, environment="production").host == "second"
    assert confsvc.load(Model, environment="production", locked=str(case.lock)).plain == 80


def test_only_what_is_wanted_is_read(case: Case) -> None:
    case.take()
    case.store.reads.clear()
    assert case.locked(only=["PLAIN"]) == {"PLAIN": "80"}
    assert case.store.reads == {}


def test_set_decides_above_the_lock(case: Case) -> None:
    case.take()
    assert case.locked(set={"HOST": "mine"})["HOST"] == "mine"


def test_the_process_environment_decides_nothing_when_it_is_locked(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "of the machine that locks")
    assert case.take()["settings"]["HOST"]["layer"] == "source"


def test_what_only_the_process_environment_has_is_marked(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.store.put("base", {})
    monkeypatch.setenv("HOST", "given by the platform")
    assert case.take()["settings"]["HOST"] == {"layer": "environment"}
    status, _, err = case.run("lock", "-e", "production", "--strict")
    assert (status, "HOST" in err) == (78, True)
    assert case.locked()["HOST"] == "given by the platform"


def test_what_is_missing_cannot_be_locked(case: Case) -> None:
    case.store.put("base", {})
    status, _, err = case.run("lock", "-e", "production")
    assert status == 65
    assert "HOST" in err
    assert not case.lock.exists()


def test_what_could_not_be_read_cannot_be_locked_even_where_nothing_needs_it_now(case: Case) -> None:
    case.store.fail("missing", Denied("you may not"))
    case.manifest(MANIFEST.replace('PLAIN = "80"', 'PLAIN = "80"\nHOST = "h"\nTREE = "t"\nOPTIONAL = "o"\nLEVEL = "l"'))
    assert case.run("check", "-e", "production")[0] == 0
    status, _, err = case.run("lock", "-e", "production")
    assert (status, "you may not" in err) == (77, True)


def test_a_store_without_versions_is_marked_and_refused_where_that_matters(case: Case) -> None:
    (case.folder / ".env").write_text("HOST=local\n")
    case.manifest(MANIFEST.replace('"memory://base"', '"dotenv://.env"'))
    status, out, err = case.run("lock", "-e", "production")
    assert (status, out) == (0, "locked 6 settings of production in confsvc.lock\n")
    assert "`dotenv://.env` keeps no earlier versions" in err
    locked = read_lock(str(case.lock), "shop").environments["production"]
    assert locked.settings["HOST"].reads == (Read("dotenv://.env", state="unpinned"),)
    before = case.lock.read_bytes()
    status, _, err = case.run("lock", "-e", "production", "--strict")
    assert status == 78
    assert "HOST" in err
    assert case.lock.read_bytes() == before
    (case.folder / ".env").write_text("HOST=changed\n")
    assert case.locked()["HOST"] == "changed"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("HOST = {}", "HOST = {}\nNEW = { required = false }", {"NEW": "was added"}),
        ("OPTIONAL = { required = false }\n", "", {"OPTIONAL": "was removed"}),
        ("memory://db#name}", "memory://db#title}", {"URL": "changed"}),
        ("memory://db#password", "memory://db2#password", {"URL": "changed"}),
        ('PLAIN = "80"', 'PLAIN = "${memory://db#name}"', {"PLAIN": "changed"}),
        ('"memory://base"', '"memory://elsewhere"', {"memory://elsewhere": "not locked", "memory://base": "no source"}),
        ('"memory://base", ', "", {"memory://base": "no source any more"}),
        ('sources = ["memory://base", { from = "memory://missing", optional = true }',
         'sources = [{ from = "memory://missing", optional = true }, "memory://base"',
         {"memory://missing memory://base memory://tree/": "another order"}),
    ],
)  # fmt: skip
def test_a_manifest_that_changed_is_refused_and_every_difference_named(
    case: Case, old: str, new: str, told: dict[str, str]
) -> None:
    case.take()
    assert old in MANIFEST
    case.manifest(MANIFEST.replace(old, new))
    case.store.reads.clear()
    found = case.refused()
    assert set(found) == set(told)
    assert all(words in found[name] for name, words in told.items())
    assert case.store.reads == {}
    assert case.run("lock", "--check", "-e", "production")[0] == 1


def test_a_version_that_is_gone_is_no_absence(case: Case) -> None:
    case.manifest(MANIFEST.replace("HOST = {}", 'HOST = { default = "fallback" }'))
    case.take()
    case.store.put("base", {"host": "second"})
    case.store.destroy("base", "1")
    with pytest.raises(ResolutionError) as caught:
        case.locked()
    assert caught.value.exit_status == 65
    assert "`base` has no version 1, and it is the version that was locked" in caught.value.problems[0].message


def test_a_part_that_is_gone_is_named(case: Case) -> None:
    case.take()
    case.store.destroy("tree/tree", "7")
    with pytest.raises(ResolutionError) as caught:
        case.locked()
    assert "`tree/tree` has no version 7" in caught.value.problems[0].message


def test_an_environment_that_was_not_locked_is_refused(case: Case) -> None:
    case.take()
    with pytest.raises(LockError, match="does not have the environment `staging`"):
        case.locked(environment="staging")


def test_no_lock_at_all_says_how_to_make_one(case: Case) -> None:
    with pytest.raises(LockError, match=r"there is no lock `confsvc\.lock`") as caught:
        case.locked()
    assert "confsvc lock" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("format = 1", "format = 2", "format 2"),
        ("format = 1", "", "says no `format`"),
        ("format = 1", "format = true", "says no `format`"),
        ('project = "shop"', 'project = "other"', "a lock of the project `other`"),
        ('project = "shop"', "", "a lock of no project"),
        ('project = "shop"', 'project = "shop', "is not TOML"),
        ("format = 1", "<<<<<<< ours\nformat = 1", "conflict markers"),
        ("format = 1", "format = 1\nformats = 2", "did you mean `format`"),
        ('layer = "default"', 'layer = "defaults"', "did you mean `default`"),
        ('part = "tree", version', 'part = "tree", versions', "unknown key"),
        ('part = "tree", version = "7"', 'part = "tree", version = 7', "must be a string"),
        ('part = "tree", version = "7"', 'part = "tree", version = "\\u0007"', "must match"),
        ('part = "tree", version = "7"', 'part = "tree"', "needs its `version`"),
        ('state = "absent"', 'state = "absent", version = "1"', "has no `version`"),
        ('reference = "memory://db#name", version = "1"', 'reference = "memory://db#name", version = "2"',
         "locked to two versions"),
        ('reference = "memory://db#name"', 'reference = "db"', "must match"),
        ("[environments.production]\n", "[environments.production]\nextra = 1\n", "unknown key `extra`"),
    ],
)  # fmt: skip
def test_a_lock_that_was_edited_by_hand_is_refused(case: Case, old: str, new: str, told: str) -> None:
    case.take()
    case.edit(old, new)
    with pytest.raises(LockError) as caught:
        case.locked()
    assert told in " ".join([caught.value.message, *(p.message for p in caught.value.problems)])
    before = case.lock.read_bytes()
    assert case.run("lock", "-e", "production")[0] == 78
    assert case.lock.read_bytes() == before


def test_what_is_wrong_with_a_lock_has_its_line(case: Case) -> None:
    case.take()
    case.edit('layer = "default"', 'layer = "x"')
    number = case.lock.read_text().splitlines().index('LEVEL = { layer = "x" }') + 1
    assert list(case.refused()) == [f"confsvc.lock:{number}"]


def test_a_lock_that_cannot_be_written_is_an_error_and_leaves_nothing(case: Case) -> None:
    case.lock.mkdir()
    status, _, err = case.run("lock", "-e", "staging", "--lock-file", str(case.folder / "no" / "confsvc.lock"))
    assert (status, "its folder: no such file" in err) == (73, True)
    assert case.run("lock", "-e", "staging")[0] == 78  # a folder is no lock
    assert sorted(os.listdir(case.folder)) == [".git", "confsvc.lock", "confsvc.toml"]


def test_two_who_lock_at_the_same_time_lose_nothing(case: Case) -> None:
    names = [f"e{number}" for number in range(16)]

    def write(name: str) -> None:
        locked = LockedEnvironment((), {"A": LockedSetting("default")})
        write_lock(str(case.lock), "shop", {name: locked}, known=names)

    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_lock(str(case.lock), "shop").environments) == sorted(names)


def test_environments_that_the_manifest_lost_leave_the_lock(case: Case) -> None:
    case.run("lock", "--all")
    case.manifest(MANIFEST.replace('[environments.staging]\nsources = ["memory://staging"]\n', ""))
    status, _, err = case.run("lock", "-e", "production")
    assert status == 0
    assert "`staging`" in err
    assert list(read_lock(str(case.lock), "shop").environments) == ["production"]


def test_check_says_what_moved_without_reading_a_value(case: Case) -> None:
    case.take()
    assert case.run("lock", "--check", "-e", "production")[:2] == (0, "ok: production is as it was locked\n")
    case.store.put("db", {"password": "other", "name": "x"})
    case.store.put("tree/", {"tree": "grown"}, parts={"tree": "8"})
    case.store.put("missing", {"host": "third"})
    case.store.reads.clear()
    status, out, err = case.run("lock", "--check", "-e", "production")
    assert status == 1, err
    rows = {line.split()[1]: line.split() for line in out.splitlines()[1:]}
    assert rows["memory://db"][:5] == ["moved", "memory://db", "1", "→", "2"]
    assert rows["memory://tree/tree"][:5] == ["moved", "memory://tree/tree", "7", "→", "8"]
    assert rows["memory://missing"][0] == "appeared"
    assert "memory://base" not in rows
    assert case.store.reads == {}


def test_check_says_that_a_locked_version_is_gone(case: Case) -> None:
    case.take()
    case.store.put("base", {"host": "second"})
    case.store.destroy("base", "1")
    assert "gone" in case.run("lock", "--check", "-e", "production")[1]
    case.store.remove("base")
    status, out, _ = case.run("lock", "--check", "-e", "production")
    assert (status, "nothing is there any more" in out) == (1, True)


def test_check_that_may_not_ask_ends_as_denied(case: Case) -> None:
    case.take()
    case.store.fail("db", Denied("you may not"))
    status, out, _ = case.run("lock", "--check", "-e", "production")
    assert (status, "failed" in out) == (77, True)


def test_sources_alone_have_no_lock(case: Case) -> None:
    with pytest.raises(UsageError, match="belongs to a manifest"):
        confsvc.resolve(sources=["memory://base"], locked=True)
    assert case.run("get", "HOST", "--source", "memory://base", "--locked")[0] == 64


@pytest.mark.parametrize(
    "argv",
    [["--all", "-e", "production"], ["--check", "--strict"], ["-e", ""], ["--lock-file", ""], ["--timeout", "0s"]],
)
def test_what_makes_no_sense_is_a_usage_error(case: Case, argv: list[str]) -> None:
    assert case.run("lock", *argv)[0] == 64


def test_extra_fields_are_locked_as_they_are_injected(case: Case) -> None:
    case.manifest('project = "shop"\n[environments.production]\nsources = ["memory://base", "memory://tree/"]\n')
    assert set(case.take()["settings"]) == {"HOST", "TREE", "OTHER"}
    case.store.put("tree/", {"tree": "grown", "new": "y"}, parts={"tree": "8", "new": "1"})
    assert case.locked() == {"HOST": "first", "TREE": "leaf", "OTHER": "x"}


def test_a_whole_tree_as_json_is_read_part_by_part(case: Case) -> None:
    case.manifest(
        'project = "shop"\n[settings]\nALL = { type = "json" }\nONE = {}\n[environments.production.values]\n'
        'ALL = "${memory://tree/}"\nONE = "${memory://tree/#tree}"\n'
    )
    case.take()
    case.store.put("tree/", {"tree": "grown"}, parts={"tree": "8"})
    assert case.locked() == {"ALL": '{"other":"x","tree":"leaf"}', "ONE": "leaf"}


def test_two_thousand_settings_are_locked_and_read_again(case: Case) -> None:
    settings = "".join(f"S{n} = {{}}\n" for n in range(2000))
    values = "".join(f'S{n} = "${{memory://d{n % 500}#f}}"\n' for n in range(1000))
    case.manifest(
        f'project = "shop"\n[settings]\n{settings}[environments.production]\nsources = ["memory://t/"]\n'
        f"[environments.production.values]\n{values}"
    )
    for number in range(500):
        case.store.put(f"d{number}", {"f": "x"})
    fields = {f"s{n}": "y" for n in range(1000, 2000)}
    case.store.put("t/", fields, parts=dict.fromkeys(fields, "1"))
    assert len(case.take()["settings"]) == 2000
    case.store.put("t/", dict.fromkeys(fields, "z"), parts=dict.fromkeys(fields, "2"))
    found = case.locked()
    assert (found["S1"], found["S1500"]) == ("x", "y")
    assert case.run("lock", "--check", "-e", "production")[1].count("moved") == 1000


def test_check_proves_that_a_lock_can_still_be_read(case: Case) -> None:
    assert case.run("lock", "--all")[0] == 0
    case.store.put("base", {"optional": "no host any more"})
    assert case.run("check", "-e", "production")[0] == 1
    assert case.run("check", "--all", "--locked")[0] == 0
    case.store.destroy("base", "1")
    status, out, err = case.run("check", "--all", "--locked")
    assert (status, "ok: 5 settings resolve and validate for staging" in out) == (1, True)
    assert "it is the version that was locked" in err
    assert case.run("check", "-e", "production", "--locked", "--metadata")[0] == 64


def test_what_is_watched_with_a_lock_stays_as_it_was_locked(case: Case) -> None:
    case.take()
    case.store.put("base", {"host": "second"})
    live = confsvc.watch(Model, environment="production", locked=True)
    try:
        assert live.current.host == "first"
        case.store.put("tree/", {"tree": "grown"}, parts={"tree": "8"})
        assert live.refresh().tree == "leaf"
    finally:
        live.close()


def test_a_manifest_without_environments_has_nothing_to_lock(case: Case) -> None:
    case.run("lock", "-e", "production")
    case.manifest('project = "shop"\n[settings]\nPLAIN = { default = "1" }\n')
    for words in (["lock"], ["get", "PLAIN", "--locked"]):
        status, _, err = case.run(*words)
        assert (status, "the manifest has no environments" in err) == (78, True)


def test_an_environment_without_sources_is_locked_too(case: Case) -> None:
    case.manifest('project = "shop"\n[settings]\nPLAIN = { default = "1" }\n[environments.production]\n')
    assert case.take() == {"settings": {"PLAIN": {"layer": "default"}}}
    assert case.locked() == {"PLAIN": "1"}
