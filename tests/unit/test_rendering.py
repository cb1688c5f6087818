"""Rendering: all old or all new, whatever happens, and nothing that leads elsewhere."""

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from confsvc.errors import OutputError
from confsvc.inject.rendering import Manner, render, wipe
from crashing import dies_before

OLD = {"A": b"old-secret-a", "B": b"old-secret-b", "GONE": b"old-secret-c"}
NEW = {"A": b"new-a", "B": b"new-b", "C": b"new-c"}
CALLS = (
    "open",
    "mkdir",
    "symlink",
    "rename",
    "unlink",
    "rmdir",
    "fsync",
    "fchmod",
    "stat",
    "fstat",
    "listdir",
    "close",
)


def seen(target: Path) -> dict[str, bytes]:
    """Return the set as a reader finds it, through what leads to it now."""
    folder = target / "..data"
    return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.is_dir() else {}


def by_name(target: Path) -> dict[str, bytes]:
    """Return what a reader finds by the names of files."""
    return {p.name: p.read_bytes() for p in target.iterdir() if not p.name.startswith("..") and p.exists()}


def leftovers(target: Path) -> list[str]:
    current = os.readlink(target / "..data")
    return [p.name for p in target.iterdir() if p.name.startswith("..") and p.name not in {"..data", current}]


def all_bytes(target: Path) -> bytes:
    return b"".join(p.read_bytes() for p in target.rglob("*") if p.is_file() and not p.is_symlink())


def test_files_are_there_with_their_bytes_and_modes(tmp_path: Path) -> None:
    target = tmp_path / "out"
    data = {"PLAIN": b"text\n", "BINARY": bytes(range(256)), "EMPTY": b"", ".env": b"X=1\n"}
    assert render(str(target), data)
    assert by_name(target) == data
    assert {p.stat().st_mode & 0o7777 for p in (target / "..data").iterdir()} == {0o400}
    assert target.stat().st_mode & 0o7777 == 0o700
    assert (target / "..data").stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize(("mode", "folder_mode"), [(0o400, 0o700), (0o440, 0o750), (0o444, 0o755)])
def test_a_folder_that_is_made_follows_its_files_whatever_the_umask(
    mode: int, folder_mode: int, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    before = os.umask(0o077)
    try:
        render(str(target), OLD, Manner(mode))
    finally:
        os.umask(before)
    for folder in (target, target / "..data"):
        assert folder.stat().st_mode & 0o7777 == folder_mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_that_are_given_away_are_in_a_folder_that_their_owner_may_look_into(tmp_path: Path) -> None:
    target = tmp_path / "out"
    tmp_path.chmod(0o755)
    render(str(target), OLD, Manner(0o400, (4711, 4712)))
    for path in (target, target / "..data", target / "A"):
        found = path.stat()
        assert (found.st_uid, found.st_gid) == (4711, 4712), path
    assert reads_as(4711, 4712, target / "A") == OLD["A"]
    assert not render(str(target), OLD, Manner(0o400, (4711, 4712)))
    for owner in ((4711, 4799), (4799, 4799)):
        assert render(str(target), OLD, Manner(0o400, owner))
        found = (target / "A").stat()
        assert (found.st_uid, found.st_gid) == owner
    render(str(target), OLD, Manner(0o400, (4711, 4712)))
    assert reads_as(4713, 4712, target / "A") == b"denied"


def test_files_that_cannot_be_given_away_are_not_written_and_it_is_said_to_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fchown", refuse)
        for there in (False, True):
            with pytest.raises(OutputError, match="cannot be given to 4711:4712: operation not permitted"):
                render(str(target), OLD, Manner(0o400, (4711, 4712)))
            assert target.exists() == there
            target.mkdir(exist_ok=True)
    assert list(target.iterdir()) == []


def test_a_folder_that_was_there_keeps_its_owner_and_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir(mode=0o711)
    target.chmod(0o711)
    render(str(target), OLD, Manner(0o440, (os.geteuid(), os.getegid())))
    assert target.stat().st_mode & 0o7777 == 0o711


def reads_as(user: int, group: int, file: Path) -> bytes:
    """Return what somebody else reads, who stands in the folder above the rendered one."""
    above = os.open(file.parent.parent, os.O_RDONLY | os.O_DIRECTORY)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.fchdir(above)
            os.setgroups([])
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)
            with open(os.path.join(file.parent.name, file.name), "rb") as found:
                os.write(writing, found.read())
        except PermissionError:
            os.write(writing, b"denied")
        finally:
            os._exit(0)
    os.close(writing)
    os.close(above)
    with open(reading, "rb") as told:
        said = told.read()
    os.waitpid(pid, 0)
    return said


