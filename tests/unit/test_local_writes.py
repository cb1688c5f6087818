"""Writing `.env` files, files and folders: the exact value, and nothing else of what was there."""

import os
import stat
import string
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from confsvc.adapter import Backend, Content, Deadline, Document, Storer
from confsvc.errors import DeadlineError, Denied, Malformed, NotFound
from confsvc.reference import parse_reference
from confsvc.registry import adapter_class
from confsvc.testing.contract import VALUES
from confsvc_local._assignments import assigned
from confsvc_local.dotenv import parse_dotenv

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*.env"))


def store(folder: Path, text: str, content: Content, *, seconds: float = 10, expected: str | None = None) -> str:
    reference = parse_reference(text)
    adapter: Storer = adapter_class(reference.scheme)(  # type: ignore[assignment]
        Backend(reference.scheme, reference.scheme, {}, str(folder), {"HOME": "/home/ann"})
    )
    return adapter.store(reference, content, deadline=Deadline(seconds), expected=expected)


def read(folder: Path, text: str) -> Any:
    reference = parse_reference(text)
    adapter = adapter_class(reference.scheme)(
        Backend(reference.scheme, reference.scheme, {}, str(folder), {"HOME": "/home/ann"})
    )
    outcome = adapter.fetch([reference], deadline=Deadline(10))[reference]
    assert isinstance(outcome, Document), outcome
    return outcome.content.reveal()


@pytest.mark.parametrize("name", [name for name in VALUES if name != "control"] + ["control"])
@pytest.mark.parametrize("reference", ["dotenv://.env", "dotenv://.env?interpolate=false"])
def test_every_value_is_read_back_from_a_dotenv(tmp_path: Path, name: str, reference: str) -> None:
    (tmp_path / ".env").write_text("# first\nBEFORE=1\nX=old # why\nAFTER=2\n")
    store(tmp_path, reference, {"X": VALUES[name], "NEW": VALUES[name]})
    assert read(tmp_path, reference) == {"BEFORE": "1", "X": VALUES[name], "AFTER": "2", "NEW": VALUES[name]}
    assert (tmp_path / ".env").read_bytes().startswith(b"# first\nBEFORE=1\nX=")


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30) | st.text(
    "${}'\"\\#= \t\r\na:-", max_size=12
)
LINES = st.sampled_from(
    [
        "# comment",
        "",
        "  ",
        "A=1",
        "export B = 'two' # why",
        'C="th\nree"',
        "D",
        "junk junk",
        "A=again",
        "E=${A}",
        "F= # c",
    ]
)
NAMES = st.sampled_from(["A", "B", "C", "D", "E", "F", "G"])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(LINES, max_size=6),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.dictionaries(NAMES, TEXTS, min_size=1, max_size=3),
    st.booleans(),
)
def test_whatever_stands_in_a_dotenv_only_what_was_meant_changes(
    lines: list[str], end: str, ends: bool, changes: Mapping[str, str], interpolates: bool
) -> None:
    text = end.join(lines) + (end if ends and lines else "")
    after = assigned(text, changes, interpolates=interpolates)
    raw, _ = parse_dotenv(text.replace("\r\n", "\n"), None)
    found, _ = parse_dotenv(after, None)
    full, _ = parse_dotenv(after, {} if interpolates else None)
    assert {name: full[name] for name in changes} == dict(changes)
    assert {n: v for n, v in found.items() if n not in changes} == {n: v for n, v in raw.items() if n not in changes}
    assert after.count("# comment") == text.count("# comment")
    assert assigned(after, changes, interpolates=interpolates) == after


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_other_lines_of_real_files_stay_byte_for_byte(tmp_path: Path, sample: Path) -> None:
    before = sample.read_bytes()
    (tmp_path / ".env").write_bytes(before)
    store(tmp_path, "dotenv://.env", {"NOBODY_HAS_IT": "x"})
    after = (tmp_path / ".env").read_bytes()
    assert after.startswith(before)
    assert after[len(before) :].strip() == b"NOBODY_HAS_IT=x"


