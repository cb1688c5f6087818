"""One value in every setting, every way of failing, every channel: it shows nowhere."""

import json
import traceback
import warnings
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
    ["check", "--format", "junit"],
    ["check", "--format", "sarif"],
    ["check", "--all", "--format", "github"],
    ["explain"],
    ["explain", "--json"],
    ["explain", "S0"],
    ["report", "-o", "-"],
    ["report", "--json"],
    ["doctor"],
    ["doctor", "--json"],
    ["plan"],
    ["plan", "--json"],
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
    assert done.status in (
        {0} if argv[0] in {"explain", "schema", "init", "plan", "report", "doctor"} and argv[-1] != "S0" else {1, 65}
    )


@pytest.mark.parametrize(
    "options", [[], ["-v", "--reveal"], ["--json", "--reveal"], ["--expect", "GOOD"]], ids=" ".join
)
def test_no_comparison_shows_it(project: Project, options: list[str]) -> None:
    fields = "".join(f"{name}={json.dumps(CANARY)}\n" for name in FIELDS)
    project.write({"app.env": fields, "other.env": f"GOOD={json.dumps(CANARY)}\nLONG=abc\n"})
    text = MANIFEST.replace("memory://doc", "dotenv://{environment}.env")
    project.manifest(text + '[environments.other]\nsources = ["dotenv://{environment}.env"]\n')
    done = project.run("diff", "app", "other", *options)
    assert done.status == 1
    assert find_leaks(CANARY, done.out, done.err) == []


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
    for argv in COMMANDS[:12]:
        project.run(*argv)
    after = [path for path in sorted(project.folder.rglob("*")) if path.name != "started"]
    assert after == before


TYPED = '[settings]\nX = { type = "int", secret = true }\n[environments.app]\n'
TEXT = '[settings]\nX = { secret = true }\nY = { type = "int" }\n[environments.app.values]\n'

# How a value gets into a run, and is refused there: what is written, and what is said on the way.
WAYS: dict[str, tuple[dict[str, str | bytes], dict[str, str], list[str]]] = {
    "process environment": ({"confsvc.toml": TYPED}, {"X": CANARY}, []),
    "--set": ({"confsvc.toml": TYPED}, {}, ["--set", f"X={CANARY}"]),
    "default": ({"confsvc.toml": f"[settings]\nX = {{ type = 'int', default = {json.dumps(CANARY)} }}\n"}, {}, []),
    "values": ({"confsvc.toml": f"{TYPED}values = {{ X = {json.dumps(CANARY)} }}\n"}, {}, []),
    "file": ({"confsvc.toml": TYPED + 'values = { X = "${file://x}" }\n', "x": CANARY}, {}, []),
    "field": (
        {"confsvc.toml": TYPED + 'values = { X = "${file://x#nope}" }\n', "x": json.dumps({"n": CANARY})},
        {},
        [],
    ),
    "no JSON": ({"confsvc.toml": TYPED + 'values = { X = "${file://x#a}" }\n', "x": "{" + CANARY}, {}, []),
    "dir": ({"confsvc.toml": TYPED + 'sources = ["dir://s/"]\n', "s/x": CANARY}, {}, []),
    "colliding": ({"confsvc.toml": TYPED + 'sources = ["dir://s/"]\n', "s/x": CANARY, "s/X": CANARY}, {}, []),
    "built from": (
        {"confsvc.toml": TEXT + 'X = "${file://x}"\nY = "${X|urlencode}:${X|base64}:${X}"\n', "x": CANARY},
        {},
        [],
    ),
    "a NUL": ({"confsvc.toml": TEXT + 'X = "${file://x}"\nY = 1\n', "x": f"{CANARY}\0"}, {}, []),
    "too large": ({"confsvc.toml": TEXT + 'X = "${file://x}"\nY = 1\n', "x": CANARY * 6000}, {}, []),
    "a reference": ({"confsvc.toml": TEXT + "Y = 1\n"}, {"X": f"vault://{CANARY}"}, []),
    "a bare line": ({"confsvc.toml": TYPED + 'sources = ["dotenv://.env"]\n', ".env": f"{CANARY}\nX=x\n"}, {}, []),
    "unclosed": ({"confsvc.toml": TYPED + 'sources = ["dotenv://.env"]\n', ".env": f"X='{CANARY}\nX=\n"}, {}, []),
    "not TOML": ({"confsvc.toml": f"{TYPED}x = {CANARY}\n"}, {}, []),
    "no schema": ({"s/good": CANARY, "s/bad": CANARY.encode() + b"\xff"}, {}, ["--source", "dir://s/"]),
    "a word too many": ({"confsvc.toml": TYPED}, {}, ["--set", "X", CANARY]),
    "beside an unknown command": ({"confsvc.toml": TYPED.replace("int", "str")}, {"X": CANARY}, ["--nope"]),
}


@pytest.mark.parametrize("channel", [[], ["-v"], ["--json"], ["--json", "-v"], ["--no-color", "-q"]], ids=" ".join)
@pytest.mark.parametrize("way", WAYS)
def test_whatever_way_it_came_it_is_not_said(project: Project, way: str, channel: list[str]) -> None:
    files, environ, options = WAYS[way]
    project.write(files)
    for argv in (["exec", *options, *channel, "--", "touch", "started"], ["check", *options, *channel]):
        done = project.run(*argv, env=environ)
        assert find_leaks(CANARY, done.out, done.err) == []
        if argv[0] == "exec":
            assert done.status in {64, 65, 78}, done.err
            assert done.err
    assert not project.started()


# Without options, which the library takes as arguments of the caller's own; and a variable's limits are the command's.
IN_PYTHON = [way for way, (_, _, options) in WAYS.items() if not options and way not in {"too large", "a NUL"}]


@pytest.mark.parametrize("way", IN_PYTHON)
def test_whatever_way_it_came_no_exception_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    files, environ, _ = WAYS[way]
    Project(tmp_path).write(files)
    monkeypatch.chdir(tmp_path)
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    always = warnings.catch_warnings(record=True, action="always")
    with always as warned, pytest.raises(confsvc.ConfsvcError) as caught:
        confsvc.resolve(file=str(tmp_path / "confsvc.toml"))
    assert find_leaks(CANARY, str(caught.value), repr(caught.value), repr(vars(caught.value)), repr(warned)) == []
    if way not in {"default", "values", "not TOML"}:  # what the manifest itself says is in the frames that read it
        assert find_leaks(CANARY, caught.value) == []


def test_a_failed_build_of_a_template_says_nothing_of_its_parts(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "confsvc.toml").write_text(
        '[settings]\nURL = { type = "url" }\nPASSWORD = {}\n[environments.app.values]\n'
        'PASSWORD = "${memory://doc#GOOD}"\nURL = "${PASSWORD}://${PASSWORD|base64}/${PASSWORD|urlencode}"\n'
    )
    with pytest.raises(confsvc.ResolutionError) as caught:
        confsvc.resolve()
    assert [problem.message for problem in caught.value.problems] == ["invalid: is not a URL"]
    assert find_leaks(CANARY, caught.value) == []
    assert store.reads == {"doc": 1}


def test_no_log_holds_it(store: MemoryStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    with pytest.raises(confsvc.ResolutionError):
        confsvc.resolve()
    store.put("doc", {"GOOD": CANARY})
    confsvc.resolve(only=["GOOD"])
    assert find_leaks(CANARY, caplog.text) == []
