"""A real drongo process for tests, which speaks Secret Manager's REST API, filled by Google's own client."""

import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import secretmanager_v1
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceRestTransport

from confsvc.adapter import Backend, Deadline
from confsvc.reference import parse_reference
from confsvc_gcp.adapter import SecretManagerAdapter
from openbao import DIRECT, free_port, missing

__all__ = ["PROJECT", "Gcp", "backend_for", "fetch", "run_drongo"]

PROJECT = "shop-tests"


class Gcp:
    """A running server. ``client`` is Google's own, over HTTP."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
        transport = SecretManagerServiceRestTransport(
            host=f"127.0.0.1:{port}", url_scheme="http", credentials=anonymous
        )
        self.client: Any = secretmanager_v1.SecretManagerServiceClient(transport=transport)

    def backend(self, **options: Any) -> Backend:
        """Return a backend of the server."""
        return backend_for(self.address, **options)

    def put(self, name: str, data: bytes, project: str = PROJECT) -> str:
        """Store a secret, or its next version. Returns the version."""
        from google.api_core.exceptions import AlreadyExists, Conflict

        parent = f"projects/{project}"
        with suppress(AlreadyExists, Conflict):
            self.client.create_secret(parent=parent, secret_id=name, secret={"replication": {"automatic": {}}})
        made = self.client.add_secret_version(parent=f"{parent}/secrets/{name}", payload={"data": data})
        return str(made.name.rpartition("/")[2])


def backend_for(address: str, environ: Mapping[str, str] | None = None, **options: Any) -> Backend:
    """Return a backend without credentials, unless ``options`` say others."""
    plain = {"endpoint": address, "project": PROJECT, "auth": {"method": "anonymous"}}
    return Backend("gcp-sm", "gcp-sm", {**plain, **options}, "/", environ or {})


def fetch(backend: Backend, texts: Sequence[str], seconds: float = 60) -> list[Any]:
    """Return the outcome of each of the references ``texts``, read together with a new adapter."""
    adapter = SecretManagerAdapter(backend)
    references = [parse_reference(text).document for text in texts]
    try:
        found = adapter.fetch(list(dict.fromkeys(references)), deadline=Deadline(seconds))
    finally:
        adapter.close()
    return [found[reference] for reference in references]


@contextmanager
def run_drongo(folder: Path) -> Iterator[Gcp]:
    """Run a server of its own."""
    program = Path(sys.executable).parent / "drongo"
    if not program.exists():
        missing("drongo", "pip install drongo")
    port = free_port()
    with (folder / "drongo.log").open("wb") as log:
        process = subprocess.Popen([program, "server", "-p", str(port)], stdout=log, stderr=log, cwd=folder)
    try:
        _wait(port, process)
        yield Gcp(port)
    finally:
        process.terminate()
        process.wait(60)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            DIRECT.open(f"http://127.0.0.1:{port}/v1/projects/{PROJECT}/secrets", timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:  # nobody listens yet; or it takes longer than that to load what answers
            time.sleep(0.1)
        else:
            return
    message = "drongo does not start"
    raise RuntimeError(message)
