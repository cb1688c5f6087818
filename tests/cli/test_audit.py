"""The audit trail: a line for everything that was read, none with a value, and nothing is handed out without one."""

import fcntl
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from confsvc.testing import find_leaks
from running import CONFSVC, Project
from supervised import Running, until

MANIFEST = """
project = "shop"
[settings]
TOKEN = { secret = true }
PORT = { type = "port", default = 8080 }
[environments.app]
sources = ["dotenv://.env"]
"""


@pytest.fixture
def app(project: Project, canary: str) -> Project:
    """A project with a secret, whose every resolution is recorded in `audit.jsonl`."""
    project.manifest(MANIFEST, env=f"TOKEN={canary}\n")
    project.environ["CONFSVC_AUDIT"] = str(project.folder / "audit.jsonl")
    return project


def lines(project: Project) -> list[dict[str, Any]]:
    """Return the trail."""
    whole, _, _ = (project.folder / "audit.jsonl").read_text().rpartition("\n")  # what comes after is being written
    return [json.loads(line) for line in whole.splitlines()]


def test_a_line_says_who_when_what_and_how_it_ended(app: Project) -> None:
    assert app.run("exec", "--", "true").status == 0
    (line,) = lines(app)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ", line.pop("time"))
    assert isinstance(line.pop("pid"), int)
    assert isinstance(line.pop("user"), str)
    assert line == {
        "event": "resolve",
        "outcome": "ok",
        "codes": [],
        "project": "shop",
        "environment": "app",
        "uid": os.getuid(),
        "command": "confsvc exec",
        "host": os.uname().nodename,
        "settings": [
            {"name": "TOKEN", "layer": "source", "reference": "dotenv://.env"},
            {"name": "PORT", "layer": "default"},
        ],
    }


def test_what_failed_is_recorded_with_its_codes(app: Project) -> None:
    app.write({".env": "PORT=x\n"})
    assert app.run("check").status == 1
    (line,) = lines(app)
    assert (line["outcome"], line["codes"], line["command"]) == ("failed", ["invalid", "missing"], "confsvc check")
    assert {(one["name"], one["code"]) for one in line["settings"]} == {("TOKEN", "missing"), ("PORT", "invalid")}


def test_the_file_is_for_its_owner_alone_and_is_added_to(app: Project) -> None:
    app.run("get", "TOKEN")
    app.run("render", "--to", "out")
    assert [line["command"] for line in lines(app)] == ["confsvc get", "confsvc render"]
    assert (app.folder / "audit.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (".", "is a directory"),
        ("missing/audit", "no such file or directory"),
        ("link", "too many levels of symbolic links"),
        ("fifo", "no such device or address"),
        ("/dev/full", "it is not a regular file"),
        ("syslog:missing", "no such file or directory"),
    ],
)
def test_nothing_is_handed_out_where_it_cannot_be_recorded(app: Project, canary: str, place: str, reason: str) -> None:
    (app.folder / "link").symlink_to("elsewhere")
    os.mkfifo(app.folder / "fifo")
    for words in (
        ["exec", "--", "touch", "started"],
        ["get", "TOKEN"],
        ["check"],
        ["explain"],
        ["render", "--to", "o"],
    ):
        done = app.run(*words, env={"CONFSVC_AUDIT": place})
        assert (done.status, done.out) == (73, ""), words
        assert done.err.startswith(f"error: the audit trail `{place}` cannot be written: {reason}\n")
        assert find_leaks(canary, done.err) == []
    assert not app.started()
    assert not (app.folder / "elsewhere").exists()
    assert not (app.folder / "o").exists()


@pytest.mark.skipif(not os.access("/usr/bin/prlimit", os.X_OK), reason="prlimit is not here: apt install util-linux")
def test_a_line_that_does_not_fit_is_taken_back_and_refused(app: Project) -> None:
    app.run("check")
    before = (app.folder / "audit.jsonl").read_bytes()
    done = app.shell(f"trap '' XFSZ; prlimit --fsize={len(before) + 40} confsvc exec -- touch started")
    assert done.status == 73
    assert "cannot be written: there is no room for the line" in done.err
    assert (app.folder / "audit.jsonl").read_bytes() == before
    assert not app.started()


def test_whoever_holds_the_lock_is_not_waited_for_for_ever(app: Project) -> None:
    with (app.folder / "audit.jsonl").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = app.run("exec", "--", "touch", "started")
    assert (done.status, app.started()) == (73, False)
    assert "somebody else has locked it" in done.err


