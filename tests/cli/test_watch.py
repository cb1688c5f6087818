"""`confsvc watch`: a line for each change, names and versions only, and a hook."""

import json
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from confsvc.testing import find_leaks
from running import Project
from supervised import Running, alive, until

MANIFEST = """
[settings]
PORT = { type = "int" }
TOKEN = { secret = true, default = "none" }
[environments.development]
sources = ["dotenv://.env"]
"""

Start = Callable[..., Running]


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with one environment."""
    project.manifest(MANIFEST, env="PORT=1\n")
    return project


@pytest.fixture
def start(shop: Project) -> Iterator[Start]:
    """A function that runs `confsvc watch`."""
    begun: list[Running] = []

    def begin(*options: str) -> Running:
        begun.append(Running(shop, ["watch", "--interval=200ms", "--debounce=50ms", "--min-interval=0", *options]))
        begun[-1].says("watching 2 settings of development")
        return begun[-1]

    yield begin
    for running in begun:
        running.close()


def set_env(project: Project, text: str) -> None:
    (project.folder / "next").write_text(text)
    os.replace(project.folder / "next", project.folder / ".env")


def test_a_change_is_a_line_with_names_and_no_value(shop: Project, start: Start, canary: str) -> None:
    running = start()
    set_env(shop, f"PORT=2\nTOKEN={canary}\n")
    running.says("Z changed PORT, TOKEN\n")
    set_env(shop, f"PORT={canary}\n")
    running.says("rejected PORT dotenv://.env invalid: is not an integer")
    assert find_leaks(canary, running.out, running.err) == []


def test_changes_are_events_as_json(shop: Project, start: Start) -> None:
    running = start("--json")
    set_env(shop, "PORT=2\n")
    running.says('"changed"')
    event = json.loads(running.out)
    assert event.pop("time").endswith("Z")
    assert event == {"event": "changed", "environment": "development", "changed": {"PORT": ""}}
    set_env(shop, "PORT=x\n")
    running.says('"rejected"')
    event = json.loads(running.out.splitlines()[1])
    assert [problem["name"] for problem in event["problems"]] == ["PORT"]


def test_a_hook_runs_with_the_new_settings(shop: Project, start: Start) -> None:
    running = start("--on-change", "command:sh -c 'echo hook $PORT $CONFSVC_CHANGED'")
    set_env(shop, "PORT=2\n")
    running.says("hook 2 PORT")


@pytest.mark.parametrize(
    ("command", "limit", "message"),
    [
        ("sh -c 'exit 3'", "30s", "the hook failed with status 3"),
        ("sh -c 'kill -9 $$'", "30s", "the hook failed with status 137"),
        ("sleep 60", "400ms", "the hook took longer than 0.4 s and was killed"),
        ("no-such-program", "30s", "command not found: `no-such-program`"),
    ],
)
def test_a_hook_that_goes_wrong_is_told_and_the_watch_goes_on(
    command: str, limit: str, message: str, shop: Project, start: Start
) -> None:
    running = start(f"--hook-timeout={limit}", "--on-change", f"command:{command}")
    set_env(shop, "PORT=2\n")
    running.says(message)
    set_env(shop, "PORT=3\n")
    running.says("changed PORT", 2)


@pytest.mark.parametrize("is_late", [True, False], ids=["too late", "ended with us"])
def test_nothing_is_left_of_a_hook_that_was_killed(is_late: bool, shop: Project, start: Start) -> None:
    shop.write({"hang.sh": "sleep 600 &\necho $! > left\necho begun\nwait\n"})
    running = start(f"--hook-timeout={3 if is_late else 600}s", "--on-change", "command:sh hang.sh")
    set_env(shop, "PORT=2\n")
    running.says("took longer than 3 s and was killed" if is_late else "begun")
    left = int((shop.folder / "left").read_text())
    if not is_late:
        running.send(signal.SIGTERM)
    until(lambda: not alive(left))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it(number: int, start: Start) -> None:
    running = start()
    running.send(number)
    assert running.status() == 128 + number


def test_there_is_nothing_to_restart(shop: Project) -> None:
    done = shop.run("watch", "--on-change", "restart")
    assert done.status == 64
    assert "no command here" in done.err


def test_a_limit_for_a_hook_that_there_is_none_of_is_refused(shop: Project) -> None:
    done = shop.run("watch", "--hook-timeout=5s")
    assert done.status == 64
    assert "--hook-timeout needs --on-change" in done.err


def test_a_first_set_that_is_not_valid_ends_it(shop: Project) -> None:
    set_env(shop, "PORT=x\n")
    assert shop.run("watch").status == 65
