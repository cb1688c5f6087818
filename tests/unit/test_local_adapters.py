"""The local adapters: what each one does beyond the contract."""

import io
import os
from pathlib import Path

import dotenv
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


def test_env_reads_one_or_those_with_a_prefix(tmp_path: Path) -> None:
    environ = {"SHOP_A": "1", "SHOP_b": "2", "OTHER": "3"}
    assert content(read("env://SHOP_A", tmp_path, environ)) == "1"
    assert content(read("env://?prefix=SHOP_", tmp_path, environ)) == {"SHOP_A": "1", "SHOP_b": "2"}
    assert isinstance(read("env://NOPE", tmp_path, environ), NotFound)


def test_a_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert isinstance(read("file://fifo", tmp_path), Malformed)
    assert isinstance(read("dotenv://fifo", tmp_path), Malformed)


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
