"""The local adapters: what each one does beyond the contract."""

import codecs
import io
import itertools
import os
import shutil
import sys
import threading
from pathlib import Path

import dotenv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.adapter import Backend, Deadline, Document, Outcome
from confsvc.errors import Malformed, NotFound
from confsvc.reference import parse_reference
from confsvc.registry import adapter_class


def read(reference: str, folder: Path, environ: dict[str, str] | None = None) -> Outcome:
    """Read one document."""
    parsed = parse_reference(reference)
    adapter = adapter_class(parsed.scheme)(Backend(parsed.scheme, parsed.scheme, {}, str(folder), environ or {}))
    return adapter.fetch([parsed], deadline=Deadline(10))[parsed]


def content(outcome: Outcome) -> object:
    """Return what a document holds."""
    assert isinstance(outcome, Document), outcome
    return outcome.content.reveal()


LINES = st.text(st.sampled_from("ABab_=='\"#\\ \n\r\t${}:-exportn\u00e9"), max_size=80)


@given(LINES)
def test_dotenv_reads_as_python_dotenv_does(text: str) -> None:
    from confsvc_local.dotenv import parse_dotenv

    scopes: list[dict[str, str] | None] = [None, dict(os.environ)]  # python-dotenv's own scope is the environment
    for scope in scopes:
        expected = dotenv.dotenv_values(stream=io.StringIO(text, newline=None), interpolate=scope is not None)
        found, _ = parse_dotenv(text, scope)
        assert found == {name: value for name, value in expected.items() if value is not None}


