"""The agent on its socket: who is answered, what, and what is not."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import jsonschema
import pytest

from agents import Agent, Said, ask_raw, run_agent
from certificates import Authority
from openbao import missing
from running import CONFSVC, Project

MANIFEST = """
project = "shop"
[settings]
PORT = { type = "port" }
TOKEN = { secret = true }
[environments.production]
sources = ["dotenv://.env"]
[environments.staging]
sources = ["dotenv://.env"]
"""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
NOBODY = 65534


@pytest.fixture
def shop(project: Project, canary: str) -> Project:
    project.manifest(MANIFEST, env=f"PORT=80\nTOKEN={canary}\nOTHER=undeclared\n")
    return project


@pytest.fixture
def agent(shop: Project) -> Iterator[Agent]:
    with run_agent(shop, "-e", "production") as made:
        yield made


def test_the_settings_of_one_environment_are_served_as_json(agent: Agent, shop: Project, canary: str) -> None:
    said = agent.get("/v1/settings")
    assert said.status == 200
    assert said.fields["content-type"] == "application/json"
    assert said.fields["cache-control"] == "no-store"
    assert said.data["environment"] == "production"
    assert said.data["manifest"] == str(shop.folder / "confsvc.toml")
    assert {name: one["text"] for name, one in said.data["settings"].items()} == {"PORT": "80", "TOKEN": canary}
    assert said.data["settings"]["TOKEN"]["secret"] is True


def test_curl_can_ask(agent: Agent) -> None:
    if shutil.which("curl") is None:
        missing("curl", "apt-get install curl")
    done = subprocess.run(
        ["curl", "-sS", "--unix-socket", agent.path, "http://localhost/v1/settings?environment=production"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert json.loads(done.stdout)["settings"]["PORT"]["text"] == "80"


@pytest.mark.parametrize(
    ("target", "method", "status", "code"),
    [
        ("/v1/settings?environment=staging", "GET", 409, "environment"),
        ("/v1/settings?environment=", "GET", 409, "environment"),
        ("/v1/settings?identity=0", "GET", 409, "manifest"),
        ("/v1/documents?max_age=soon", "GET", 400, "query"),
        ("/v1/secret/vault", "GET", 404, "path"),
        ("/settings", "GET", 404, "path"),
        ("/v1/settings", "DELETE", 405, "method"),
        ("/v1/settings?wait=1&wait=2", "GET", 400, "request"),
    ],
)
def test_anything_else_is_refused(agent: Agent, target: str, method: str, status: int, code: str) -> None:
    said = agent.get(target, method)
    assert (said.status, said.data["error"]["code"]) == (status, code)


def test_what_is_no_request_is_refused_and_hung_up_on(agent: Agent) -> None:
    line = b"GET /v1/settings HTTP/1.1\r\n"
    for request, status in (
        (b"hello\r\n\r\n", 400),
        (b"GET /v1/settings HTTP/2.0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (line + b"Content-Length: 5\r\n\r\nhello", 413),
        (line + b"Transfer-Encoding: chunked\r\n\r\n", 413),
        (line + b"Host: a\r\nHost: b\r\n\r\n", 400),
        (line + b"A: b\r\n" * 10 + b"\r\n", 400),
        (line + b"".join(b"A%d: b\r\n" % n for n in range(100)) + b"\r\n", 431),
        (line + b"A: " + b"b" * 100_000, 431),
    ):
        assert Said(ask_raw(agent.path, request)).status == status, request[:60]
    assert agent.get("/v1/settings").status == 200


def test_a_connection_is_kept_and_requests_may_come_in_pieces_or_together(agent: Agent) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(agent.path)
        for byte in request:
            connection.sendall(bytes([byte]))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        connection.sendall(request * 3)
        heard = b""
        while heard.count(b'"alive"') < 3:
            heard += connection.recv(4096)
    assert heard.count(b"HTTP/1.1 200 OK") == 3
    head = agent.get("/v1/settings", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.fields["content-length"]) > 100


def test_who_drips_is_hung_up_on_and_holds_up_nobody(agent: Agent) -> None:
    drips = [socket.socket(socket.AF_UNIX) for _ in range(200)]
    try:
        for one in drips:
            one.connect(agent.path)
            one.sendall(b"GET /v1/settings HTTP/1.1\r\nX: ")
        assert agent.get("/v1/settings").status == 200
        drips[-1].setblocking(False)
        with pytest.raises(BlockingIOError):  # it was not hung up on for us to be answered
            drips[-1].recv(10)
        drips[0].settimeout(20)
        assert drips[0].recv(10) == b""
    finally:
        for one in drips:
            one.close()
    assert 'reason="slow"' in agent.get("/metrics").body.decode()


def test_more_connections_than_there_can_be_shed_who_only_waits(shop: Project) -> None:
    command = ["bash", "-c", f"ulimit -n 80; exec {CONFSVC} agent -e production --socket run/agent.sock"]
    (shop.folder / "run").mkdir(mode=0o700)
    with (shop.folder / "agent-0.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=shop.folder, env=shop.environ, stderr=log)
    agent = Agent(process, str(shop.folder / "run" / "agent.sock"), shop.folder / "agent-0.log")
    idle = []
    try:
        agent.wait()
        for _ in range(150):
            one = socket.socket(socket.AF_UNIX)
            one.connect(agent.path)
            idle.append(one)
        for _ in range(20):
            assert agent.get("/v1/settings").status == 200
    finally:
        for one in idle:
            one.close()
        process.kill()
        process.wait(20)


def test_a_file_that_was_just_changed_is_never_served_as_it_was(agent: Agent, shop: Project) -> None:
    for port in range(1000, 1010):
        (shop.folder / ".env").write_text(f"PORT={port}\nTOKEN=x\n")  # the same file, of the same size
        said = agent.get("/v1/settings")
        assert said.data["settings"]["PORT"]["text"] == str(port)


def test_who_waits_for_the_next_set_gets_it_and_else_hears_that_there_is_none(agent: Agent, shop: Project) -> None:
    generation = agent.get("/v1/settings").data["generation"]
    assert agent.get(f"/v1/settings?after={generation}&wait=0.1").status == 304
    page = f"/v1/settings?after={generation}&wait=40"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(40)
        connection.connect(agent.path)
        connection.sendall(f"GET {page} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        heard = connection.recv(1 << 16)
        shop.swap(".env", "PORT=81\nTOKEN=x\n")  # now that it is known that somebody waits
        while part := connection.recv(1 << 16):
            heard += part
    said = Said(heard)
    assert said.early
    assert said.data["settings"]["PORT"]["text"] == "81"


def test_a_set_that_is_not_valid_is_not_served_until_it_is(agent: Agent, shop: Project, canary: str) -> None:
    shop.swap(".env", f"PORT={canary}\nTOKEN=x\n")
    said = agent.get("/v1/settings")
    assert (said.status, said.data["error"]["code"]) == (503, "refused")
    assert agent.get("/readyz").data == {"status": "starting", "outage": False, "refused": True}
    done = shop.run("exec", "-e", "production", "--", "true", env=agent.environ)
    assert done.status == 65  # as it is without an agent
    shop.swap(".env", "PORT=82\nTOKEN=x\n")
    assert agent.get("/v1/settings").data["settings"]["PORT"]["text"] == "82"
    assert canary not in json.dumps(agent.log)


def test_the_manifest_is_read_anew_when_it_changes_and_a_wrong_one_changes_nothing(agent: Agent, shop: Project) -> None:
    shop.swap("confsvc.toml", MANIFEST + "[nonsense]\n")
    agent.until("not reloaded")
    assert agent.get("/v1/settings").status == 200
    assert agent.events("not reloaded")[0]["problems"][0]["place"].startswith("confsvc.toml:")
    shop.swap("confsvc.toml", MANIFEST.replace("TOKEN =", "OTHER = {}\nTOKEN ="))
    agent.until("ready", 2)
    assert agent.get("/v1/settings").data["settings"]["OTHER"]["text"] == "undeclared"
    agent.process.send_signal(signal.SIGHUP)
    agent.until("ready", 3)
    assert 'reloads_total{result="failed"} 1' in agent.get("/metrics").body.decode()


def test_who_comes_with_a_changed_manifest_is_sent_away_until_it_was_read(agent: Agent, shop: Project) -> None:
    shop.swap("confsvc.toml", MANIFEST.replace("TOKEN =", "OTHER = {}\nTOKEN ="))
    done = shop.run("exec", "-e", "production", "--", "sh", "-c", "echo $OTHER", env=agent.environ)
    assert (done.status, done.out, done.err) == (0, "undeclared\n", "")


def test_a_second_agent_on_the_same_socket_refuses_and_one_that_was_killed_is_succeeded(
    agent: Agent, shop: Project
) -> None:
    second = shop.run("agent", "-e", "production", "--socket", agent.path)
    assert (second.status, "another agent does" in second.err) == (73, True)
    assert agent.get("/v1/settings").status == 200
    agent.stop(signal.SIGKILL)
    assert Path(agent.path).exists()
    with run_agent(shop, "-e", "production") as heir:
        assert heir.get("/v1/settings").status == 200
    assert agent.path == heir.path


def test_what_is_there_and_no_socket_of_ours_is_left_alone(shop: Project) -> None:
    (shop.folder / "run").mkdir(mode=0o700)
    (shop.folder / "run" / "agent.sock").write_text("precious")
    done = shop.run("agent", "-e", "production", "--socket", "run/agent.sock")
    assert (done.status, "no socket of this user" in done.err) == (73, True)
    assert (shop.folder / "run" / "agent.sock").read_text() == "precious"
    (shop.folder / "open").mkdir()
    (shop.folder / "open").chmod(0o777)
    done = shop.run("agent", "-e", "production", "--socket", "open/agent.sock")
    assert (done.status, "others can write into it" in done.err) == (73, True)


def test_it_ends_with_a_signal_and_leaves_no_socket(agent: Agent) -> None:
    assert agent.stop() == 0
    assert not Path(agent.path).exists()
    assert agent.log[-1]["event"] == "stopped"


@AS_ROOT
def test_other_users_are_hung_up_on_unless_they_are_let_in(shop: Project) -> None:
    asking = (
        f"import os, sys, socket; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); s = socket.socket(1);"
        "s.connect(sys.argv[1]); s.sendall(b'GET /v1/settings HTTP/1.0\\r\\n\\r\\n'); print(len(s.recv(1 << 16)) > 0)"
    )

    def asked(agent: Agent) -> str:
        Path(agent.path).chmod(0o666)
        command = [sys.executable, "-c", asking, agent.path]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.strip()

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = f"{folder}/agent.sock"
        with run_agent(shop, "-e", "production", path=path) as agent:
            assert asked(agent) != "True"
            assert [line["uid"] for line in agent.events("refused")] == [NOBODY]
            agent.stop()
        for option in ("--allow-uid", "--allow-gid"):
            with run_agent(shop, "-e", "production", option, str(NOBODY), path=path) as agent:
                assert asked(agent) == "True"
                agent.stop()


def test_a_socket_that_systemd_listens_at_is_taken_over(shop: Project) -> None:
    path = str(shop.folder / "handed.sock")
    code = (
        "import os, socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(8)\n"
        "os.dup2(s.fileno(), 3); os.set_inheritable(3, True)\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
        "os.execv(sys.argv[2], [sys.argv[2], 'agent', '-e', 'production'])\n"
    )
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(shop.folder / "notify"))
    told.settimeout(30)
    log = shop.folder / "agent-0.log"
    with log.open("wb") as stream, told:
        environ = {**shop.environ, "NOTIFY_SOCKET": str(shop.folder / "notify")}
        process = subprocess.Popen(
            [sys.executable, "-c", code, path, CONFSVC], cwd=shop.folder, env=environ, stderr=stream
        )
        try:
            assert told.recv(100) == b"READY=1"
            agent = Agent(process, path, log)
            assert agent.get("/v1/settings").status == 200
            assert agent.stop() == 0
            assert told.recv(100) == b"STOPPING=1"
            assert Path(path).exists()  # it is systemd's
        finally:
            process.kill()
            process.wait(20)


def test_nothing_that_it_says_holds_a_value(shop: Project, canary: str) -> None:
    with run_agent(shop, "-e", "production", "-v") as agent:
        shop.swap(".env", f"PORT={canary}\nTOKEN={canary}\n")
        agent.get("/v1/settings")
        shop.swap(".env", f"PORT=81\nTOKEN={canary}\n")
        assert canary in agent.get("/v1/settings").body.decode()
        pages = [agent.get(page).body.decode() for page in ("/metrics", "/healthz", "/readyz", "/v1/versions")]
        command_line = Path(f"/proc/{agent.process.pid}/cmdline").read_text()
        agent.stop()
        assert len(agent.log) > 6
        assert canary not in "".join([json.dumps(agent.log), command_line, *pages])
        assert "TOKEN" not in pages[0]


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["-e", "nowhere"], 78, "unknown environment"),
        ([], 64, "which environment?"),
        (["-e", "production", "--interval", "0.1s"], 64, "at least 1s"),
        (["-e", "production", "--allow-uid", "me"], 64, "--allow-uid takes a number"),
        (["-e", "production", "--listen", "127.0.0.1:0"], 64, "--listen needs --token-file"),
        (["-e", "production", "--token-file", ".env"], 64, "need --listen"),
        (["-e", "production", "--listen", "127.0.0.1:0", "--token-file", ".env"], 64, "for nobody else to read"),
        (["-e", "production", "--listen", "0.0.0.0:0", "--token-file", "token"], 64, "for loopback alone"),
        (["-e", "production", "--socket", ""], 64, "--socket names nothing"),
        (["-e", "production", "--socket", "a" * 200], 73, "too long for a socket: 100 bytes at most"),
    ],
)
def test_bad_orders_have_their_exit_status(shop: Project, argv: list[str], status: int, words: str) -> None:
    (shop.folder / "token").write_text("0123456789abcdef0123456789abcdef")
    (shop.folder / "token").chmod(0o400)
    (shop.folder / "run").mkdir(mode=0o700)
    done = shop.run("agent", *([] if "--socket" in argv else ["--socket", "run/agent.sock"]), *argv)
    assert (done.status, words in done.err) == (status, True), done.err


def test_settings_that_cannot_be_had_end_it_as_they_end_a_command(shop: Project) -> None:
    shop.manifest(MANIFEST, env="PORT=http\nTOKEN=x\n")
    (shop.folder / "run").mkdir(mode=0o700)
    done = shop.run("agent", "-e", "production", "--socket", "run/agent.sock")
    assert (done.status, "PORT" in done.err) == (65, True)
    assert not (shop.folder / "run" / "agent.sock").exists()


def test_the_description_says_what_the_server_says(shop: Project) -> None:
    spec = json.loads((Path(__file__).parents[2] / "docs" / "agent-openapi.json").read_text())

    def check(said: Said, path: str) -> None:
        response = spec["paths"][path]["get"]["responses"][str(said.status)]
        assert ("content" in response) == bool(said.body)
        assert {name for name in said.fields if name.startswith("confsvc-")} <= set(
            map(str.lower, response.get("headers", {}))
        )
        if "content" not in response:
            return
        (kind,) = response["content"]
        assert said.fields["content-type"].partition(";")[0] == kind
        if kind == "application/json":
            schema = {**response["content"][kind]["schema"], "components": spec["components"]}
            jsonschema.Draft202012Validator(schema).validate(said.data)

    bad = {
        400: "max_age=soon",
        409: "environment=staging",
        304: "after=1&wait=0",
    }
    with run_agent(shop, "-e", "production") as agent:
        for path, operations in spec["paths"].items():
            check(agent.get(path), path)
            if path.startswith("/v1/"):
                known = {one["name"] for one in operations["get"]["parameters"]}
                assert known >= {"environment", "identity", "after", "wait"}
                for status, query in bad.items():
                    said = agent.get(f"{path}?{query}")
                    assert said.status == status
                    check(said, path)
        check(agent.get("/v1/settings", "PUT"), "/v1/settings")
        check(Said(ask_raw(agent.path, b"GET /v1/settings HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")), "/v1/settings")
        check(Said(ask_raw(agent.path, b"GET /v1/settings HTTP/1.1\r\nX: " + b"x" * 20_000)), "/v1/settings")
        shop.swap(".env", "PORT=http\nTOKEN=x\n")
        said = agent.get("/v1/settings")
        assert said.status == 503
        check(said, "/v1/settings")
        check(agent.get("/readyz"), "/readyz")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "ca").mkdir()
    return Authority(tmp_path / "ca")


def fetch(url: str, fields: Mapping[str, str] | None = None, context: ssl.SSLContext | None = None) -> int:
    """Return the status of an answer over TCP."""
    request = urllib.request.Request(f"{url}/v1/settings", headers=dict(fields or {}))  # noqa: S310 - our own server
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=20) as answer:
            assert json.load(answer)["settings"]["PORT"]["text"] == "80"
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_over_tcp_it_wants_a_token_and_to_be_asked_directly(shop: Project) -> None:
    token = "0123456789abcdef0123456789abcdef"
    (shop.folder / "token").write_text(f"{token}\n")
    (shop.folder / "token").chmod(0o400)
    with run_agent(shop, "-e", "production", "--listen", "127.0.0.1:0", "--token-file", "token") as agent:
        url = next(line["url"] for line in agent.events("listening") if "url" in line)
        bearer = {"Authorization": f"Bearer {token}"}
        assert fetch(url, bearer) == 200
        assert fetch(url) == 401
        assert fetch(url, {"Authorization": "Bearer 0123456789abcdef0123456789abcdeg"}) == 401
        assert fetch(url, {**bearer, "Host": "rebound.example.com"}) == 403
        assert fetch(url, {**bearer, "Origin": "https://example.com"}) == 403
        assert fetch(url, {**bearer, "X-Forwarded-For": "10.0.0.1"}) == 403
        agent.stop()
        assert token not in json.dumps(agent.log)


def test_over_tls_both_sides_show_certificates(shop: Project, authority: Authority) -> None:
    chain, key = authority.issue("127.0.0.1")
    options = ["--tls-cert", str(chain), "--tls-key", str(key), "--tls-client-ca", str(authority.file)]
    with run_agent(shop, "-e", "production", "--listen", "127.0.0.1:0", *options) as agent:
        url = next(line["url"] for line in agent.events("listening") if "url" in line)
        assert url.startswith("https://")
        context = ssl.create_default_context(cafile=str(authority.file))
        with pytest.raises(OSError):  # noqa: PT011 - of several kinds, by who notices first
            fetch(url, context=context)
        context.load_cert_chain(*map(str, authority.issue("client")))
        assert fetch(url, context=context) == 200


def test_probes_may_ask_over_tcp_for_nothing_but_how_it_is(shop: Project) -> None:
    with run_agent(shop, "-e", "production", "--health-address", "127.0.0.1:0") as agent:
        url = agent.events("health")[0]["url"]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/readyz", timeout=20) as answer:
            assert json.load(answer)["status"] == "ready"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            opener.open(f"{url}/v1/settings", timeout=20)
