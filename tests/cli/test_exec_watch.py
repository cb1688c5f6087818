"""`confsvc exec --watch`: changes, restarts, signals, hooks, and the parent's manners."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from running import Project
from supervised import Running, alive, children, until

MANIFEST = """
[settings]
PORT = { type = "int" }
NAME = { default = "none" }
[environments.development]
sources = ["dotenv://.env"]
"""

# Says what it was started with, and which signals it gets; TERM ends it with status 7.
APP = """
import os, signal, sys, time
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def note(number, frame):
    say("got", signal.Signals(number).name)
    if number == signal.SIGTERM:
        os._exit(7)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGWINCH):
    signal.signal(number, note)
say("up", os.environ["PORT"], os.environ["NAME"])
while True:  # a signal that comes just before a sleep is handled after it
    time.sleep(0.1)
"""

# A schema whose validator ends the program, instead of saying no.
PICKY = """
import sys
import time
from pydantic import BaseModel, field_validator
class Settings(BaseModel):
    port: int
    @field_validator("port")
    @classmethod
    def check(cls, port):
        return sys.exit("no") if port == 2 else port
"""

Start = Callable[..., Running]


@pytest.fixture
def shop(project: Project) -> Project:
    """A project whose app says what happens to it."""
    project.manifest(MANIFEST, env="PORT=1\n", **{"app.py": APP})
    return project


@pytest.fixture
def start(shop: Project) -> Iterator[Start]:
    """A function that starts the app, or another command, under `exec --watch`."""
    begun: list[Running] = []

    def begin(*options: str, command: tuple[str, ...] = (sys.executable, "app.py")) -> Running:
        begun.append(Running(shop, ["exec", "--watch=100ms", "--debounce=50ms", *options, "--", *command]))
        return begun[-1]

    yield begin
    for running in begun:
        running.close()


def set_env(project: Project, text: str) -> None:
    """Replace the `.env` in one step."""
    (project.folder / "next").write_text(text)
    os.replace(project.folder / "next", project.folder / ".env")


def test_a_change_restarts_the_command_with_the_new_settings(shop: Project, start: Start) -> None:
    running = start()
    running.says("up 1 none")
    set_env(shop, "PORT=2\nNAME=two\n")
    running.says("up 2 two")
    assert "got SIGTERM" in running.out
    assert "`PORT`, `NAME` changed: restarting" in running.err
    running.send(signal.SIGTERM)
    assert running.status() == 7


def test_a_set_that_is_not_valid_never_reaches_the_command(shop: Project, start: Start) -> None:
    running = start()
    running.says("up 1")
    set_env(shop, "PORT=eighty\nNAME=bad\n")
    running.says("is not an integer")
    set_env(shop, "PORT=3\n")
    running.says("up 3 none")
    assert running.out.count("up ") == 2
    assert running.err.count("the new settings are not valid") == 1


def test_a_set_that_no_environment_can_hold_never_reaches_the_command(shop: Project, start: Start) -> None:
    running = start()
    running.says("up 1")
    set_env(shop, f"PORT=1\nNAME={'x' * 140_000}\n")
    running.says("cannot be handed over")
    assert running.out.count("up ") == 1
    assert alive(children(running.pid)[0])


def test_a_source_that_cannot_be_read_changes_nothing(shop: Project, start: Start) -> None:
    running = start()
    running.says("up 1")
    (shop.folder / ".env").unlink()
    running.says("not found")
    assert alive(children(running.pid)[0])
    assert "got" not in running.out


def test_a_change_can_be_told_by_a_signal(shop: Project, start: Start) -> None:
    running = start("--on-change", "signal:HUP")
    running.says("up 1")
    child = children(running.pid)
    set_env(shop, "PORT=2\n")
    running.says("got SIGHUP")
    assert children(running.pid) == child


def test_a_change_can_run_a_command(shop: Project, start: Start) -> None:
    running = start("--on-change", "command:sh -c 'echo hook $PORT $CONFSVC_CHANGED'")
    running.says("up 1")
    set_env(shop, "PORT=2\nNAME=n\n")
    running.says("hook 2 PORT NAME")
    assert running.out.count("up ") == 1


def test_a_hook_that_fails_is_told(shop: Project, start: Start) -> None:
    running = start("--on-change", "command:sh -c 'exit 3'")
    running.says("up 1")
    set_env(shop, "PORT=2\n")
    running.says("the hook failed with status 3")


def test_a_hook_that_hangs_is_killed_and_the_next_one_runs(shop: Project, start: Start) -> None:
    script = "case $PORT in 2) exec sleep 60;; *) echo hook $PORT;; esac"
    running = start("--hook-timeout=2s", "--on-change", f"command:sh -c '{script}'")  # enough for the one that is quick
    running.says("up 1")
    set_env(shop, "PORT=2\n")
    running.says("took longer than 2 s and was killed")
    set_env(shop, "PORT=3\n")
    running.says("hook 3")


def test_nothing_is_left_of_a_hook_that_was_killed(shop: Project, start: Start) -> None:
    shop.write({"hang.sh": "sleep 600 &\necho $! > left\nwait\n"})
    running = start("--hook-timeout=3s", "--on-change", "command:sh hang.sh")
    running.says("up 1")
    set_env(shop, "PORT=2\n")
    running.says("took longer than 3 s and was killed")
    left = int((shop.folder / "left").read_text())
    until(lambda: not alive(left))
    assert "the hook failed" not in running.err  # it is told once what became of it


def test_a_hook_ends_with_us_and_what_it_has_started_too(shop: Project, start: Start) -> None:
    shop.write({"slow.sh": "sleep 600 &\necho $! > left\necho begun\nwait\n"})
    running = start("--on-change", "command:sh slow.sh")
    running.says("up 1")
    set_env(shop, "PORT=2\n")
    running.says("begun")
    running.send(signal.SIGTERM)
    assert running.status() == 7
    left = int((shop.folder / "left").read_text())
    until(lambda: not alive(left))


def test_a_hook_that_is_not_there_is_told(shop: Project, start: Start) -> None:
    running = start("--on-change", "command:no-such-program")
    running.says("up 1")
    set_env(shop, "PORT=2\n")
    running.says("command not found: `no-such-program`")
    assert alive(children(running.pid)[0])


def test_a_command_that_does_not_stop_is_killed_and_started(shop: Project, start: Start) -> None:
    shop.write({"deaf.sh": 'trap "" TERM\necho up $PORT\nwhile :; do sleep 0.05; done\n'})
    running = start("--stop-timeout=300ms", command=("sh", "deaf.sh"))
    running.says("up 1")
    set_env(shop, "PORT=2\n")
    running.says("up 2")
    running.send(signal.SIGTERM)
    assert running.status() == 137


def test_a_change_starts_nothing_anew_that_was_told_to_end(shop: Project, start: Start) -> None:
    drain = "trap 'echo draining; while [ ! -e enough ]; do sleep 0.05; done; exit 7' TERM\n"
    shop.write({"slow.sh": drain + "echo up $PORT\nwhile :; do sleep 0.05; done\n"})
    running = start("--stop-timeout=30s", command=("sh", "slow.sh"))
    running.says("up 1")
    running.send(signal.SIGTERM)
    running.says("draining")
    set_env(shop, "PORT=2\n")
    running.says("`PORT` changed: nothing is done, as the command is ending")
    shop.write({"enough": ""})
    assert running.status() == 7
    assert running.out.split() == ["up", "1", "draining"]


def test_what_outlives_a_hangup_is_restarted_as_ever(shop: Project, start: Start) -> None:
    running = start()
    running.says("up 1")
    running.send(signal.SIGHUP)
    running.says("got SIGHUP")
    set_env(shop, "PORT=2\n")
    running.says("up 2")


def test_another_signal_can_stop_it(shop: Project, start: Start) -> None:
    running = start("--stop-signal=USR1", "--stop-timeout=5s", command=("sh", "-c", "echo up $PORT; exec sleep 60"))
    running.says("up 1")
    set_env(shop, "PORT=2\n")
    running.says("up 2")


def test_a_command_that_ends_by_itself_ends_us(start: Start) -> None:
    assert start(command=("sh", "-c", "exit 5")).status() == 5


STATUSES = (0, 1, 2, 3, 64, 65, 69, 75, 77, 126, 127, 128, 200, 255)
DEATHS = tuple("HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM XCPU".split())


@pytest.mark.parametrize("status", STATUSES)
def test_exit_statuses_pass_through(status: int, start: Start) -> None:
    assert start(command=("sh", "-c", f"exit {status}")).status() == status


@pytest.mark.parametrize("name", DEATHS)
def test_a_death_by_signal_has_the_status_of_a_shell(name: str, start: Start) -> None:
    number = getattr(signal, f"SIG{name}")
    running = start(command=("sh", "-c", f"ulimit -c 0; kill -{name} $$; sleep 60"))
    assert running.status() == 128 + number


@pytest.mark.parametrize("name", ["HUP", "USR1", "USR2", "INT", "WINCH"])
def test_signals_are_passed_on_once(name: str, start: Start) -> None:
    running = start()
    running.says("up 1")
    running.send(getattr(signal, f"SIG{name}"))
    running.says(f"got SIG{name}")
    running.send(signal.SIGTERM)
    assert running.status() == 7
    assert running.out.count("got") == 2


def test_a_command_that_dies_after_each_restart_is_tried_again_and_then_given_up(shop: Project, start: Start) -> None:
    shop.write({"picky.sh": "[ $PORT = 1 ] || exit 9\necho up $PORT\nexec sleep 60\n"})
    running = start("--max-restarts=1", command=("sh", "picky.sh"))
    running.says("up 1")
    set_env(shop, "PORT=2\n")
    assert running.status() == 9
    assert running.err.count("just after a restart; starting it in 1 s") == 1


def test_a_new_change_ends_the_waiting(shop: Project, start: Start) -> None:
    shop.write({"picky.sh": "[ $PORT != 2 ] || exit 9\necho up $PORT\nexec sleep 60\n"})
    running = start("--max-restarts=9", command=("sh", "picky.sh"))
    running.says("up 1")
    set_env(shop, "PORT=2\n")
    running.says("starting it in 2 s")
    set_env(shop, "PORT=3\n")
    running.says("up 3")


# Runs confsvc on a machine that is short of something, while there is a file `short`: once, or as often as it says.
SHORT = """
import os, pathlib, runpy, sys, threading
def scarce(what, real):
    def call(*args):
        left = pathlib.Path("short")
        if left.exists() and left.read_text() == what and (not args or args[0].name == "confsvc-dotenv"):
            left.rename("was-short")
            raise BlockingIOError(11, "no more") if what == "processes" else RuntimeError("no more")
        return real(*args)
    return call