def test_dotenv_interpolates_unless_told_otherwise(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nB=${A}${C}${D:-d}\n")
    assert content(read("dotenv://.env", tmp_path, {"C": "c"})) == {"A": "1", "B": "1cd"}
    assert content(read("dotenv://.env?interpolate=false", tmp_path)) == {"A": "1", "B": "${A}${C}${D:-d}"}
    assert isinstance(read("dotenv://.env?interpolate=maybe", tmp_path), Malformed)


def test_interpolation_does_not_see_bootstrap_credentials(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=${VAULT_TOKEN}${CONFSVC_CACHE_KEY}${OTHER}\n")
    environ = {"VAULT_TOKEN": "t", "CONFSVC_CACHE_KEY": "k", "OTHER": "o"}
    assert content(read("dotenv://.env", tmp_path, environ)) == {"A": "o"}


def test_dotenv_notes_name_lines_and_no_values(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("\n\nA=1\nsecret words\nB='unclosed\nA=2\n\n\nA=3\nBARE\n")
    outcome = read("dotenv://.env", tmp_path)
    assert content(outcome) == {"A": "3"}
    assert isinstance(outcome, Document)
    assert outcome.notes == (
        "line 4 cannot be read and is skipped",
        "line 5 cannot be read and is skipped",
        "line 6 sets `A` again, after line 3; the last one wins",
        "line 9 sets `A` again, after line 6; the last one wins",
    )


@pytest.mark.parametrize("start", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_dotenv_understands_windows(tmp_path: Path, start: bytes, end: bytes) -> None:
    (tmp_path / ".env").write_bytes(start + end.join([b"A=1", b"", b"B='x", b"y'", b"junk x", b"C=3"]))
    outcome = read("dotenv://.env", tmp_path)
    assert content(outcome) == {"A": "1", "B": "x\ny", "C": "3"}
    assert isinstance(outcome, Document)
    assert outcome.notes == ("line 5 cannot be read and is skipped",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"A=1\n\nB=x\0y\n", "line 3 holds a NUL byte"),
        (b"A=1\r\n\0", "line 2 holds a NUL byte"),
        (b"A=1\nB=\xe9t\xe9\n", "line 2 is not UTF-8"),
        (codecs.BOM_UTF8 + b"A=\xff", "line 1 is not UTF-8"),
        (codecs.BOM_UTF16_LE + "A=1".encode("utf-16-le"), "line 1 holds a NUL byte"),
    ],
)
def test_dotenv_refuses_what_is_no_text_and_names_the_line(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / ".env").write_bytes(data)
    outcome = read("dotenv://.env", tmp_path)
    assert isinstance(outcome, Malformed)
    assert outcome.message == message


def test_an_empty_dotenv_is_an_empty_document(tmp_path: Path) -> None:
    (tmp_path / ".env").touch()
    assert content(read("dotenv://.env", tmp_path)) == {}


def test_a_bare_key_is_absent_and_an_empty_one_is_empty(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BARE\nexport BARE_TOO\nEMPTY=\nQUOTED=''\n")
    assert content(read("dotenv://.env", tmp_path)) == {"EMPTY": "", "QUOTED": ""}


def test_env_reads_one_or_those_with_a_prefix(tmp_path: Path) -> None:
    environ = {"SHOP_A": "1", "SHOP_b": "2", "OTHER": "3"}
    assert content(read("env://SHOP_A", tmp_path, environ)) == "1"
    assert content(read("env://?prefix=SHOP_", tmp_path, environ)) == {"SHOP_A": "1", "SHOP_b": "2"}
    assert content(read("env://", tmp_path, environ)) == environ
    assert isinstance(read("env://NOPE", tmp_path, environ), NotFound)
    assert isinstance(read("env://shop_a", tmp_path, environ), NotFound)


def test_no_variable_with_a_prefix_is_an_empty_document(tmp_path: Path) -> None:
    assert content(read("env://?prefix=NOPE_", tmp_path, {"A": "1"})) == {}


def test_a_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert isinstance(read("file://fifo", tmp_path), Malformed)
    assert isinstance(read("dotenv://fifo", tmp_path), Malformed)
    outcome = read("dir://./", tmp_path)
    assert isinstance(outcome, Malformed)
    assert outcome.message == "`fifo`: it is not a regular file"


@pytest.mark.parametrize("reference", ["file://folder", "dotenv://folder"])
def test_a_folder_in_a_files_place_is_malformed(tmp_path: Path, reference: str) -> None:
    (tmp_path / "folder").mkdir()
    outcome = read(reference, tmp_path)
    assert isinstance(outcome, Malformed)
    assert outcome.message == "it is a folder, not a file"


@pytest.mark.parametrize("reference", ["file://large", "dotenv://large", "dir://./"])
def test_four_mebibytes_are_read_and_one_byte_more_is_not(tmp_path: Path, reference: str) -> None:
    limit = 4 * 1024 * 1024
    (tmp_path / "large").write_bytes(b"#" * limit)
    assert isinstance(read(reference, tmp_path), Document)
    (tmp_path / "large").write_bytes(b"#" * (limit + 1))
    outcome = read(reference, tmp_path)
    assert isinstance(outcome, Malformed)
    assert outcome.message.endswith("it is larger than 4 MiB")


def test_a_device_is_not_read(tmp_path: Path) -> None:
    assert isinstance(read("file:///dev/zero", tmp_path), Malformed)


def test_relative_paths_are_relative_to_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    assert content(read("file://x", tmp_path)) == b"1"
    assert content(read(f"file://{tmp_path}/x", Path("/"))) == b"1"


def project(folder: Path, generation: str, fields: dict[str, str]) -> None:
    """Write a volume as the kubelet does: a folder for the generation, and links that lead there."""
    (folder / generation).mkdir(parents=True)
    for name, text in fields.items():
        (folder / generation / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(generation)
    (folder / "..data_tmp").rename(folder / "..data")


def test_a_mounted_volume_is_read_through_its_link(tmp_path: Path) -> None:
    project(tmp_path, "..2026_1", {"user": "a", "password": "1\n"})
    assert content(read(f"dir://{tmp_path}/", tmp_path)) == {"user": b"a", "password": b"1\n"}
    project(tmp_path, "..2026_2", {"user": "b", "password": "2\n"})
    assert content(read(f"dir://{tmp_path}/", tmp_path)) == {"user": b"b", "password": b"2\n"}


class SwapsOnce:
    """Swaps a mounted volume, and removes the old files as the kubelet does, when its first field is looked at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done = False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and arguments[0] == "password" and not self.done:
            self.done = True
            project(self.folder, "..2026_2", {"user": "b", "password": "2"})
            shutil.rmtree(self.folder / "..2026_1")


def test_a_volume_swapped_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    project(tmp_path, "..2026_1", {"user": "a", "password": "1"})
    swap = SwapsOnce(tmp_path)
    sys.addaudithook(swap)
    assert content(read(f"dir://{tmp_path}/", tmp_path)) == {"user": b"b", "password": b"2"}
    assert swap.done


def test_a_volume_is_never_read_half(tmp_path: Path) -> None:
    project(tmp_path, "..0", dict.fromkeys("abcdef", "0"))
    over = threading.Event()
    swapping = threading.Thread(target=keep_swapping, args=(tmp_path, over))
    swapping.start()
    try:
        found = [read(f"dir://{tmp_path}/", tmp_path) for _ in range(300)]
    finally:
        over.set()
        swapping.join()
    for fields in map(content, found):
        assert isinstance(fields, dict)
        assert (len(fields), len(set(fields.values()))) == (6, 1)


def keep_swapping(folder: Path, over: threading.Event) -> None:
    """Swap a mounted volume as fast as it goes."""
    for number in itertools.count(1):
        if over.is_set():
            return
        project(folder, f"..{number}", dict.fromkeys("abcdef", str(number)))
        shutil.rmtree(folder / f"..{number - 1}")


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "password").symlink_to("..data/password")
    outcome = read("dir://./", tmp_path)
    assert isinstance(outcome, Malformed)
    assert outcome.message == "`password` leads to nothing"


def test_an_empty_folder_is_an_empty_document(tmp_path: Path) -> None:
    assert content(read("dir://./", tmp_path)) == {}


def test_a_folder_is_read_without_what_is_hidden_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "field").write_bytes(b"\xff\x00")
    assert content(read("dir://./", tmp_path)) == {"field": b"\xff\x00"}


def test_credentials_of_systemd_are_read(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("1")
    assert content(read("dir://", Path("/"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})) == {"db": b"1"}
    assert isinstance(read("dir://", tmp_path), NotFound)


def test_a_file_in_a_folders_place_is_not_found_as_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    assert isinstance(read("dir://x", tmp_path), NotFound)


def test_a_link_in_a_circle_is_malformed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert isinstance(read("file://loop", tmp_path), Malformed)
    assert isinstance(read("dir://./", tmp_path), Malformed)
