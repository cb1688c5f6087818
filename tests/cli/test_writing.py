"""`set`, `copy` and `import` as a user meets them: where a value may stand, questions, and what is said."""

import json
import os
import pty
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from secrets import token_hex

import pytest

from confsvc.testing import find_leaks
from running import CONFSVC, Project
from supervised import until

MANIFEST = """
project = "shop"
[settings]
TOKEN = { secret = true }
PORT = { type = "port", default = 8080 }
NOTE = { required = false }
[environments.one]
sources = ["dotenv://one.env"]
[environments.two]
sources = ["dotenv://two.env"]
[environments.written.values]
TOKEN = "literal"
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with two environments, whose settings are in a `.env` each."""
    project.manifest(MANIFEST)
    return project


def env(project: Project, name: str) -> str:
    return (project.folder / name).read_text() if (project.folder / name).exists() else ""


class Terminal:
    """A `confsvc` on a terminal, to which somebody types."""

    def __init__(self, project: Project, *argv: str, out: int | None = None) -> None:
        self._leader, follower = pty.openpty()
        self.shown = b""
        self._process = subprocess.Popen(
            [CONFSVC, *argv], cwd=project.folder, env={**project.environ, "TERM": "xterm"},
            stdin=follower, stdout=out or follower, stderr=follower, start_new_session=True,
            preexec_fn=lambda: _take_terminal(),  # noqa: PLW0108, PLW1509 - getpass asks the controlling terminal
        )  # fmt: skip
        os.close(follower)

    def sees(self, text: str) -> None:
        """Wait until ``text`` is shown."""
        while text.encode() not in self.shown:
            assert self._read(), self.shown

    def is_waited_on(self) -> None:
        """Wait until it sleeps, for somebody to type: Python notes a signal that comes just before that after it."""
        status = Path(f"/proc/{self._process.pid}/stat")
        until(lambda: status.read_text().rpartition(")")[2].split()[0] == "S")

    def types(self, text: str) -> None:
        """Type it."""
        os.write(self._leader, text.encode())

    def ends(self) -> int:
        """Wait for the end. Returns the exit status, negative for a signal."""
        while self._read():
            pass
        os.close(self._leader)
        return self._process.wait(40)

    def _read(self) -> bool:
        if not select.select([self._leader], [], [], 40)[0]:
            return False
        try:
            found = os.read(self._leader, 4096)
        except OSError:  # how Linux says that the other end is closed
            return False
        self.shown += found
        return bool(found)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


# --- set


def test_stdin_is_taken_exactly_but_for_one_newline(shop: Project) -> None:
    cases: Sequence[tuple[bytes, tuple[str, ...], str]] = [
        (b"x\n", (), "x"), (b"x\n\n", (), "x\n"), (b"x\n", ("--raw",), "x\n"), (b" x\r\n", (), " x\r"),
        (b"a\nb", (), "a\nb"), (b"\n", ("--empty",), ""), (b"${HOME} $(id)", (), "${HOME} $(id)"),
    ]  # fmt: skip
    for data, options, expected in cases:
        done = shop.run("set", "NOTE", "-e", "one", *options, stdin=data)
        assert done.status == 0, done.err
        assert shop.run("get", "NOTE", "-e", "one", "--set", "TOKEN=x").raw == expected.encode(), data


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["TOKEN=cnry-9f2b7c41d8"], "a value on the command line is seen by everybody, so it is not taken"),
        (["TOKEN", "cnry-9f2b7c41d8"], "a value on the command line is seen by everybody, so it is not taken"),
        (["cnry-9f2b7c41d8/+"], "that is no setting's name"),
        (["-e", "one", "TOKEN", "--value=cnry-9f2b7c41d8"], "unknown option `--value`"),
        ([], "which setting?"),
        (["TOKN"], "no setting is called `TOKN` (did you mean `TOKEN`?)"),
        (["TOKEN", "--to", ""], "--to names nothing"),
        (["TOKEN", "-e", "on"], "unknown environment `on`"),
        (["TOKEN", "--to", "nope://x"], "no backend or adapter is called `nope`"),
        (["PORT"], "1 value does not fit the settings of one"),
    ],
)
def test_what_is_wrong_with_the_words_is_said_without_a_value(
    shop: Project, canary: str, argv: list[str], message: str
) -> None:
    environment = [] if "-e" in argv else ["-e", "one"]
    done = shop.run("set", *environment, *argv, stdin=canary.encode())
    assert (done.status in {64, 65, 78}, done.out) == (True, "")
    assert message in done.err
    assert find_leaks(canary, done.err) == []
    assert env(shop, "one.env") == ""


