"""Starting with an agent there: the same as without, or said so; and quickly, whatever is the matter with it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agents import Agent, run_agent
from running import CONFSVC, Done, Project

MANIFEST = """
project = "shop"
[settings]
PORT = { type = "port" }
TOKEN = { secret = true }
NOTE = { required = false }
[environments.production]
sources = ["dotenv://.env"]
[environments.staging]
sources = ["dotenv://staging.env"]
"""
ENV = ("exec", "-e", "production", "--", "sh", "-c", "env | sort")

# What a start has loaded when it becomes the command.
REPORT = """
import json, os, sys
before = set(sys.modules)
def execve(file, arguments, environ):
    print(json.dumps(sorted(set(sys.modules) - before)))
    sys.stdout.flush()
    os._exit(0)
os.execve = execve
sys.argv = ["confsvc", "exec", "-e", "production", "--", "true"]
from confsvc.__main__ import main
main()
"""


@pytest.fixture
def shop(project: Project, canary: str) -> Project:
    project.manifest(MANIFEST, env=f"PORT=80\nTOKEN='{canary} with ünïcode and $SIGNS'\n")
    project.write({"staging.env": "PORT=81\nTOKEN=other\n"})
    return project


@pytest.fixture
def agent(shop: Project) -> Iterator[Agent]:
    with run_agent(shop, "-e", "production", "-v") as made:
        yield made


def alone(shop: Project, *argv: str, **environ: str) -> Done:
    """Run without an agent."""
    return shop.run(*argv, env={**environ, "CONFSVC_AGENT_SOCKET": ""})


def served(agent: Agent) -> int:
    """How many sets the agent has handed out."""
    lines = agent.get("/metrics").body.decode().splitlines()
    return sum(int(line.split()[-1]) for line in lines if 'page="settings",status="200"' in line)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"VAULT_TOKEN": "bootstrap", "BAO_ROLE_ID": "bootstrap", "CONFSVC_CACHE_DIR": "/nowhere"},
        {"LC_ALL": "C", "LANG": "C", "ODD": "a=b\nc", "EMPTY": ""},
        {"NOTHING": "PORT", "PATH": f"{Path(CONFSVC).parent}:/usr/bin:/bin:/nowhere"},
    ],
)
def test_the_command_gets_the_same_environment_as_without_an_agent(
    agent: Agent, shop: Project, environ: dict[str, str]
) -> None:
    with_agent = shop.run(*ENV, env={**environ, **agent.environ})
    without = alone(shop, *ENV, **environ)
    assert with_agent == without
    assert with_agent.status == 0
    assert "CONFSVC_ENV=production" in with_agent.out
    assert f"CONFSVC_FILE={shop.folder / 'confsvc.toml'}" in with_agent.out
    assert "bootstrap" not in with_agent.out
    assert served(agent) == 1


def test_such_a_start_loads_next_to_nothing(agent: Agent, shop: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", REPORT],
        cwd=shop.folder,
        env={**shop.environ, **agent.environ},
        capture_output=True,
        check=True,
        timeout=60,
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    ours = {name for name in loaded if name.startswith("confsvc")}
    assert {name for name in ours if not name.startswith("confsvc.thin")} == {
        "confsvc",
        "confsvc.__main__",
        "confsvc._version",
    }
    assert set(loaded) - ours <= {"_socket", "_json", "_blake2", "array", "time"}


@pytest.mark.parametrize(
    "argv",
    [
        ("exec", "-e", "production", "--"),
        ("run", "--env=production", "-q", "--"),
        ("exec", "--env", "production", "--file=confsvc.toml", "--"),
        ("exec", "-f", "confsvc.toml", "-e", "production", "--quiet", "--"),
    ],
)
def test_plain_command_lines_ask_the_agent(agent: Agent, shop: Project, argv: tuple[str, ...]) -> None:
    done = shop.run(*argv, "sh", "-c", "echo $PORT", env=agent.environ)
    assert (done.status, done.out, done.err) == (0, "80\n", "")
    assert served(agent) == 1


def test_the_environment_may_be_named_by_a_variable_and_the_folder_be_below(agent: Agent, shop: Project) -> None:
    (shop.folder / "deep" / "down").mkdir(parents=True)
    environ = {**agent.environ, "CONFSVC_ENV": "production"}
    done = shop.run("exec", "--", "sh", "-c", "echo $PORT", env=environ, cwd="deep/down")
    assert (done.status, done.out, served(agent)) == (0, "80\n", 1)
    (shop.folder / "deep" / "pyproject.toml").write_text('[project]\ndependencies = ["confsvc"]\n')
    done = shop.run("exec", "--", "sh", "-c", "echo $PORT", env=environ, cwd="deep/down")
    assert (done.status, done.out) == (0, "80\n")


@pytest.mark.parametrize(
    ("argv", "environ", "out"),
    [
        (("-e", "production", "--set", "PORT=99"), {}, "99"),
        (("-e", "production"), {"PORT": "98"}, "98"),
        (("-e", "production", "--override"), {"PORT": "98"}, "80"),
        (("-e", "staging"), {}, "81"),
        (("-e", "production", "--pristine"), {}, "80"),
    ],
)
def test_what_only_this_process_has_counts_as_it_always_does(
    agent: Agent, shop: Project, argv: tuple[str, ...], environ: dict[str, str], out: str
) -> None:
    done = shop.run("exec", *argv, "--", "sh", "-c", "echo $PORT", env={**agent.environ, **environ})
    assert (done.status, done.out, done.err) == (0, f"{out}\n", "")


def test_a_value_of_this_process_that_is_not_valid_is_refused(agent: Agent, shop: Project) -> None:
    done = shop.run("exec", "-e", "production", "--", "touch", "started", env={**agent.environ, "PORT": "http"})
    assert (done.status, "is not an integer" in done.err) == (65, True)
    assert not shop.started()


def test_a_setting_that_only_this_process_has_is_no_reason_for_the_agent_not_to_serve(
    shop: Project, canary: str
) -> None:
    shop.manifest(MANIFEST.replace("TOKEN =", "HOST = {}\nTOKEN ="), env=f"PORT=80\nTOKEN={canary}\n")
    with run_agent(shop, "-e", "production") as agent:
        assert agent.get("/v1/settings").data["missing"] == ["HOST"]
        done = shop.run("exec", "-e", "production", "--", "sh", "-c", "echo $HOST", env={**agent.environ, "HOST": "me"})
        assert (done.status, done.out) == (0, "me\n")
        done = shop.run("exec", "-e", "production", "--", "true", env=agent.environ)
        assert (done.status, "HOST" in done.err) == (65, True)


@pytest.mark.parametrize("command", ["nowhere", "./confsvc.toml", "./script"])
def test_a_command_that_cannot_be_run_is_told_as_ever(agent: Agent, shop: Project, command: str) -> None:
    (shop.folder / "script").write_text("#!/no/such/interpreter\n")
    (shop.folder / "script").chmod(0o755)
    argv = ("exec", "-e", "production", "--", command)
    assert shop.run(*argv, env=agent.environ) == alone(shop, *argv)
    assert served(agent) == 0


def test_an_agent_that_is_gone_is_told_of_in_one_line(agent: Agent, shop: Project) -> None:
    agent.stop(signal.SIGKILL)
    done = shop.run("exec", "-e", "production", "--", "sh", "-c", "echo $PORT", env=agent.environ)
    assert (done.status, done.out) == (0, "80\n")
    assert done.err == f"warning: no agent answers at `{agent.path}`; the stores are asked instead\n"
    done = shop.run("exec", "-q", "-e", "production", "--", "sh", "-c", "echo $PORT", env=agent.environ)
    assert (done.out, done.err) == ("80\n", "")
    Path(agent.path).unlink()
    done = shop.run("exec", "-e", "production", "--", "true", env=agent.environ)
    assert done.err == f"warning: there is no agent at `{agent.path}`; the stores are asked instead\n"


def timed(shop: Project, environ: Mapping[str, str]) -> tuple[Done, float]:
    """Start with ``environ``. Returns what came of it, and how many seconds it took longer than without an agent."""
    began = time.monotonic()
    alone(shop, "exec", "-e", "production", "--", "true")
    middle = time.monotonic()
    done = shop.run("exec", "-e", "production", "--", "true", env=environ)
    return done, time.monotonic() - middle - (middle - began)


def test_one_that_hangs_is_given_up_soon(agent: Agent, shop: Project) -> None:
    agent.process.send_signal(signal.SIGSTOP)
    done, longer = timed(shop, agent.environ)
    assert longer < 5
    assert (done.status, "does not answer in time" in done.err, done.err.count("\n")) == (0, True, 1)


def test_a_socket_whose_owner_says_nothing_is_given_up(shop: Project) -> None:
    (shop.folder / "run").mkdir(mode=0o700)
    path = str(shop.folder / "run" / "agent.sock")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(path)
        mute.listen(1)
        done, longer = timed(shop, {"CONFSVC_AGENT_SOCKET": path})
        assert longer < 8
    assert (done.status, "does not answer in time" in done.err) == (0, True)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"\x00\xff", b"HTTP/1.1 200 OK\r\n\r\n[]"]
)
def test_nonsense_is_no_answer(shop: Project, answer: bytes) -> None:
    (shop.folder / "run").mkdir(mode=0o700)
    path = str(shop.folder / "run" / "agent.sock")
    code = (
        "import socket, sys\ns = socket.socket(1); s.bind(sys.argv[1]); s.listen(1); print('up', flush=True)\n"
        "c, _ = s.accept(); c.recv(9999); c.sendall(bytes.fromhex(sys.argv[2])); c.close()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, path, answer.hex()], stdout=subprocess.PIPE) as liar:
        assert liar.stdout is not None
        assert liar.stdout.readline() == b"up\n"
        done = shop.run("exec", "-e", "production", "--", "sh", "-c", "echo $PORT", env={"CONFSVC_AGENT_SOCKET": path})
    assert (done.status, done.out, "broke off" in done.err) == (0, "80\n", True)


def test_what_others_could_have_planted_is_not_even_connected_to(shop: Project) -> None:
    folder = shop.folder / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(str(folder / "agent.sock"))
        planted.listen(1)
        planted.setblocking(False)
        environ = {"CONFSVC_AGENT_SOCKET": str(folder / "agent.sock")}
        done = shop.run("exec", "-e", "production", "--", "true", env=environ)
        with pytest.raises(BlockingIOError):
            planted.accept()
    assert (done.status, "others can write into its folder" in done.err) == (0, True)
    (shop.folder / "file").write_text("x")
    done = shop.run("exec", "-e", "production", "--", "true", env={"CONFSVC_AGENT_SOCKET": str(shop.folder / "file")})
    assert (done.status, "it is no socket" in done.err) == (0, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_one_of_another_user_is_asked_only_if_he_was_named(shop: Project) -> None:
    folder = shop.folder / "theirs"
    folder.mkdir(mode=0o755)
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(str(folder / "agent.sock"))
        planted.listen(1)
        os.chown(folder / "agent.sock", 65534, 65534)
        environ = {"CONFSVC_AGENT_SOCKET": str(folder / "agent.sock")}
        done = shop.run("exec", "-e", "production", "--", "true", env=environ)
        assert (done.status, "it belongs to another user (uid 65534)" in done.err) == (0, True)
        done = shop.run("exec", "-e", "production", "--", "true", env={**environ, "CONFSVC_AGENT_UID": "65534"})
        assert (done.status, "does not answer in time" in done.err) == (0, True)


def test_it_is_found_in_the_runtime_folder_and_no_word_is_lost_where_there_is_none(shop: Project) -> None:
    (shop.folder / "runtime").mkdir(mode=0o700)
    environ = {"XDG_RUNTIME_DIR": str(shop.folder / "runtime")}
    done = shop.run("exec", "-e", "production", "--", "true", env=environ)
    assert (done.status, done.err) == (0, "")
    path = str(shop.folder / "runtime" / "confsvc" / "agent.sock")
    with run_agent(shop, "-e", "production", env=environ, path=path) as agent:
        assert shop.run("exec", "-e", "production", "--", "true", env=environ).status == 0
        assert served(agent) == 1


def test_a_signal_while_it_waits_ends_it(shop: Project) -> None:
    (shop.folder / "run").mkdir(mode=0o700)
    path = str(shop.folder / "run" / "agent.sock")
    with socket.socket(socket.AF_UNIX) as slow:
        slow.bind(path)
        slow.listen(1)
        process = subprocess.Popen(
            [CONFSVC, "exec", "-e", "production", "--", "true"],
            cwd=shop.folder,
            env={**shop.environ, "CONFSVC_AGENT_SOCKET": path},
        )
        connection, _ = slow.accept()
        with connection:
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == -signal.SIGINT


# The interpreter may be where others cannot look, so everything is loaded before somebody else is become.
BECOME = """
import os, sys, _blake2, _json, _socket, ctypes, http, json, locale, resource, urllib.parse
import confsvc, confsvc.cli.agent, confsvc.agent.running, confsvc.thin.start
from confsvc.cli import run
confsvc.resolve(environment="production")
os.setgroups([]); os.setgid(65532); os.setuid(int(sys.argv.pop(1)))
confsvc.thin.start.start(sys.argv[1:])
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_containers_of_a_pod_share_an_agent_of_another_user(shop: Project) -> None:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        folder.chmod(0o755)
        for name in ("confsvc.toml", ".env"):
            (folder / name).write_bytes((shop.folder / name).read_bytes())
        volume = folder / "volume"  # as the kubelet makes it
        volume.mkdir()
        os.chown(volume, 0, 65532)
        volume.chmod(0o2777)
        path = str(volume / "run" / "agent.sock")

        def words(uid: int, *argv: str) -> list[str]:
            return [sys.executable, "-c", BECOME, str(uid), *argv]

        command = words(65532, "agent", "-v", "-e", "production", "--socket", path, "--allow-gid", "65532")
        with (folder / "agent.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, env=shop.environ, stderr=log)
        agent = Agent(process, path, folder / "agent.log")
        try:
            agent.until("ready")
            start = words(1000, "exec", "-e", "production", "--", "sh", "-c", "echo $PORT; id -u")
            for named, heard in (({}, "it belongs to another user"), ({"CONFSVC_AGENT_UID": "65532"}, "")):
                environ = {**shop.environ, **agent.environ, **named}
                done = subprocess.run(
                    start, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
                )
                assert (done.returncode, done.stdout) == (0, "80\n1000\n")
                assert done.stderr.count("\n") == (1 if heard else 0)
                assert heard in done.stderr
            assert [line["uid"] for line in agent.events("answered")] == [1000]
        finally:
            process.kill()
            process.wait(20)
