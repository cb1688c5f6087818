"""One value in every setting, every way of failing, every channel: it shows nowhere."""

import json
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

import confsvc
from confsvc.errors import AdapterError, Denied, Malformed, Throttled, Unauthenticated, Unavailable
from confsvc.testing import MemoryStore, find_leaks, make_canary
from running import Project

CANARY = make_canary()

TYPES = ("int", "float", "bool", "url", "json", "list[int]", "dict[str, int]", "duration", "datetime", "date", "uuid",
         "port", "host", "email", "bytes")  # fmt: skip

MANIFEST = "".join(f'S{n} = {{ type = "{kind}", secret = true }}\n' for n, kind in enumerate(TYPES))
MANIFEST = (
    f'[settings]\nGOOD = {{ secret = true }}\nENUM = {{ type = "enum", choices = ["a"] }}\n'
    f'LONG = {{ max_length = 3 }}\nPATTERN = {{ pattern = "^x$" }}\n{MANIFEST}'
    '[environments.app]\nsources = ["memory://doc"]\n'
)
FIELDS = {"GOOD": CANARY, "ENUM": CANARY, "LONG": CANARY, "PATTERN": CANARY} | {
    f"S{n}": CANARY for n in range(len(TYPES))
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confsvc_memory: MemoryStore) -> MemoryStore:
    """A store whose document holds nothing but the canary, and the manifest that reads it."""
    (tmp_path / "confsvc.toml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    confsvc_memory.put("doc", FIELDS)
    return confsvc_memory


def invalid(_store: MemoryStore) -> None:
    """Everything is there and does not fit."""


def not_json(store: MemoryStore) -> None:
    """The document is a text that is no JSON."""
    store.put("doc", f'{{"GOOD": "{CANARY}')


def duplicate(store: MemoryStore) -> None:
    """The document has a key twice."""
    store.put("doc", json.dumps({CANARY: 1})[:-1] + f', {json.dumps(CANARY)}: "{1}"}}')


def binary(store: MemoryStore) -> None:
    """The document is bytes that are no text."""
    store.put("doc", CANARY.encode() + b"\xff")


def nested(store: MemoryStore) -> None:
    """Fields are lists and objects."""
    store.put("doc", {name: [{"inner": CANARY}] for name in FIELDS})


def failing(kind: type[AdapterError]) -> Callable[[MemoryStore], None]:
    """Return a failure of the given kind, beside the canary in another document."""

    def fail(store: MemoryStore) -> None:
        store.fail("doc", kind("says the store"))

    return fail


MODES: dict[str, Callable[[MemoryStore], None]] = {
    "invalid": invalid,
    "not json": not_json,
    "duplicate": duplicate,
    "binary": binary,
    "nested": nested,
    **{kind.__name__: failing(kind) for kind in (Denied, Malformed, Throttled, Unauthenticated, Unavailable)},
}


@pytest.mark.parametrize("mode", MODES)
def test_no_exception_holds_it(store: MemoryStore, mode: str) -> None:
    MODES[mode](store)
    with pytest.raises(confsvc.ResolutionError) as caught:
        confsvc.resolve()
    error = caught.value
    assert len(error.problems) >= 18
    assert error.__cause__ is None
    assert error.__context__ is None
    assert find_leaks(CANARY, error, repr(error.problems)) == []


def test_no_frame_of_ours_shows_it(store: MemoryStore) -> None:
    """What a crash reporter that captures locals would send."""
    invalid(store)
    with pytest.raises(confsvc.ResolutionError) as caught:
        confsvc.resolve()
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "confsvc" in shown
    assert find_leaks(CANARY, shown) == []


def test_a_good_resolution_shows_nothing_either(store: MemoryStore) -> None:
    store.put("doc", {"GOOD": CANARY, "OTHER": CANARY})
    found = confsvc.resolve(only=["GOOD"])
    value = found["GOOD"]
    assert value.text == CANARY
    assert find_leaks(CANARY, repr(found), str(found), repr(value), repr(value.value), repr(value.origin)) == []
    assert find_leaks(CANARY, repr(dict(found)), f"{found} {value} {value.value}") == []


COMMANDS = [
    ["exec", "--", "touch", "started"],
    ["exec", "-v", "--", "touch", "started"],
    ["exec", "--json", "--", "touch", "started"],
    ["check"],
    ["check", "--json"],
    ["check", "-v", "--all"],
    ["explain"],
    ["explain", "--json"],
    ["explain", "S0"],
    ["get", "S0"],
    ["export", "--format", "json"],
    ["schema"],
    ["init", "--force"],
]


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_no_command_shows_it_when_things_go_wrong(project: Project, argv: list[str]) -> None:
    lines = "".join(f"{name}={json.dumps(CANARY)}\n" for name in FIELDS)
    project.write({".env": lines + f"junk {CANARY}\n"})
    project.manifest(MANIFEST.replace("memory://doc", "dotenv://.env"))
    done = project.run(*argv)
    assert find_leaks(CANARY, done.out, done.err) == []
    assert not project.started()
    assert done.status in ({0} if argv[0] in {"explain", "schema", "init"} and argv[-1] != "S0" else {1, 65})


def test_the_same_commands_would_show_it_if_asked(project: Project) -> None:
    """The control: where a value is what was asked for, the finder finds it."""
    project.write({".env": f"GOOD={json.dumps(CANARY, ensure_ascii=False)}\n"})
    project.manifest('[settings]\nGOOD = { secret = true }\n[environments.app]\nsources = ["dotenv://.env"]\n')
    assert find_leaks(CANARY, project.run("get", "GOOD").out)
    assert find_leaks(CANARY, project.run("export", "--format", "json").out)


def test_nothing_is_left_behind(project: Project) -> None:
    project.write({".env": f"GOOD={json.dumps(CANARY, ensure_ascii=False)}\n"})
    project.manifest('[settings]\nGOOD = { secret = true }\n[environments.app]\nsources = ["dotenv://.env"]\n')
    before = sorted(project.folder.rglob("*"))
    for argv in COMMANDS[:9]:
        project.run(*argv)
    after = [path for path in sorted(project.folder.rglob("*")) if path.name != "started"]
    assert after == before