def test_an_empty_stdin_is_a_mistake_unless_it_is_meant(shop: Project) -> None:
    """What is left where the command before the pipe failed."""
    shop.write({"one.env": "TOKEN=kept\n"})
    done = shop.shell("{ false | confsvc set TOKEN -e one; }")
    assert done.status != 0
    assert "the value is empty, so nothing was written" in done.err
    assert shop.shell("confsvc set TOKEN -e one < /dev/null").status == 64
    assert shop.shell("confsvc set TOKEN -e one <&-").status == 64
    assert env(shop, "one.env") == "TOKEN=kept\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["TOKN", "-e", "one"], "no setting is called `TOKN` (did you mean `TOKEN`?)"),
        (["TOKEN", "-e", "on"], "unknown environment `on` (did you mean `one`?)"),
    ],
)
def test_what_is_not_there_to_be_set_is_told_before_a_value_is_asked_for(
    shop: Project, argv: list[str], message: str
) -> None:
    done = shop.run("set", *argv)
    assert done.err.startswith(f"error: {message}\n")
    terminal = Terminal(shop, "set", *argv)
    assert terminal.ends() == done.status != 0
    assert message in terminal.shown.decode()
    assert f"{argv[0]}: " not in terminal.shown.decode()


def test_a_dry_run_shows_names_and_changes_nothing(shop: Project, canary: str) -> None:
    shop.write({"one.env": f"TOKEN={canary}\n"})
    done = shop.run("set", "TOKEN", "-e", "one", "--dry-run", stdin=f"{canary}2".encode())
    assert done.out == (
        "  setting  change     where                   version now\n  TOKEN    different  dotenv://one.env#TOKEN\n"
    )
    assert env(shop, "one.env") == f"TOKEN={canary}\n"


def test_a_terminal_is_asked_twice_and_shows_nothing(shop: Project, canary: str) -> None:
    terminal = Terminal(shop, "set", "TOKEN", "-e", "one")
    terminal.sees("TOKEN: ")
    terminal.types(f"{canary}\n")
    terminal.sees("TOKEN, again: ")
    terminal.types(f"{canary}\n")
    assert terminal.ends() == 0
    assert find_leaks(canary, terminal.shown) == []
    assert env(shop, "one.env") == f"TOKEN={canary}\n"


def test_two_that_differ_are_not_written(shop: Project, canary: str) -> None:
    terminal = Terminal(shop, "set", "TOKEN", "-e", "one")
    terminal.sees("TOKEN: ")
    terminal.types(f"{canary}\n")
    terminal.sees("again: ")
    terminal.types("other\n")
    assert terminal.ends() == 64
    assert b"the two are not the same, so nothing was written" in terminal.shown
    assert env(shop, "one.env") == ""


def test_ctrl_c_at_the_question_ends_it_by_its_signal(shop: Project) -> None:
    terminal = Terminal(shop, "set", "TOKEN", "-e", "one")
    terminal.sees("TOKEN: ")
    terminal.is_waited_on()
    terminal.types("\x03")
    assert terminal.ends() == -2
    assert b"Traceback" not in terminal.shown


