"""The examples of `confsvc.watch`, under the real servers that they are made for."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import urllib.error
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from openbao import DIRECT, ROOT, Bao, free_port, missing
from postgres import run_rotating
from supervised import until

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDER = EXAMPLES / "live"
SCRIPTS = Path(sysconfig.get_path("scripts"))

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "live", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture
def start(copy: Path) -> Iterator[Start]:
    """Starts a program in the example's folder; what it prints is in `log`. It has to end when it is told to."""
    running: list[subprocess.Popen[bytes]] = []
    log = (copy / "log").open("wb")

    def begin(program: str, *arguments: str, **environ: str) -> "subprocess.Popen[bytes]":
        clean = {"PATH": f"{SCRIPTS}:{os.environ['PATH']}", "HOME": str(copy), "XDG_RUNTIME_DIR": str(copy)}
        command = [sys.executable, program] if program.endswith(".py") else [str(SCRIPTS / program)]
        running.append(
            subprocess.Popen(
                [*command, *arguments], cwd=copy, env=clean | environ, stdout=log, stderr=subprocess.STDOUT
            )
        )
        return running[-1]

    yield begin
    for process in running:
        until(lambda process=process: process.poll() is not None or not ignores_term(process.pid))  # type: ignore[misc]
        process.terminate()
    for process in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        assert process.poll() is not None, (copy / "log").read_text()
    log.close()


