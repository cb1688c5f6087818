"""A lock and a comparison hold no value, whatever goes wrong."""

import json
import traceback
from pathlib import Path

import pytest

import confsvc
from confsvc.cli import run
from confsvc.errors import ConfsvcError, Denied, Malformed, Unavailable
from confsvc.testing import MemoryStore, find_leaks, make_canary

CANARY = make_canary()
MANIFEST = """
project = "shop"
[settings]
A = { secret = true }
B = { type = "int", secret = true }
[environments.production]
sources = ["memory://doc", "memory://tree/"]
[environments.production.values]
A = "x-${memory://doc#a}"
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confsvc_memory: MemoryStore) -> MemoryStore:
    """A store that holds nothing but the canary, or a number made of it, and a project that reads it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "confsvc.toml").write_text(MANIFEST)
    confsvc_memory.put("doc", {"a": CANARY})
    confsvc_memory.put("tree/", {"b": "8080"}, parts={"b": "1"})
    return confsvc_memory


def said(capfd: pytest.CaptureFixture[str], *argv: str) -> str:
    """Run a command, and return all it says, and the lock it leaves."""
    run(list(argv))
    lock = Path("confsvc.lock")
    return "".join(capfd.readouterr()) + (lock.read_text() if lock.exists() else "")


@pytest.mark.parametrize("words", [["--json"], ["-v"], []])
@pytest.mark.parametrize("spoil", ["", "invalid", "denied", "malformed", "down", "gone"])
def test_no_command_tells_a_value(
    store: MemoryStore, capfd: pytest.CaptureFixture[str], spoil: str, words: list[str]
) -> None:
    found = said(capfd, "lock", "-e", "production", *words)
    store.put("doc", {"a": CANARY + "2"})
    if spoil == "invalid":
        store.put("tree/", {"b": CANARY}, parts={"b": "2"})
    elif spoil == "denied":
        store.fail("doc", Denied("you may not"))
    elif spoil == "malformed":
        store.fail("tree/b", Malformed("it is odd"))
    elif spoil == "down":
        store.fail("doc", Unavailable("nobody answers"))
    elif spoil == "gone":
        store.destroy("doc", "1")
    for command in (
        ["lock", "--check", "-e", "production"],
        ["lock", "-e", "production"],
        ["check", "--locked", "-e", "production"],
        ["fingerprint", "--locked", "-e", "production"],
        ["compat", "confsvc.toml", "-e", "production"],
    ):
        found += said(capfd, *command, *words)
    assert find_leaks(CANARY, found) == []


def test_an_error_of_the_library_holds_none(store: MemoryStore) -> None:
    run(["lock", "-e", "production", "-q"])
    store.put("doc", {"a": CANARY + "2"})
    store.destroy("doc", "1")
    with pytest.raises(ConfsvcError) as caught:
        confsvc.resolve(environment="production", locked=True)
    text = "".join(traceback.format_exception(caught.value))
    assert find_leaks(CANARY, text, repr(caught.value), json.dumps([p._asdict() for p in caught.value.problems])) == []


def test_a_default_of_a_secret_shows_in_no_comparison(store: MemoryStore, capfd: pytest.CaptureFixture[str]) -> None:
    del store
    for name, default in (("old.toml", CANARY), ("new.toml", CANARY[::-1])):
        Path(name).write_text(f"[settings]\nA = {{ secret = true, default = {json.dumps(default)} }}\n")
    found = said(capfd, "compat", "old.toml", "new.toml") + said(capfd, "compat", "old.toml", "new.toml", "--json")
    assert "has another default" in found
    assert find_leaks(CANARY, found) == []
    assert find_leaks(CANARY[::-1], found) == []
