"""What an agent saves, and what it costs: `python tests/benchmarks/agent.py [--long]`.

Starts through an agent in turn with a bare Python of the same run; a thousand cold starts at once, and thousands of raw
clients; an outage; memory at rest and after many requests; beside it OpenBao's own agent, and hvac. ``--long`` asks ten
million times. The limits are what the numbers are held to; compare rows of one run only.
"""

import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import HTTPError

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from aws import ENVIRON, REGION, run_moto
from counting import Counting, run_counting
from gcp import PROJECT, run_drongo
from openbao import ROOT, Bao, run_bao
from racing import give_up_after
from usage import resident

SCRIPTS = Path(sysconfig.get_path("scripts"))
CONFSVC = str(SCRIPTS / "confsvc")
PYTHON = sys.executable
TYPES = ("str", "int", "bool", "url", "float", "port", "host", "duration", "list[str]", "email")
VALUES = (
    "plain text",
    "42",
    "true",
    "https://example.com/a",
    "0.5",
    "8080",
    "db.internal",
    "5m",
    "a,b,c",
    "a@b.example",
)
REQUEST = b"GET /v1/settings?environment=production HTTP/1.1\r\nHost: x\r\n\r\n"
ONCE = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
COLD, RAW, CLIENTS, OUTAGE = 1000, 5000, 64, 500
BRIEF, LONG = 300_000, 10_000_000
BAO_AGENT = """
vault {{ address = "{address}" }}
auto_auth {{ method "token_file" {{ config = {{ token_file_path = "{folder}/token" }} }} }}
env_template "S" {{
  contents = "{{{{ with secret \\"secret/data/app\\" }}}}{{{{ .Data.data.SETTING_0 }}}}{{{{ end }}}}"
}}
exec {{ command = ["/bin/true"] }}
"""

# What reads the same secret with the library for it, and becomes the command.
HVAC = """
import os, sys, hvac
read = hvac.Client(sys.argv[1], sys.argv[2]).secrets.kv.v2.read_secret_version("app", raise_on_deleted_version=True)
os.environ.update(read["data"]["data"])
os.execv("/bin/true", ["true"])
"""


def main() -> None:
    """Print the numbers."""
    give_up_after(1800)
    runs = 31
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("bao", "moto", "drongo"):
            (folder / name).mkdir()
        bao = stack.enter_context(run_bao(folder / "bao"))
        counting = stack.enter_context(run_counting(bao.address))
        moto, drongo = (
            stack.enter_context(run_moto(folder / "moto")),
            stack.enter_context(run_drongo(folder / "drongo")),
        )
        bao.put("app", fields(0, 10))
        moto.put_secret("app", json.dumps(fields(10, 20)))
        for name, value in fields(20, 30).items():
            drongo.put(name.lower().replace("_", "-"), value.encode())
        one, three = folder / "one", folder / "three"
        write_project(one, {"vault": f'address = "{counting.address}"'}, ["vault://secret/app"])
        bao.put("app", fields(0, 30))
        backends = {
            "vault": f'address = "{bao.address}"',
            "aws-sm": f'region = "{REGION}"\nendpoint_url = "{moto.address}"',
            "gcp-sm": f'endpoint = "{drongo.address}"\nproject = "{PROJECT}"\nauth = {{ method = "anonymous" }}',
        }
        sources = ["vault://secret/app", "aws-sm://app", f"gcp-sm://{PROJECT}/?prefix=setting-"]
        write_project(three, backends, sources)
        environ = {"VAULT_TOKEN": ROOT, **ENVIRON}
        cold_starts(one, environ, counting)
        starts(one, environ, "one backend", runs)
        with agent(three, environ) as process:
            time.sleep(1.0)
            show("at rest, three backends", resident(process.pid), "MiB", 70)
        starts(three, environ, "three backends", runs)
        serving(one, environ, LONG if "--long" in sys.argv else BRIEF)
        peers(folder, bao)
        outages(one, environ, folder)