def test_those_that_make_the_same_folder_at_once_take_turns(tmp_path: Path) -> None:
    for number in range(20):
        target = tmp_path / str(number)
        waiting, starting = os.pipe()
        pids = []
        for _ in range(4):
            pids.append(os.fork())
            if pids[-1] == 0:
                os.close(starting)
                os.read(waiting, 1)  # until all are there
                try:
                    render(str(target), NEW)
                    os._exit(0)
                finally:
                    os._exit(1)
        os.close(waiting)
        os.close(starting)
        assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 4
        assert by_name(target) == NEW
        assert leftovers(target) == []


def test_what_is_the_same_is_left_alone(tmp_path: Path) -> None:
    assert render(str(tmp_path), OLD)
    current = os.readlink(tmp_path / "..data")
    assert not render(str(tmp_path), OLD)
    assert os.readlink(tmp_path / "..data") == current
    assert render(str(tmp_path), OLD, Manner(0o440))
    assert (tmp_path / "..data").stat().st_mode & 0o7777 == 0o750


def test_the_next_set_replaces_all_of_the_last(tmp_path: Path) -> None:
    render(str(tmp_path), OLD)
    render(str(tmp_path), NEW)
    assert by_name(tmp_path) == seen(tmp_path) == NEW
    assert leftovers(tmp_path) == []
    assert b"old-secret" not in all_bytes(tmp_path)