os.fork = scarce("processes", os.fork)
threading.Thread.start = scarce("threads", threading.Thread.start)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def short(shop: Project) -> Iterator[Start]:
    """A function that does what `start` does, on a machine that runs short of what a file `short` names, once."""
    shop.write({"short.py": SHORT})
    begun: list[Running] = []

    def begin(*options: str) -> Running:
        argv = ["exec", "--watch=100ms", "--debounce=50ms", *options, "--", sys.executable, "app.py"]
        begun.append(Running(shop, argv, prefix=(sys.executable, "short.py")))
        return begun[-1]

    yield begin
    for running in begun:
        running.close()


def test_a_restart_for_which_there_is_no_process_is_tried_again(shop: Project, short: Start) -> None:
    running = short()
    running.says("up 1")
    shop.write({"short": "processes"})
    set_env(shop, "PORT=2\n")
    running.says("resource temporarily unavailable")
    running.says("up 2")


def test_a_hook_for_which_there_is_no_process_leaves_the_command_alone(shop: Project, short: Start) -> None:
    running = short("--on-change", "command:echo hook")
    running.says("up 1")
    child = children(running.pid)
    shop.write({"short": "processes"})
    set_env(shop, "PORT=2\n")
    running.says("the hook: cannot run")
    set_env(shop, "PORT=3\n")
    running.says("hook\n")
    until(lambda: children(running.pid) == child)  # the hook has ended, too
    assert "got" not in running.out