def test_a_comment_behind_a_value_an_export_and_line_ends_stay(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xef\xbb\xbfexport A = 'old'  # the first\r\nB=old\t# the second\r\n\r\nC=\"old\"#third\r\n")
    store(tmp_path, "dotenv://.env", {"A": "new", "B": "n w", "C": "n", "D": "d"})
    assert file.read_bytes() == (
        b"\xef\xbb\xbfexport A=new  # the first\r\nB='n w'\t# the second\r\n\r\nC=n #third\r\nD=d\r\n"
    )
    assert read(tmp_path, "dotenv://.env") == {"A": "new", "B": "n w", "C": "n", "D": "d"}


def test_what_is_there_keeps_its_mode_and_what_is_new_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / ".env").chmod(0o640)
    old = os.umask(0)
    try:
        store(tmp_path, "dotenv://.env", {"A": "2"})
        store(tmp_path, "dotenv://new.env", {"A": "2"})
        store(tmp_path, "file://key.pem", "x")
        (tmp_path / "d").mkdir()
        store(tmp_path, "dir://d", {"a": b"\xff", "b": "text"})
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {".env": 0o640, "new.env": 0o600, "key.pem": 0o600, "a": 0o600, "b": 0o600}
    assert read(tmp_path, "dir://d") == {"a": b"\xff", "b": b"text"}
    assert read(tmp_path, "file://key.pem") == b"x"


@pytest.mark.parametrize("text", ["dotenv://link", "file://link", "dir://d"])
def test_a_link_is_not_written_through(tmp_path: Path, text: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "victim").write_text("A=1\n")
    (tmp_path / "link").symlink_to("victim")
    (tmp_path / "d" / "link").symlink_to("../victim")
    with pytest.raises(Malformed, match="it is a link"):
        store(tmp_path, text, "x" if text.startswith("file") else {"link": "x"})
    assert (tmp_path / "victim").read_text() == "A=1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "link", "victim"]


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes(b"A=\xe9\n")
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "..data").symlink_to("..2026")
    cases: list[tuple[str, Content, type[Exception], str]] = [
        ("dotenv://fifo", {"A": "1"}, Malformed, "not a regular file"),
        ("dotenv://folder", {"A": "1"}, Malformed, "not a file"),
        ("dotenv://missing/.env", {"A": "1"}, NotFound, "its folder is not there"),
        ("dotenv://latin", {"A": "1"}, Malformed, "line 1 is not UTF-8"),
        ("dotenv://.env", {"A B": "1"}, Malformed, "cannot be a name"),
        ("dotenv://.env", {"A": "a\0b"}, Malformed, "no NUL"),
        ("dotenv://.env", "text", Malformed, "names and texts"),
        ("file://x", {"a": "1"}, Malformed, "a field inside of a file"),
        ("dir://volume/", {"a": "1"}, Malformed, "Kubernetes"),
        ("dir://folder", {"../a": "1"}, Malformed, "cannot be the name"),
        ("dir://", {"a": "1"}, Malformed, "systemd"),
    ]
    for text, content, kind, message in cases:
        with pytest.raises(kind, match=message) as caught:
            store(tmp_path, text, content)
        assert caught.value.__context__ is None, text
    for text, content in (("dotenv://.env", {"A": "1"}), ("file://x", "x"), ("dir://folder", {"a": "1"})):
        with pytest.raises(Malformed, match="no versions"):
            store(tmp_path, text, content, expected="1")
    assert not (tmp_path / ".env").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_folder_that_may_not_be_written_is_denied(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Denied):
        store(tmp_path, "dotenv://.env", {"A": "1"})


def test_whoever_holds_the_lock_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    import fcntl

    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(DeadlineError):
        store(tmp_path, "dotenv://.env", {"A": "1"}, seconds=0.05)
    os.close(handle)
    store(tmp_path, "dotenv://.env", {"A": "1"})
    assert read(tmp_path, "dotenv://.env") == {"A": "1"}


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    names = list(string.ascii_uppercase)
    write = partial(store, tmp_path, "dotenv://.env", seconds=60)  # they wait for each other, and for the disk
    threads = [threading.Thread(target=write, args=({name: name.lower()},)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(tmp_path, "dotenv://.env") == {name: name.lower() for name in names}