def test_a_set_is_wiped(tmp_path: Path) -> None:
    render(str(tmp_path), OLD)
    (tmp_path / "mine").write_text("not rendered")
    assert wipe(str(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
    assert not wipe(str(tmp_path))


@pytest.mark.parametrize("name", ["", ".", "..", "..data", "a/b", "a\0b", "x" * 256])
def test_names_that_are_no_files_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        render(str(tmp_path / "out"), {"GOOD": b"x", name: b"x"})
    assert not (tmp_path / "out").exists()


def planted_link(target: Path, elsewhere: Path) -> None:
    (target / "A").symlink_to(elsewhere / "file")


def planted_file(target: Path, elsewhere: Path) -> None:
    del elsewhere
    (target / "A").write_text("mine")


def planted_data(target: Path, elsewhere: Path) -> None:
    (target / "..data").symlink_to(elsewhere)


def planted_data_folder(target: Path, elsewhere: Path) -> None:
    del elsewhere
    (target / "..data").mkdir()


def planted_target(target: Path, elsewhere: Path) -> None:
    target.rmdir()
    target.symlink_to(elsewhere)


def a_file(target: Path, elsewhere: Path) -> None:
    del elsewhere
    target.rmdir()
    target.write_text("a file")


@pytest.mark.parametrize(
    "plant", [planted_link, planted_file, planted_data, planted_data_folder, planted_target, a_file]
)
def test_what_somebody_planted_is_refused(plant: Callable[[Path, Path], None], tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    target.mkdir()
    elsewhere.mkdir()
    plant(target, elsewhere)
    with pytest.raises(OutputError):
        render(str(target), NEW)
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_is_swapped_for_a_link_while_it_is_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    render(str(target), OLD)
    fsync = os.fsync

    def swap(descriptor: int) -> None:
        fresh = [p for p in target.iterdir() if p.name.startswith("..2") and p.name != os.readlink(target / "..data")]
        if fresh and not fresh[0].is_symlink():
            fresh[0].rename(elsewhere / "moved")
            (target / fresh[0].name).symlink_to(elsewhere)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", swap)
    with pytest.raises(OutputError, match="moved away"):
        render(str(target), NEW)
    assert seen(target) == OLD


def naive(target: str, files: Mapping[str, bytes]) -> None:
    """What must be caught: one file after the other."""
    data = os.path.join(target, os.readlink(os.path.join(target, "..data")))
    for name in os.listdir(data):
        os.unlink(os.path.join(data, name))
    for name, text in files.items():
        handle = os.open(os.path.join(data, name), os.O_WRONLY | os.O_CREAT)
        os.write(handle, text)
        os.close(handle)


def test_a_crash_before_any_call_leaves_a_whole_set(tmp_path: Path) -> None:
    number = 0
    crashed = True
    while crashed:
        target = tmp_path / str(number)
        render(str(target), OLD)
        crashed = dies_before(number, CALLS, lambda target=target: render(str(target), NEW))  # type: ignore[misc]
        whole = seen(target)
        assert whole in (OLD, NEW), number
        assert by_name(target).items() <= whole.items()
        render(str(target), NEW)
        assert by_name(target) == seen(target) == NEW
        assert leftovers(target) == []
        assert b"old-secret" not in all_bytes(target)
        number += 1
    assert number > 40


@pytest.mark.parametrize("before", [{}, OLD])
def test_a_crash_of_the_first_run_or_of_a_wipe_is_cleaned_up_by_the_next_one(
    before: Mapping[str, bytes], tmp_path: Path
) -> None:
    number = 0
    crashed = True
    while crashed:
        target = tmp_path / str(number)
        if before:
            render(str(target), before)
        work = (lambda target=target: wipe(str(target))) if before else (lambda target=target: render(str(target), NEW))
        crashed = dies_before(number, CALLS, work)
        if target.is_dir():
            assert seen(target) in ({}, before or NEW), number
        render(str(target), NEW)
        assert by_name(target) == seen(target) == NEW
        assert leftovers(target) == []
        assert b"old-secret" not in all_bytes(target)
        number += 1
    assert number > 15


def test_that_test_can_fail(tmp_path: Path) -> None:
    torn = 0
    for number in range(12):
        target = tmp_path / str(number)
        render(str(target), OLD)
        dies_before(number, CALLS, lambda target=target: naive(str(target), NEW))  # type: ignore[misc]
        torn += seen(target) not in (OLD, NEW)
    assert torn > 3


def test_a_kill_at_any_moment_leaves_a_whole_set(tmp_path: Path) -> None:
    render(str(tmp_path), OLD)
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    for _ in range(1000):
        pid = os.fork()
        if pid == 0:
            for files in (NEW, OLD) * 50:
                render(str(tmp_path), files)
            os._exit(0)
        time.sleep(chance.uniform(0, 0.004))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert seen(tmp_path) in (OLD, NEW)
    render(str(tmp_path), NEW)
    assert leftovers(tmp_path) == []
    assert b"old-secret" not in all_bytes(tmp_path)


def test_a_reader_never_sees_a_mixture(tmp_path: Path) -> None:
    sets = [{name: str(n).encode() * 50 for name in "ABCDE"} for n in range(2)]
    render(str(tmp_path), sets[0])
    pid = os.fork()
    if pid == 0:
        for number in range(400):
            render(str(tmp_path), sets[number % 2])
        os._exit(0)
    ended = 0
    while not ended:
        folder = os.open(tmp_path / "..data", os.O_RDONLY | os.O_DIRECTORY)
        try:
            values = set()
            for name in "ABCDE":
                with open(os.open(name, os.O_RDONLY, dir_fd=folder), "rb") as file:
                    values.add(file.read())
            assert len(values) == 1
        except FileNotFoundError:  # the set was replaced and is gone: it is read again
            pass
        finally:
            os.close(folder)
        ended, _ = os.waitpid(pid, os.WNOHANG)


def test_a_full_disk_leaves_the_old_set(tmp_path: Path) -> None:
    import resource

    render(str(tmp_path), OLD)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        with pytest.raises(OutputError):
            render(str(tmp_path), {"A": b"x" * 4096})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert by_name(tmp_path) == OLD
    assert leftovers(tmp_path) == []


def test_a_full_disk_leaves_no_folder_that_was_not_there(tmp_path: Path) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        with pytest.raises(OutputError):
            render(str(tmp_path / "out"), {"A": b"x" * 4096})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["symlink", "rename"])
@pytest.mark.parametrize("before", [{}, OLD])
def test_a_file_system_that_cannot_do_it_leaves_nothing_behind(
    call: str, before: Mapping[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    render(str(target), before) if before else target.mkdir()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(OutputError, match="operation not permitted"):
            render(str(target), NEW)
    assert by_name(target) == before
    assert b"new-" not in all_bytes(target)
    assert {p.name for p in target.iterdir() if not p.name.startswith("..")} == set(before)
    assert render(str(target), NEW)
    assert by_name(target) == NEW
