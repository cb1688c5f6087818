"""The main job: one unchanged artifact in two environments, and the refusal to start half-configured.

Run it with the Python that confsvc is installed for; `make demo` at the top of the repository does.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CONFSVC = str(Path(sys.executable).parent / "confsvc")
SECONDS = 60
# The service is on this machine: a proxy of the environment is not to be asked for it.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> None:
    """Run the demo. Ends with an error as soon as anything is not as it should be."""
    digests = {show(environment) for environment in ("development", "production")}
    if len(digests) != 1:
        sys.exit("the two environments did not run the same artifact")
    refuse()
    print("\nthe same artifact ran in two environments, and did not start half-configured")


def show(environment: str) -> str:
    """Run the service in ``environment``, ask it what it got, and say where from. Returns the artifact's digest."""
    digest = hashlib.sha256((HERE / "service.py").read_bytes()).hexdigest()
    print(f"\n=== {environment}: confsvc exec -e {environment} -- python service.py")
    print(f"artifact: service.py, sha256 {digest[:16]}…")
    port = free_port()
    command = [CONFSVC, "exec", "-e", environment, "--set", f"PORT={port}", "--", sys.executable, "service.py"]
    with subprocess.Popen(command, cwd=HERE, env=environ()) as service:
        try:
            answer = ask(port, service)
        finally:
            service.terminate()
    for name, value in answer["settings"].items():
        print(f"  {name:15} {value}")
    print(f"confsvc became the service: process {service.pid} started, process {answer['pid']} answered")
    if answer["pid"] != service.pid:
        sys.exit("the service is not the process that was started")
    print("and where each setting came from:")
    decided = f"PORT={port}"
    explained = subprocess.run(
        [CONFSVC, "explain", "-e", environment, "--set", decided],
        cwd=HERE,
        env=environ(),
        check=True,
        capture_output=True,
        text=True,
    )
    print(explained.stdout, end="", flush=True)
    return digest


def ask(port: int, service: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Return what the service answers, as soon as it does."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if service.poll() is not None:
            sys.exit(f"the service ended with {service.returncode}")
        try:
            with DIRECT.open(f"http://127.0.0.1:{port}/", timeout=SECONDS) as response:
                found: dict[str, Any] = json.load(response)
                return found
        except OSError:
            time.sleep(0.05)
    sys.exit("the service did not answer")


def refuse() -> None:
    """Try to start with one setting missing and one invalid: both are told at once, and nothing starts."""
    print("\n=== broken: CACHE_TTL is no duration, and DATABASE_URL is nowhere", flush=True)
    started = HERE / "started"
    command = [CONFSVC, "exec", "-e", "broken", "--", "touch", str(started)]
    started.unlink(missing_ok=True)
    done = subprocess.run(command, cwd=HERE, env=environ(), check=False, capture_output=True, text=True)
    ran = started.exists()
    started.unlink(missing_ok=True)
    print(done.stderr, end="")
    print(f"exit status {done.returncode}; the command was {'' if ran else 'not '}started")
    told = all(name in done.stderr for name in ("CACHE_TTL", "DATABASE_URL"))
    if done.returncode != os.EX_DATAERR or ran or not told:
        sys.exit("that should have been refused with 65, naming both")


def environ() -> dict[str, str]:
    """Return an environment that decides no setting by itself."""
    return {"PATH": os.environ.get("PATH", os.defpath), "NO_COLOR": "1"}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