def test_a_look_for_which_there_is_no_thread_is_an_outage(shop: Project, short: Start) -> None:
    running = short()
    running.says("up 1")
    shop.write({"short": "threads"})
    set_env(shop, "PORT=2\n")
    running.says("the settings cannot be read")
    running.says("no thread left")
    running.says("up 2")


def test_a_look_that_fails_as_nobody_expected_is_told_and_not_the_last(shop: Project, start: Start) -> None:
    shop.manifest('schema = "picky:Settings"\n[environments.development]\nsources = ["dotenv://.env"]\n')
    shop.write({"picky.py": PICKY})
    running = start(command=("sh", "-c", "echo up $PORT; exec sleep 60"))
    running.says("up 1")
    set_env(shop, "PORT=2\n")
    running.says("the settings could not be looked at: SystemExit")
    set_env(shop, "PORT=3\n")
    running.says("up 3")
    assert "Traceback" not in running.err


def test_a_signal_between_two_starts_ends_us(shop: Project, start: Start) -> None:
    shop.write({"picky.sh": "[ $PORT = 1 ] || exit 9\necho up $PORT\nexec sleep 60\n"})
    running = start("--max-restarts=9", command=("sh", "picky.sh"))
    running.says("up 1")
    set_env(shop, "PORT=2\n")
    running.says("starting it in 4 s")  # the third time: long enough for a signal to come before that
    running.send(signal.SIGTERM)
    assert running.status() == 143