def test_no_command_line_of_any_process_holds_it(shop: Project) -> None:
    canary = f"cnry-{token_hex(16)}"  # other tests give the common one to commands that refuse it
    shop.write({"typed": canary, "from.env": f"TOKEN={canary}\n", "one.env": f"TOKEN={canary}3\n"})
    seen: list[bytes] = []
    for argv in (
        ["set", "TOKEN", "-e", "one"],
        ["import", "from.env", "-e", "two"],
        ["copy", "one", "two", "TOKEN", "-y"],
    ):
        with (shop.folder / "typed").open("rb") as typed:
            process = subprocess.Popen(
                [CONFSVC, *argv], cwd=shop.folder, env=shop.environ,
                stdin=typed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        while process.poll() is None:
            seen += list(_command_lines())
        assert process.returncode == 0
    assert any(b"confsvc" in line for line in seen)
    assert find_leaks(canary, *set(seen)) == []


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


# --- copy and import


def test_a_terminal_is_asked_once_and_only_yes_means_yes(shop: Project, canary: str) -> None:
    shop.write({"one.env": f"TOKEN={canary}\nPORT=1\n", "two.env": "TOKEN=old\n"})
    for answer, status in (("\n", 1), ("no\n", 1), ("yes\n", 0)):
        assert env(shop, "two.env") == "TOKEN=old\n"
        terminal = Terminal(shop, "copy", "one", "two", "--all")
        terminal.sees("write 2 settings to two, 1 of them over another value? [y/N] ")
        terminal.types(answer)
        assert terminal.ends() == status
        assert find_leaks(canary, terminal.shown) == []
    assert env(shop, "two.env") == f"TOKEN={canary}\nPORT=1\n"


def test_without_a_terminal_what_is_new_is_written_and_what_is_there_is_kept(shop: Project) -> None:
    shop.write({"from.env": "TOKEN=new\nPORT=1\n"})
    assert shop.run("import", "from.env", "-e", "one").status == 0
    assert env(shop, "one.env") == "TOKEN=new\nPORT=1\n"
    shop.write({"from.env": "TOKEN=newer\nPORT=1\nNOTE=n\n"})
    refused = shop.run("import", "from.env", "-e", "one")
    assert (refused.status, env(shop, "one.env")) == (64, "TOKEN=new\nPORT=1\n")
    assert shop.run("import", "from.env", "-e", "one", "--new").status == 0
    assert env(shop, "one.env") == "TOKEN=new\nPORT=1\nNOTE=n\n"
    assert shop.run("import", "from.env", "-e", "one", "-y").status == 0
    assert env(shop, "one.env") == "TOKEN=newer\nPORT=1\nNOTE=n\n"


def test_names_that_no_setting_declares_are_named_and_left_out(shop: Project) -> None:
    shop.write({"from.env": "TOKEN=t\nSTRAY=s\nBARE\n"})
    done = shop.run("import", "from.env", "-e", "one")
    assert "STRAY    left out  no setting is called so; --extra takes it\n" in done.out
    assert env(shop, "one.env") == "TOKEN=t\n"
    assert shop.run("import", "from.env", "-e", "one", "--extra").status == 0
    assert env(shop, "one.env") == "TOKEN=t\nSTRAY=s\n"


def test_what_the_environment_says_itself_is_left_out_of_many_and_refused_alone(shop: Project) -> None:
    shop.write({"one.env": "TOKEN=t\n"})
    done = shop.run("copy", "one", "written", "--all")
    assert done.status == 0
    assert "TOKEN    left out  the environment's `values` (confsvc.toml:" in done.out
    alone = shop.run("set", "TOKEN", "-e", "written", stdin=b"x")
    assert (alone.status, alone.out) == (64, "")
    assert "say it, so no backend has it" in alone.err


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["copy", "one", "one", "--all"], 64, "an environment is not copied to itself"),
        (["copy", "one", "two"], 64, "which settings?"),
        (["copy", "one", "two", "TOKEN", "--all"], 64, "which settings?"),
        (["copy", "one", "tow", "--all"], 78, "unknown environment `tow` (did you mean `two`?)"),
        (["copy", "one", "two", "TOKN"], 64, "no setting is called `TOKN`"),
        (["copy", "one", "two", "--all"], 65, "1 of 3 settings could not be resolved for one"),
        (["import", "nowhere.env", "-e", "one"], 65, "not found: no such file"),
        (["import", ".", "-e", "one"], 65, "it is a folder, not a file"),
        (["import", "bad.env", "-e", "one"], 65, "1 value does not fit the settings of one; nothing was written"),
        (["import", "bad.env", "-e", "one", "--only", "NOPE"], 64, "has no `NOPE`"),
        (["import", "bad.env", "-e", "one", "--only", ","], 64, "--only names nothing"),
        (["import", "-e", "one"], 64, "the following arguments are required: FILE"),
        (["import", "bad.env", "-e", ""], 64, "-e names nothing"),
    ],
)
def test_bad_input_is_told_and_changes_nothing(shop: Project, argv: list[str], status: int, message: str) -> None:
    shop.write({"bad.env": "PORT=none\nTOKEN=x\n", "one.env": "PORT=1\n"})
    done = shop.run(*argv)
    assert done.status == status, done.err
    assert message in done.err
    assert (env(shop, "one.env"), env(shop, "two.env")) == ("PORT=1\n", "")


