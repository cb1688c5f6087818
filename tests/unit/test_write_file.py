"""Writing a file: whole or not at all, for its owner alone, never through a link."""

import os
import stat
from pathlib import Path

import pytest

from confsvc.errors import OutputError
from confsvc.inject.files import write_file


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write_file(str(tmp_path / "x"), b"data")
    finally:
        os.umask(old)
    assert (tmp_path / "x").read_bytes() == b"data"
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_an_open_file_is_replaced_and_narrowed(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("old")
    file.chmod(0o666)
    with file.open() as reader:
        write_file(str(file), b"new")
        assert reader.read() == "old"
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_hard_link_keeps_what_it_had(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("old")
    os.link(victim, tmp_path / "x")
    write_file(str(tmp_path / "x"), b"secret")
    assert victim.read_text() == "old"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("old")
    (tmp_path / "x").symlink_to(victim)
    with pytest.raises(OutputError, match="not a regular file"):
        write_file(str(tmp_path / "x"), b"secret")
    assert victim.read_text() == "old"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("folder", "not a regular file"),
        ("fifo", "not a regular file"),
        ("missing/x", "its folder: no such file"),
        ("plain/x", "its folder: not a directory"),
        ("folder/", "it is a folder"),
        ("a\0b", "NUL"),
        ("n" * 300, "file name too long"),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("")
    os.mkfifo(tmp_path / "fifo")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError, match=expected) as caught:
        write_file(f"{tmp_path}/{name}", b"secret")
    assert caught.value.exit_status == 73
    assert caught.value.__context__ is None
    assert sorted(tmp_path.iterdir()) == before


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    name = "\N{SNOWMAN}" * 85
    write_file(str(tmp_path / name), b"data")
    assert (tmp_path / name).read_bytes() == b"data"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x"
    file.write_text("old")

    def full(_handle: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="no space left on device"):
        write_file(str(file), b"new")
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:3]))
    write_file(str(tmp_path / "x"), b"0123456789")
    monkeypatch.undo()
    assert (tmp_path / "x").read_bytes() == b"0123456789"