def ignored_here() -> int:
    """Return what this process ignores, but for what Python does: libraries of other tests ignore signals too."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    pythons = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    return int(status["SigIgn"], 16) & ~pythons


def test_the_command_has_default_signals_an_empty_mask_and_only_its_own_files(shop: Project, start: Start) -> None:
    wanted = "grep -E '^(SigBlk|SigIgn|SigCgt)' /proc/self/status; ls /proc/self/fd | tr '\\n' ' '"
    running = start(command=("sh", "-c", f"{wanted}; exit 0"))
    assert running.status() == 0
    plain = shop.run("exec", "--", "sh", "-c", wanted)
    blocked, ignored, _ = [int(line.split()[1], 16) for line in running.out.splitlines()[:3]]
    assert (blocked, ignored) == (0, ignored_here())
    assert running.out == plain.out


def test_what_was_ignored_stays_ignored(shop: Project) -> None:
    running = Running(
        shop, ["exec", "--watch", "--", "grep", "^SigIgn", "/proc/self/status"], prefix=("/usr/bin/nohup",)
    )
    assert running.status() == 0
    assert int(running.out.split()[1], 16) == ignored_here() | 1 << (signal.SIGHUP - 1)


def test_if_we_are_killed_the_command_ends_too(start: Start) -> None:
    running = start()
    running.says("up 1")
    (child,) = children(running.pid)
    running.send(signal.SIGKILL)
    running.status()
    until(lambda: not alive(child))
    assert "got SIGTERM" in running.out


def test_we_end_with_our_parent_where_asked(shop: Project) -> None:
    script = 'confsvc exec --watch --die-with-parent -- sh -c "echo up; exec sleep 60" & echo "pid $!"; wait'
    running = Running(shop, [], prefix=("sh", "-c", script))
    running.says("up\n")
    running.says("pid ")
    confsvc = int(running.out.partition("pid ")[2].split()[0])
    running.send(signal.SIGKILL)
    running.status()
    until(lambda: not alive(confsvc))


def test_a_socket_is_for_the_command(shop: Project) -> None:
    shop.environ["LISTEN_FDS"] = "1"
    shop.write({"run.sh": 'export LISTEN_PID=$$\nexec confsvc exec --watch -- sh -c "echo \\$LISTEN_PID \\$\\$"\n'})
    running = Running(shop, [], prefix=("sh", "run.sh"))
    assert running.status() == 0
    first, second = running.out.split()
    assert first == second


def test_a_group_gets_every_signal(shop: Project, start: Start) -> None:
    shop.write({"pair.sh": f"trap : USR1\n{sys.executable} app.py &\n{sys.executable} app.py\nwait\n"})
    running = start("--group", command=("sh", "pair.sh"))
    running.says("up 1", 2)
    running.send(signal.SIGUSR1)
    running.says("got SIGUSR1", 1)
    assert os.getpgid(children(running.pid)[0]) == children(running.pid)[0]
    until(lambda: running.out.count("got SIGUSR1") == 2)


def test_before_the_first_start_a_signal_ends_us_at_once(shop: Project) -> None:
    text = MANIFEST.replace('"dotenv://.env"', '"vault://secret/app"')
    with socket.create_server(("127.0.0.1", 0)) as silence:
        silence.settimeout(40)
        text += f'[backends.vault]\naddress = "http://127.0.0.1:{silence.getsockname()[1]}"\n'
        shop.environ["VAULT_TOKEN"] = "t"
        shop.manifest(text, env="")
        running = Running(shop, ["exec", "--watch", "--timeout=10m", "--", "touch", "started"])
        with silence.accept()[0]:  # it asks, and hears nothing
            running.send(signal.SIGTERM)
            assert running.status() == 143
    assert not shop.started()


BAD = [
    (("--watch=0s",), "above zero"),
    (("--watch=soon",), "takes a duration"),
    (("--watch", "--debounce=-1s"), "takes a duration"),
    (("--watch", "--on-change=reload"), "does not take that"),
    (("--watch", "--on-change=signal:NOPE"), "no signal is called `NOPE`"),
    (("--watch", "--on-change=command:"), "does not take that"),
    (("--watch", "--on-change=command:'x"), "does not take that"),
    (("--watch", "--max-restarts=many"), "takes a number"),
    (("--watch", "--stop-timeout=0"), "above zero"),
    (("--on-change=restart",), "needs --watch"),
    (("--splay=1s",), "needs --watch"),
    (("--redact", "--on-change=restart"), "needs --watch: without it no change is seen"),
    (("--redact", "--max-restarts=1"), "needs --watch"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=lambda value: " ".join(value) if len(value) < 4 else "")
def test_options_that_make_no_sense_are_refused(options: tuple[str, ...], message: str, shop: Project) -> None:
    done = shop.run("exec", *options, "--", "touch", "started")
    assert done.status == 64
    assert message in done.err
    assert not shop.started()


def test_the_first_resolution_fails_as_without_watch(shop: Project) -> None:
    set_env(shop, "PORT=x\n")
    done = shop.run("exec", "--watch", "--", "touch", "started")
    assert done.status == 65
    assert "is not an integer" in done.err
    assert not shop.started()


@pytest.mark.parametrize(("name", "status"), [("no-such-command", 127), ("./.env", 126)])
def test_a_command_that_cannot_be_run(name: str, status: int, shop: Project) -> None:
    assert shop.run("exec", "--watch", "--", name).status == status


def test_changes_are_told_as_json(shop: Project, start: Start) -> None:
    running = start("--json")
    running.says("up 1")
    set_env(shop, "PORT=x\n")
    running.says('"warning": "the new settings are not valid')
    assert '"code": "invalid"' in running.err


def test_orphans_are_reaped_as_pid_1(shop: Project) -> None:
    if os.geteuid():
        pytest.skip("needs root, for a PID namespace")
    shop.write(
        {
            "orphans.sh": "i=0\nwhile [ $i -lt 200 ]; do (sh -c 'sleep 0.1' &) ; i=$((i+1)); done\n"
            # It may take them a while to end; nothing is left of one that was reaped, and a zombie is there for ever.
            "i=0\nwhile set -- /proc/[0-9]*; [ $# -gt 2 ] && [ $i -lt 200 ]; do sleep 0.1; i=$((i+1)); done\n"
            "echo $#\necho pid $PPID\nexit 4\n"
        }
    )
    running = Running(
        shop,
        ["exec", "--watch", "--", "sh", "orphans.sh"],
        prefix=("unshare", "--pid", "--fork", "--mount-proc", "--kill-child"),
    )
    assert running.status() == 4
    assert running.out.split() == ["2", "pid", "1"]  # the script, and its parent


def test_as_pid_1_a_signal_reaches_the_command(shop: Project) -> None:
    if os.geteuid():
        pytest.skip("needs root, for a PID namespace")
    running = Running(
        shop,
        ["exec", "--watch", "--", sys.executable, "app.py"],
        prefix=("unshare", "--pid", "--fork", "--mount-proc"),
    )
    running.says("up 1")
    (first,) = children(running.pid)
    os.kill(first, signal.SIGTERM)
    running.says("got SIGTERM")
    assert running.status() == 7


# Notes when it hears SIGTERM, by the clock that all processes share.
HEARING = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"at %.6f\\n" % time.monotonic()))
os.write(1, b"up\\n")
while True:
    time.sleep(0.1)
"""