def ignores_term(pid: int) -> bool:
    """Tell whether a process ignores SIGTERM, as uWSGI's master does until its workers are there, and answer."""
    status = Path(f"/proc/{pid}/status").read_text()
    (ignored,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")]
    return bool(int(ignored, 16) >> (signal.SIGTERM - 1) & 1)


def get(port: int, path: str = "/") -> Any:
    """Return what a page says; nothing where nobody listens yet."""
    try:
        with DIRECT.open(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.URLError as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
            raise
        return {}


def change(copy: Path, text: str) -> None:
    (copy / "new.env").write_text(text)
    (copy / "new.env").rename(copy / "development.env")


def log(copy: Path) -> str:
    return (copy / "log").read_text()


def test_a_script_sees_a_change(start: Start, copy: Path) -> None:
    process = start("script.py")
    until(lambda: "hello\n" in log(copy))
    change(copy, "GREETING=goodbye\n")
    assert process.wait(60) == 0
    assert "changed: GREETING\n" in log(copy)


def seen(port: int, count: int) -> set[tuple[str, int]]:
    """Return the greetings of workers, each with its process id, once ``count`` workers have answered."""
    found: dict[int, str] = {}

    def ask() -> bool:
        said = get(port)
        if said:
            found[said["pid"]] = said["greeting"]
        return len(found) >= count

    until(ask)
    return {(greeting, pid) for pid, greeting in found.items()}


GUNICORN = ("gunicorn", "--workers=3", "--threads=1", "--bind=ADDRESS")
UWSGI = ("uwsgi", "--http-socket=ADDRESS", "--master", "--processes=3", "--die-on-term", f"--virtualenv={sys.prefix}")

# How workers come to be: forked from what has imported the application, or before; by Python, or behind its back.
SERVERS: dict[str, tuple[str, ...]] = {
    "gunicorn, preloaded": (*GUNICORN, "--preload", "flask_app:app"),
    "gunicorn, preloaded Django": (*GUNICORN, "--preload", "django_site.wsgi"),
    "gunicorn with gevent": (*GUNICORN[:2], "--bind=ADDRESS", "--worker-class=gevent", "flask_app:app"),
    "gunicorn with gevent, preloaded": (
        *(*GUNICORN[:2], "--bind=ADDRESS"),
        *("--worker-class=gevent", "--preload", "flask_app:app"),
    ),
    "uwsgi": (*UWSGI, "--enable-threads", "--module=flask_app:app"),
    "uwsgi that tells Python": (*UWSGI, "--enable-threads", "--py-call-osafterfork", "--module=flask_app:app"),
    "uwsgi, lazy": (*UWSGI, "--enable-threads", "--lazy-apps", "--module=flask_app:app"),
}


def needs(program: str) -> None:
    for part in ("gevent", "uwsgi"):
        if part in program and not (find_spec(part) or (SCRIPTS / part).exists()):
            missing(part, f"pip install {'pyuwsgi' if part == 'uwsgi' else part}")


@pytest.mark.parametrize("server", SERVERS)
def test_workers_go_on_however_they_were_forked(server: str, start: Start, copy: Path) -> None:
    needs(server)
    port = free_port()
    start(*(word.replace("ADDRESS", f"127.0.0.1:{port}") for word in SERVERS[server]))
    before = seen(port, 3)
    assert {greeting for greeting, _ in before} == {"hello"}
    change(copy, "GREETING=good day\n")
    until(lambda: seen(port, 3) == {("good day", pid) for _, pid in before}, lambda: log(copy))


def test_uwsgi_without_threads_says_that_nothing_changes(start: Start, copy: Path) -> None:
    needs("uwsgi")
    port = free_port()
    start(*(word.replace("ADDRESS", f"127.0.0.1:{port}") for word in UWSGI), "--module=flask_app:app")
    seen(port, 1)
    assert "the settings stay as they are: give it `enable-threads`" in log(copy)


def test_celerys_prefork_pool_goes_on(start: Start, copy: Path) -> None:
    (copy / "queue").mkdir()
    change(copy, "GREETING=hello\nBROKER_URL=filesystem://\n")
    start("celery", "-A", "celery_app", "worker", "--pool=prefork", "--concurrency=2", "--without-gossip")

    def greet(name: str) -> str:
        call = f"from celery_app import greet; greet.delay({name!r})"
        start(sys.executable.rpartition("/")[2], "-c", call).wait(60)
        path = copy / f"greeted-{name}.txt"
        until(lambda: path.exists() and bool(path.read_text()), lambda: log(copy))
        return path.read_text().rpartition(" ")[0]

    assert greet("ann") == "hello"
    change(copy, "GREETING=good day\nBROKER_URL=filesystem://\n")
    number = iter(range(1000))
    until(lambda: greet(f"bob-{next(number)}") == "good day", lambda: log(copy))


@pytest.fixture(scope="module")
def database(bao: Bao) -> Iterator[int]:
    """A database whose users live for nine seconds at most."""
    with run_rotating(bao, "live") as port:
        bao.put("shop/production", {"GREETING": "hello", "DB_PORT": port})
        yield port


@pytest.mark.usefixtures("database")
def test_database_credentials_rotate_and_no_request_fails(start: Start, copy: Path, bao: Bao) -> None:
    manifest = (copy / "confsvc.toml").read_text()
    (copy / "confsvc.toml").write_text(manifest.replace("vault://database/", "vault://live/"))
    environ = {"CONFSVC_ENV": "production", "VAULT_ADDR": bao.address, "VAULT_TOKEN": ROOT}
    ports = free_port(), free_port()
    start("uvicorn", "fastapi_app:app", f"--port={ports[0]}", "--log-level=warning", **environ)
    start("gunicorn", "--workers=1", f"--bind=127.0.0.1:{ports[1]}", "django_site.wsgi", **environ)
    users: dict[int, set[str]] = {port: set() for port in ports}

    def ask() -> bool:
        for port, found in users.items():
            if said := get(port, "/user"):
                found.add(said["user"])
        return all(len(found) >= 3 for found in users.values())

    until(ask, lambda: f"{users} {log(copy)}")
    assert users[ports[0]].isdisjoint(users[ports[1]])
    assert "Traceback" not in log(copy)
    bao.call("PUT", "sys/leases/revoke-prefix/live/creds/app")  # all at once, and nobody was told
    before = {port: len(found) for port, found in users.items()}

    def is_back() -> bool:
        with contextlib.suppress(urllib.error.HTTPError):  # what was under way when they were taken away
            ask()
        return all(len(found) > before[port] for port, found in users.items())

    until(is_back, lambda: log(copy))
