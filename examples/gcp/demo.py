"""One program in two environments, with its secrets in a drongo server that this script starts, fills, and stops.

Run it with the Python that confsvc is installed for, after what the README says: `python examples/gcp/demo.py`.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceRestTransport

HERE = Path(__file__).parent
PROGRAMS = str(Path(sys.executable).parent)
SECONDS = 60
PARENT = "projects/demo-project"
SECRETS = {
    "shop-log-level": b"warning",
    "shop-port": b"80",
    "database": b'{"credentials": {"password": "p@ss/word"}}',
}


def main() -> None:
    """Run the demo. Ends with an error as soon as anything is not as it should be."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name in ("confsvc.toml", "development.env", "app.py"):
            (folder / name).write_text((HERE / name).read_text().replace(":8099", f":{port}"))
        command = [f"{PROGRAMS}/drongo", "server", "-p", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
        try:
            wait(port, server)
            fill(port)
            for environment in ("development", "production"):
                show(folder, environment)
        finally:
            server.terminate()
            server.wait(SECONDS)
    print("\nthe same program ran in two environments, and its secrets stood in neither of them")


def wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Return when the server answers."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as one:
            if not one.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    sys.exit("the server did not start")


def fill(port: int) -> None:
    """Store the secrets of production, with Google's own client."""
    anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
    transport = SecretManagerServiceRestTransport(host=f"127.0.0.1:{port}", url_scheme="http", credentials=anonymous)
    client: Any = SecretManagerServiceClient(transport=transport)
    for name, data in SECRETS.items():
        client.create_secret(parent=PARENT, secret_id=name, secret={"replication": {"automatic": {}}})
        client.add_secret_version(parent=f"{PARENT}/secrets/{name}", payload={"data": data})


def show(folder: Path, environment: str) -> None:
    """Run the program in ``environment``."""
    print(f"\n=== {environment}: confsvc exec -e {environment} -- python app.py", flush=True)
    command = [f"{PROGRAMS}/confsvc", "exec", "-e", environment, "--", sys.executable, "app.py"]
    environ = {"PATH": os.environ.get("PATH", os.defpath), "NO_COLOR": "1"}
    if subprocess.run(command, cwd=folder, env=environ, check=False).returncode:
        sys.exit("that should have run")


if __name__ == "__main__":
    main()