def test_json_tells_everything_on_stdout_and_no_value(shop: Project, canary: str) -> None:
    shop.write({"from.env": f"TOKEN={canary}\nSTRAY={canary}\nPORT=1\n", "one.env": "PORT=1\n"})
    done = shop.run("import", "from.env", "-e", "one", "--json")
    data = json.loads(done.out)
    assert data == {
        "environment": "one",
        "dry_run": False,
        "settings": [
            {"name": "TOKEN", "change": "new", "reference": "dotenv://one.env#TOKEN", "version": "", "written": True,
             "code": ""},
            {"name": "PORT", "change": "same", "reference": "dotenv://one.env#PORT", "version": "", "written": False,
             "code": ""},
        ],
        "left_out": [{"name": "STRAY", "reason": "no setting is called so; --extra takes it"}],
    }  # fmt: skip
    assert find_leaks(canary, done.out, done.err) == []


def test_a_bar_shows_how_far_much_has_come(shop: Project) -> None:
    names = [f"N{number}" for number in range(20)]
    declared = "".join(f"{name} = {{ required = false }}\n" for name in names)
    values = "".join(f'{name} = "${{file://{name}.txt}}"\n' for name in names)
    shop.manifest(f"[settings]\n{declared}[environments.app.values]\n{values}")
    shop.write({"from.env": "".join(f"{name}=x\n" for name in names)})
    terminal = Terminal(shop, "import", "from.env", "--yes")
    assert terminal.ends() == 0
    assert b"writing app: [" + b"#" * 15 + b"-" * 15 + b"] 10 of 20" in terminal.shown
    quiet = Terminal(shop, "import", "from.env", "--yes", "-q")
    assert quiet.ends() == 0
    assert b"##" not in quiet.shown


def test_nobody_who_reads_is_told_before_and_not_needed_after(shop: Project) -> None:
    shop.write({"from.env": "TOKEN=t\n"})
    assert unread(shop, "import", "from.env", "-e", "one") == (73, "error: stdout is closed, so nothing was written\n")
    assert env(shop, "one.env") == ""
    assert unread(shop, "set", "TOKEN", "-e", "one") == (0, "")
    assert env(shop, "one.env") == "TOKEN=typed\n"


def unread(project: Project, *argv: str) -> tuple[int, str]:
    """Run with a pipe as stdout that nobody reads. Returns the status and what was said on stderr."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [CONFSVC, *argv], cwd=project.folder, env=project.environ, input=b"typed",
        stdout=writer, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writer)
    return done.returncode, done.stderr.decode()


def test_a_model_as_the_schema_checks_one_value_by_itself(shop: Project) -> None:
    """Its rules across fields, and what else it requires, are for `check`."""
    shop.write(
        {
            "models.py": "from pydantic import *\nclass M(BaseModel):\n    port: int = Field(gt=1)\n    host: str\n"
            '    old: str = Field("x", validation_alias=AliasChoices("NEW", "OLD"))\n'
            "    @model_validator(mode='after')\n    def never(self): raise ValueError('no')\n",
            "confsvc.toml": 'schema = "models:M"\n[environments.one]\nsources = ["dotenv://one.env"]\n',
            "one.env": "OLD=alias\n",
        }
    )
    assert shop.run("set", "PORT", stdin=b"80").status == 0
    assert shop.run("set", "PORT", stdin=b"1").err.endswith("PORT  invalid: must be greater than 1\n")
    assert shop.run("set", "NEW", stdin=b"y").status == 0
    assert env(shop, "one.env") == "OLD=y\nPORT=80\n"


def test_audit_has_every_write_and_refuses_before_any(shop: Project, canary: str) -> None:
    trail = shop.folder / "audit.jsonl"
    environ: Mapping[str, str] = {"CONFSVC_AUDIT": str(trail)}
    shop.run("set", "TOKEN", "-e", "one", env=environ, stdin=canary.encode())
    shop.run("copy", "one", "two", "TOKEN", env=environ)
    events = [
        (one["event"], one["command"], one["environment"]) for one in map(json.loads, trail.read_text().splitlines())
    ]
    assert events == [
        ("compare", "confsvc set", "one"),
        ("write", "confsvc set", "one"),
        ("resolve", "confsvc copy", "one"),
        ("compare", "confsvc copy", "two"),
        ("write", "confsvc copy", "two"),
    ]
    assert find_leaks(canary, trail.read_bytes()) == []
    refused = shop.run("set", "NOTE", "-e", "one", env={"CONFSVC_AUDIT": "."}, stdin=b"x")
    assert (refused.status, env(shop, "one.env")) == (73, f"TOKEN={canary}\n")
