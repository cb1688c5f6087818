"""`confsvc render --watch`: files that stay fresh, and pages for probes."""

import http.client
import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from confsvc.testing import find_leaks
from running import Project
from supervised import Running, until

MANIFEST = """
[settings]
PORT = { type = "int" }
TOKEN = { secret = true, default = "none" }
[environments.development]
sources = ["dotenv://.env"]
"""
PACE = ("--debounce=50ms", "--min-interval=0")

Start = Callable[..., Running]


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with one environment."""
    project.manifest(MANIFEST, env="PORT=1\n")
    return project


@pytest.fixture
def start(shop: Project) -> Iterator[Start]:
    """A function that runs `confsvc render --watch`."""
    begun: list[Running] = []

    def begin(*options: str) -> Running:
        begun.append(Running(shop, ["render", "--to", "out", "--watch=200ms", *PACE, *options]))
        return begun[-1]

    yield begin
    for running in begun:
        running.close()


def set_env(project: Project, text: str) -> None:
    (project.folder / "next").write_text(text)
    os.replace(project.folder / "next", project.folder / ".env")


def file(shop: Project, name: str = "PORT") -> str:
    return (shop.folder / "out" / name).read_text()


def address(running: Running) -> str:
    """Return where the pages are."""
    running.says("/readyz")
    found = re.search(r"http://[^/]+", running.err)
    assert found
    return found[0]


def page(url: str) -> tuple[int, dict[str, object]]:
    host, _, path = url.removeprefix("http://").partition("/")
    with closing(http.client.HTTPConnection(host, timeout=20)) as connection:
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        return answer.status, json.load(answer)


def test_a_change_makes_the_files_new_and_a_bad_one_does_not(shop: Project, start: Start, canary: str) -> None:
    running = start()
    running.says("rendered 2 settings of development into `out`; watching")
    assert file(shop) == "1"
    set_env(shop, f"PORT=2\nTOKEN={canary}\n")
    running.says("PORT, TOKEN changed: the files are new")
    assert (file(shop), file(shop, "TOKEN")) == ("2", canary)
    set_env(shop, f"PORT={canary}\n")
    running.says("the new settings are not valid; the files stay as they are")
    assert (file(shop), file(shop, "TOKEN")) == ("2", canary)
    assert find_leaks(canary, running.out, running.err) == []


def test_probes_are_answered(shop: Project, start: Start) -> None:
    running = start("--health-address", "127.0.0.1:0")
    base = address(running)
    until(lambda: page(f"{base}/readyz")[0] == 200)
    assert page(f"{base}/readyz")[1] == {"status": "ready", "rejected": False, "outage": False}
    assert page(f"{base}/healthz") == (200, {"status": "alive"})
    assert page(f"{base}/metrics?a=b") == (404, {"status": "no such page"})
    set_env(shop, "PORT=x\n")
    until(lambda: page(f"{base}/readyz")[1]["rejected"] is True)
    assert page(f"{base}/readyz")[0] == 200  # the old set is whole and valid
    set_env(shop, "PORT=1\n")
    until(lambda: page(f"{base}/readyz")[1]["rejected"] is False)


def test_it_is_not_ready_before_the_files_are_there(shop: Project, start: Start) -> None:
    with closing(socket.socket()) as silent:  # a store that never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        manifest = MANIFEST.replace("dotenv://.env", "vault://secret/shop")
        manifest += f'[backends.vault]\naddress = "http://127.0.0.1:{silent.getsockname()[1]}"\n'
        shop.manifest(manifest)
        shop.environ["VAULT_TOKEN"] = "none"
        running = start("--health-address", "127.0.0.1:0", "--timeout=60s")
        base = address(running)
        assert page(f"{base}/readyz") == (503, {"status": "starting"})
        assert page(f"{base}/healthz")[0] == 200
        running.send(signal.SIGTERM)
        assert running.status() == 128 + signal.SIGTERM


def test_a_client_that_says_nothing_keeps_nobody_waiting(start: Start) -> None:
    running = start("--health-address", "127.0.0.1:0")
    base = address(running)
    host, _, port = base.removeprefix("http://").rpartition(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(20)]
    assert page(f"{base}/healthz")[0] == 200
    idle[0].sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
    assert page(f"{base}/healthz")[0] == 200
    for connection in idle:
        connection.close()


def test_files_that_cannot_be_written_are_tried_again(shop: Project, start: Start) -> None:
    running = start("--health-address", "127.0.0.1:0")
    base = address(running)
    running.says("watching")
    (shop.folder / "out" / "PORT").unlink()
    (shop.folder / "out" / "PORT").write_text("planted")
    set_env(shop, "PORT=2\n")
    running.says("the new settings cannot be written; the files stay as they are")
    assert page(f"{base}/readyz")[1]["rejected"] is True
    (shop.folder / "out" / "PORT").unlink()
    running.says("PORT changed: the files are new")
    assert file(shop) == "2"
    assert running.err.count("cannot be written") == 1


def test_a_template_follows_too(shop: Project, start: Start) -> None:
    (shop.folder / "app.j2").write_text("port={{ 100 // (PORT | int) }}\n")
    running = start("--template", "app.j2:app.ini")
    running.says("watching")
    assert file(shop, "app.ini") == "port=100\n"
    set_env(shop, "PORT=0\n")
    running.says("line 1: it divides by zero")
    assert (file(shop, "app.ini"), file(shop)) == ("port=100\n", "1")
    set_env(shop, "PORT=50\n")
    running.says("PORT changed: the files are new")
    assert (file(shop, "app.ini"), file(shop)) == ("port=2\n", "50")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_the_files_stay(number: int, shop: Project, start: Start) -> None:
    running = start()
    running.says("watching")
    running.send(number)
    assert running.status() == 128 + number
    assert file(shop) == "1"


def test_a_first_set_that_is_not_valid_ends_it(shop: Project) -> None:
    set_env(shop, "PORT=x\n")
    assert shop.run("render", "--to", "out", "--watch").status == 65


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("--health-address", "127.0.0.1:1"), 64, "needs --watch"),
        (("--debounce", "1s"), 64, "--debounce needs --watch"),
        (("--watch", "--health-address", "127.0.0.1"), 64, "takes HOST:PORT"),
        (("--watch", "--health-address", "127.0.0.1:70000"), 64, "takes HOST:PORT"),
        (("--watch", "--health-address", "192.0.2.1:80"), 73, "cannot be listened at: cannot assign"),
        (("--watch", "--health-address", "no.such.host.invalid:80"), 73, "cannot be listened at"),
    ],
)
def test_what_makes_no_sense_is_refused(options: tuple[str, ...], status: int, message: str, shop: Project) -> None:
    done = shop.run("render", "--to", "out", *options)
    assert done.status == status
    assert message in done.err


def test_an_address_in_use_says_so(shop: Project) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = shop.run("render", "--to", "out", "--watch", "--health-address", f"127.0.0.1:{port}")
    assert (done.status, f"`127.0.0.1:{port}` cannot be listened at: address already in use" in done.err) == (73, True)