def test_lines_of_many_writers_are_whole(app: Project) -> None:
    names = "".join(f"LONG_{number}_{'X' * 90} = {{ default = 1 }}\n" for number in range(300))
    app.manifest(MANIFEST.replace("[environments", names + "[environments"))
    command = [CONFSVC, "check", "-q"]
    running = [subprocess.Popen(command, cwd=app.folder, env=app.environ, stdout=subprocess.DEVNULL) for _ in range(12)]
    assert [process.wait(60) for process in running] == [0] * 12
    assert [len(line["settings"]) for line in lines(app)] == [302] * 12
    assert len((app.folder / "audit.jsonl").read_bytes()) > 12 * 30_000


def test_the_systems_log_gets_parts_that_it_can_hold(app: Project, canary: str) -> None:
    names = "".join(f"LONG_{number}_{'X' * 90} = {{ default = 1 }}\n" for number in range(100))
    app.manifest(MANIFEST.replace("[environments", names + "[environments"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(app.folder / "log"))
        log.settimeout(20)
        assert app.run("check", env={"CONFSVC_AUDIT": f"syslog:{app.folder}/log"}).status == 0
        heard = [log.recv(65536)]
        parts = json.loads(heard[0].partition(b": ")[2])["parts"]
        heard += [log.recv(65536) for _ in range(parts - 1)]
    assert max(map(len, heard)) < 4200
    assert all(re.match(rb"<86>confsvc\[\d+\]: \{", one) for one in heard)
    found = [json.loads(one.partition(b": ")[2]) for one in heard]
    assert [one["part"] for one in found] == list(range(1, parts + 1))
    assert sum(len(one["settings"]) for one in found) == 102
    assert find_leaks(canary, *heard) == []


def test_the_library_is_recorded_and_refused_alike(app: Project, canary: str) -> None:
    app.write({"program.py": "import confsvc\nprint(confsvc.resolve()['TOKEN'].text)\n"})
    done = app.shell(f"{sys.executable} program.py")
    assert done.out == f"{canary}\n"
    assert lines(app)[0]["command"] == "program.py"
    refused = app.shell(f"{sys.executable} program.py", env={"CONFSVC_AUDIT": "."})
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.splitlines()[-1].startswith("confsvc.errors.OutputError: the audit trail `.` cannot be written")
    assert find_leaks(canary, refused.err) == []


def test_a_watcher_records_what_changed_and_what_was_rejected(app: Project) -> None:
    app.manifest(MANIFEST, env="TOKEN=one\n")
    running = Running(app, ["watch", "--interval", "200ms", "--debounce", "0s"])
    try:
        until(lambda: len(lines(app)) == 1 if (app.folder / "audit.jsonl").exists() else False)
        app.swap(".env", "TOKEN=two\n")
        running.says("TOKEN")
        app.swap(".env", "PORT=x\nTOKEN=two\n")
        until(lambda: len(lines(app)) == 3, lambda: running.err)
    finally:
        running.close()
    assert [(line["outcome"], line["command"]) for line in lines(app)] == [
        ("ok", "confsvc watch"),
        ("ok", "confsvc watch"),
        ("failed", "confsvc watch"),
    ]


def test_a_watcher_keeps_the_old_settings_while_it_cannot_record_new_ones(app: Project) -> None:
    trail = app.folder / "audit.jsonl"
    app.manifest(MANIFEST, env="TOKEN=one\n")
    running = Running(app, ["exec", "--watch=200ms", "--debounce=0s", "--min-interval=200ms", "--", "sh", "-c",
                            'echo "has $TOKEN"; exec sleep 60'])  # fmt: skip
    try:
        running.says("has one")
        trail.rename(app.folder / "kept")
        trail.mkdir()
        app.swap(".env", "TOKEN=two\n")
        running.says("the audit trail")
        assert "has two" not in running.out
        trail.rmdir()
        running.says("has two")
        assert [line["outcome"] for line in lines(app)] == ["ok"]
    finally:
        running.close()


def test_switched_off_it_does_nothing(app: Project) -> None:
    assert app.run("exec", "--", "true", env={"CONFSVC_AUDIT": ""}).status == 0
    assert not (app.folder / "audit.jsonl").exists()


def test_the_command_does_not_get_it_unless_it_is_kept(app: Project) -> None:
    assert app.run("exec", "--", "sh", "-c", "echo [$CONFSVC_AUDIT]").out == "[]\n"
    kept = app.run("exec", "--keep", "CONFSVC_AUDIT", "--", "sh", "-c", "echo [$CONFSVC_AUDIT]").out
    assert Path(kept.strip("[]\n")) == app.folder / "audit.jsonl"


def test_no_value_is_in_it(app: Project, canary: str) -> None:
    app.run("exec", "--set", f"PORT={canary}", "--", "true")
    app.run("check", env={"PORT": canary})
    app.write({".env": f"TOKEN={canary}\nPORT={canary}\n"})
    app.run("explain")
    assert len(lines(app)) == 3
    assert find_leaks(canary, (app.folder / "audit.jsonl").read_bytes()) == []
