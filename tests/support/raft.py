"""Two real OpenBao servers that replicate: one is active, the other one stands by and follows it."""

import subprocess
import time
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from openbao import bao_program, call_bao, free_port
from supervised import until

__all__ = ["Node", "Pair", "run_pair"]


class Node:
    """One of the two."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self.port, cluster = free_port(), free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._log = folder / "bao.log"
        config = folder / "bao.hcl"
        config.write_text(
            # A leader that gets no processor for a second is still the leader.
            f'storage "raft" {{ path = "{folder}"\nnode_id = "{name}"\nperformance_multiplier = 4 }}\n'
            f'listener "tcp" {{ address = "127.0.0.1:{self.port}"\ncluster_address = "127.0.0.1:{cluster}"\n'
            f'tls_disable = true }}\napi_addr = "{self.address}"\ncluster_addr = "https://127.0.0.1:{cluster}"\n'
        )
        with self._log.open("wb") as log:
            command = [bao_program(), "server", f"-config={config}"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """Send a request, and return the JSON of the answer."""
        return call_bao(self.address, method, path, body, token=token)

    def until(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """Ask until there is a good answer, and return it."""
        end, problem = time.monotonic() + 120, ""
        while time.monotonic() < end and self.process.poll() is None:
            try:
                return self.call(method, path, body, token)
            except urllib.error.HTTPError as error:
                problem = f"{error.code} {error.read()[:300]!r}"
                error.close()
            except OSError as error:
                problem = str(error)
            time.sleep(0.1)
        pytest.fail(f"{method} {path}: {problem}\n{self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(20)


class Pair:
    """``active`` and ``standby``, with the root ``token`` of both."""

    def __init__(self, *nodes: Node) -> None:
        self.active, self.standby = nodes
        made = self.active.until("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.token, key = str(made["root_token"]), {"key": made["keys"][0]}
        self.active.until("PUT", "sys/unseal", key)
        self.active.until("GET", "sys/mounts", token=self.token)
        self.standby.until("POST", "sys/storage/raft/join", {"leader_api_addr": self.active.address})
        until(lambda: not self.standby.until("PUT", "sys/unseal", key)["sealed"])
        self.active.until("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, self.token)
        self.standby.until("GET", "sys/internal/ui/mounts/secret", token=self.token)

    def put(self, path: str, fields: Any) -> None:
        """Store a secret, at the active node."""
        self.active.until("POST", f"secret/data/{path}", {"data": fields}, self.token)


@contextmanager
def run_pair(folder: Path) -> Iterator[Pair]:
    """Run both."""
    with ExitStack() as stack:
        nodes = []
        for name in ("one", "two"):
            nodes.append(Node(folder / name, name))
            stack.callback(nodes[-1].kill)
        yield Pair(*nodes)