def test_as_pid_1_a_signal_is_passed_on_within_50_ms(shop: Project) -> None:
    if os.geteuid():
        pytest.skip("needs root, for a PID namespace")
    shop.write({"hearing.py": HEARING})
    running = Running(
        shop,
        ["exec", "--watch", "--", sys.executable, "hearing.py"],
        prefix=("unshare", "--pid", "--fork", "--mount-proc", "--kill-child"),
    )

    def seconds() -> float:
        heard = running.out.count("at ")
        (first,) = children(running.pid)
        began = time.monotonic()
        os.kill(first, signal.SIGTERM)
        running.says("at ", heard + 1)
        return float(running.out.split()[-1]) - began

    try:
        running.says("up")
        # A busy machine is late now and then, a fault of ours would be each time.
        assert any(seconds() < 0.05 for _ in range(20))
    finally:
        running.process.kill()
        running.status()


ENDS = [(f"exit {status}", status) for status in STATUSES]
ENDS += [(f"ulimit -c 0; kill -{name} $$; sleep 60", 128 + getattr(signal, f"SIG{name}")) for name in DEATHS]


@pytest.mark.parametrize(("script", "status"), ENDS, ids=[*map(str, STATUSES), *DEATHS])
def test_as_pid_1_the_status_passes_too(script: str, status: int, shop: Project) -> None:
    if os.geteuid():
        pytest.skip("needs root, for a PID namespace")
    running = Running(
        shop,
        ["exec", "--watch", "--", "sh", "-c", script],
        prefix=("unshare", "--pid", "--fork", "--mount-proc", "--kill-child"),
    )
    assert running.status() == status
