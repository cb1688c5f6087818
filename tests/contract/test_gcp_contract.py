"""The contract, kept by the GCP adapter on a real drongo server."""

import pytest

from confsvc.adapter import Backend
from confsvc.testing import AdapterContract
from gcp import PROJECT, Gcp, backend_for
from openbao import free_port


class TestSecretManager(AdapterContract):
    """Each value is a secret of its own."""

    adapter = "gcp-sm"
    gcp: Gcp

    @pytest.fixture(autouse=True)
    def _server(self, gcp: Gcp) -> None:
        type(self).gcp = gcp

    def backend(self) -> Backend:
        return self.gcp.backend()

    def put(self, name: str, text: str) -> str:
        self.gcp.put(f"contract-{name}", text.encode())
        return f"gcp-sm://{PROJECT}/contract-{name}"

    def put_bytes(self, name: str, data: bytes) -> str:
        self.gcp.put(f"contract-{name}", data)
        return f"gcp-sm://{PROJECT}/contract-{name}"

    def missing(self) -> str:
        return f"gcp-sm://{PROJECT}/contract-nothing"

    def unreachable(self) -> tuple[Backend, str]:
        return backend_for(f"http://127.0.0.1:{free_port()}"), f"gcp-sm://{PROJECT}/contract"

    def malformed(self) -> str:
        version = self.gcp.put("contract-disabled", b"x")
        name = f"projects/{PROJECT}/secrets/contract-disabled/versions/{version}"
        self.gcp.client.disable_secret_version(name=name)
        return f"gcp-sm://{PROJECT}/contract-disabled?version={version}"