def fields(first: int, last: int) -> dict[str, str]:
    """Return settings by their names."""
    return {f"SETTING_{n}": VALUES[n % 10] for n in range(first, last)}


def write_project(folder: Path, backends: Mapping[str, str], sources: Sequence[str]) -> None:
    """Write a manifest of 30 settings."""
    folder.mkdir(exist_ok=True)
    settings = "".join(f'SETTING_{n} = {{ type = "{TYPES[n % 10]}" }}\n' for n in range(30))
    tables = "".join(f"[backends.{name}]\n{options}\n" for name, options in backends.items())
    listed = ", ".join(f'"{source}"' for source in sources)
    text = f"[settings]\n{settings}{tables}[environments.production]\nsources = [{listed}]\n"
    (folder / "confsvc.toml").write_text(text)


def show(what: str, number: float, unit: str, limit: float) -> None:
    """Print a number beside its limit."""
    print(f"{what:58}{number:>9.2f} {unit:<22}(limit {limit:g}){'' if number <= limit else '  OVER'}", flush=True)


@contextmanager
def agent(
    folder: Path, environ: Mapping[str, str], *argv: str, wait: bool = True
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run an agent in ``folder``."""
    command = [CONFSVC, "agent", "-q", "--socket", str(folder / "agent.sock"), *argv]
    base = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env={**base, **environ}, stderr=log)
    try:
        end = time.monotonic() + 120
        while not (answered(folder) if wait else listens(folder)):
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"the agent does not start: {(folder / 'agent.log').read_text()[-1000:]}")
            time.sleep(0.01)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def listens(folder: Path) -> bool:
    """Whether somebody can connect to the agent."""
    with socket.socket(socket.AF_UNIX) as connection:
        return not connection.connect_ex(str(folder / "agent.sock"))


def answered(folder: Path) -> bool:
    """Whether the agent is ready."""
    try:
        return b" 200 " in ask(folder, b"GET /readyz HTTP/1.0\r\n\r\n")
    except OSError:
        return False


def ask(folder: Path, request: bytes) -> bytes:
    """Ask once."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(folder / "agent.sock"))
        connection.sendall(request)
        heard = b""
        while part := connection.recv(1 << 16):
            heard += part
    return heard


def client_environ(folder: Path) -> dict[str, str]:
    """Return what a client is started with."""
    return {"PATH": os.environ["PATH"], "CONFSVC_AGENT_SOCKET": str(folder / "agent.sock")}


def timed(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> float:
    """Return the seconds that a process takes."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environ, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def starts(folder: Path, environ: Mapping[str, str], what: str, runs: int) -> None:
    """Compare starts through an agent with a bare Python of the same moment."""
    mine = client_environ(folder)
    plain = [PYTHON, "-c", "pass"]
    script = folder / "confsvc"  # as pip has written it since 25, and uv: without importing `re`
    script.write_text(f"#!{PYTHON}\nimport sys\nfrom confsvc.__main__ import main\nsys.exit(main())\n")
    script.chmod(0o755)
    cases = {
        "the script": [CONFSVC, "exec", "--", "/bin/true"],
        "a newer script": [str(script), "exec", "--", "/bin/true"],
    }
    with agent(folder, environ):
        for name, command in cases.items():
            ratios = []
            times = []
            for number in range(runs + 1):
                floor, time_of = timed(plain, folder, mine), timed(command, folder, mine)
                if number:
                    ratios.append(time_of / floor)
                    times.append(time_of)
            label = f"warm start, 30 settings, {what}, {name} ({statistics.median(times) * 1000:.1f} ms)"
            show(label, statistics.median(ratios), "times a bare python", 2.0)


def cold_starts(folder: Path, environ: Mapping[str, str], counting: Counting) -> None:
    """Start many real processes at once through an agent that has just begun, and as many bare Pythons."""
    mine = client_environ(folder)
    floor, _ = at_once([PYTHON, "-c", "pass"], folder, mine)
    before = counting.asked["GET /v1/secret/data/app"]
    with agent(folder, environ, wait=False):
        seconds, failed = at_once([CONFSVC, "exec", "--", "/bin/true"], folder, mine)
    show(f"{COLD} cold starts at once ({seconds / floor:.2f} times as many bare Pythons)", seconds, "s", 15)
    show("  of them that failed, or went another way", failed, "", 0)
    show("  reads of the document", counting.asked["GET /v1/secret/data/app"] - before, "", 1)


def at_once(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> tuple[float, int]:
    """Start `COLD` processes; return the seconds until all have ended, and how many failed or had something to say."""
    said = folder / "said.log"
    said.unlink(missing_ok=True)
    to_file = [(os.POSIX_SPAWN_OPEN, 2, str(said), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)]
    os.chdir(folder)
    began = time.perf_counter()
    running = [os.posix_spawn(command[0], list(command), environ, file_actions=to_file) for _ in range(COLD)]
    failed = sum(os.waitpid(one, 0)[1] != 0 for one in running)
    seconds = time.perf_counter() - began
    os.chdir("/")
    return seconds, failed + len(said.read_text().splitlines())


def serving(folder: Path, environ: Mapping[str, str], requests: int) -> None:
    """Measure the server by itself, with clients in processes of their own."""
    path = str(folder / "agent.sock")
    with agent(folder, environ) as process:
        began = time.perf_counter()
        done = subprocess.run([PYTHON, __file__, "crowd", path, str(RAW)], capture_output=True, check=True)
        show(f"{RAW} raw clients", time.perf_counter() - began, "s", 3)
        show("  of them that were not answered", RAW - int(done.stdout), "", 0)
        for _ in range(5_000):
            ask(folder, ONCE)
        before = resident(process.pid)
        done = subprocess.run([PYTHON, __file__, "load", path, str(requests)], capture_output=True, check=True)
        seconds, median, slow = (float(word) for word in done.stdout.split())
        how = f"{requests / seconds:,.0f}/s, median {median * 1000:.2f} ms"
        show(f"{requests} requests by {CLIENTS} clients ({how}), p99", slow * 1000, "ms", 5)
        show("  growth", resident(process.pid) - before, "MiB", 5)


def crowd(path: str, count: int) -> None:
    """Connect ``count`` times, sixteen at once, and print how often there was an answer."""
    good = []

    def work(number: int) -> None:
        for _ in range(number):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(60)
                connection.connect(path)
                connection.sendall(ONCE)
                heard = b""
                while part := connection.recv(1 << 16):
                    heard += part
                if b" 200 OK" in heard[:20]:
                    good.append(number)

    threads = [threading.Thread(target=work, args=(count // 16 + (n < count % 16),)) for n in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    print(len(good))


def load(path: str, count: int) -> None:
    """Keep `CLIENTS` connections busy, and print seconds, and the median and the 99th percentile of a request."""
    poll = selectors.DefaultSelector()
    sent: dict[int, float] = {}
    times: list[float] = []
    heard: dict[int, bytearray] = {}
    size = 0
    for _ in range(CLIENTS):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        poll.register(connection, selectors.EVENT_READ, connection)
        heard[connection.fileno()] = bytearray()
        sent[connection.fileno()] = time.perf_counter()
        connection.sendall(REQUEST)
    began = time.perf_counter()
    done = 0
    while done < count:
        for key, _ in poll.select(60) or sys.exit("the agent does not answer"):
            buffer = heard[key.fd]
            buffer += key.data.recv(1 << 16) or sys.exit("the agent has hung up")
            if not size and b"\r\n\r\n" in buffer:
                head, _, _ = bytes(buffer).partition(b"\r\n\r\n")
                size = len(head) + 4 + int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            if size and len(buffer) >= size:
                now = time.perf_counter()
                if done % 16 == 0:
                    times.append(now - sent[key.fd])
                done += 1
                buffer.clear()
                sent[key.fd] = now
                key.data.sendall(REQUEST)
    seconds = time.perf_counter() - began
    times.sort()
    print(seconds, times[len(times) // 2], times[len(times) * 99 // 100])


def peers(folder: Path, bao: Bao) -> None:
    """Compare with the process supervisor of OpenBao's agent, and with a program that uses hvac."""
    one = folder / "one"
    (folder / "token").write_text(ROOT)
    (folder / "agent.hcl").write_text(BAO_AGENT.format(address=bao.address, folder=folder))
    mine = client_environ(one)
    theirs = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    command = [str(SCRIPTS / "bao"), "agent", f"-config={folder / 'agent.hcl'}", "-log-level=error"]
    with agent(one, {"VAULT_TOKEN": ROOT}):
        ours = statistics.median(timed([CONFSVC, "exec", "--", "/bin/true"], one, mine) for _ in range(9))
    other = statistics.median(timed_any(command, folder, theirs) for _ in range(3))
    show(f"bao agent, a start ({other * 1000:.0f} ms): ours as a part of it", ours / other, "", 0.2)
    program = [PYTHON, "-c", HVAC, bao.address, ROOT]
    other = statistics.median(timed(program, folder, theirs) for _ in range(9))
    show(f"hvac, a start ({other * 1000:.0f} ms): ours as a part of it", ours / other, "", 0.2)


def timed_any(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> float:
    """Return the seconds that a process takes, whatever it ends with."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environ, check=False, capture_output=True)
    return time.perf_counter() - began


def outages(folder: Path, environ: Mapping[str, str], scratch: Path) -> None:
    """Start while the store refuses, or says nothing, with what the cache kept: what that adds to a start.

    A start is held against a bare Python of the same moment, and that against the same while all is well.
    """
    kept = {**environ, "CONFSVC_CACHE_DIR": str(folder / "cache")}
    (scratch / "own").mkdir()
    with run_bao(scratch / "own") as own:
        put_soon(own, fields(0, 30))
        write_project(folder, {"vault": f'address = "{own.address}"'}, ["vault://secret/app"])
        with agent(folder, kept):
            usual = statistics.median(mine / floor for mine, floor in pairs(folder, 31))
        port = own.port
    with agent(folder, kept, wait=False):
        added = sorted(mine - usual * floor for mine, floor in pairs(folder, OUTAGE))
    show(f"store refuses, {OUTAGE} starts, added, p95", added[len(added) * 95 // 100] * 1000, "ms", 150)
    with socket.socket() as hole:  # takes connections, and never says a word
        hole.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        hole.bind(("127.0.0.1", port))
        hole.listen(64)
        with agent(folder, kept, wait=False):
            first, *others = [mine - usual * floor for mine, floor in pairs(folder, 101)]
    show("store says nothing, first start, added", first, "s", 2.7)
    show("  the others, added, p95", sorted(others)[95] * 1000, "ms", 100)


def put_soon(bao: Bao, settings: Mapping[str, str]) -> None:
    """Store the settings, once a server that has just begun takes them."""
    for _ in range(50):
        try:
            bao.put("app", settings)
        except HTTPError as error:
            error.close()
            time.sleep(0.1)
        else:
            return


def pairs(folder: Path, count: int) -> list[tuple[float, float]]:
    """Return what each of ``count`` starts took, and a bare Python right before it."""
    mine, found = client_environ(folder), []
    for _ in range(count):
        floor = timed([PYTHON, "-c", "pass"], folder, mine)
        found.append((timed([CONFSVC, "exec", "--", "/bin/true"], folder, mine), floor))
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["crowd"]:
        crowd(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1:2] == ["load"]:
        load(sys.argv[2], int(sys.argv[3]))
    else:
        main()
