"""The contract, kept by the vault adapter on a real OpenBao server, for KV of both versions."""

from typing import Any

import pytest

from confsvc.adapter import Backend
from confsvc.reference import quote
from confsvc.testing import AdapterContract
from openbao import ROOT, Bao, free_port


class _OnOpenBao(AdapterContract):
    """Values are the field `value` of a secret each."""

    mount = ""
    bao: Bao

    @pytest.fixture(autouse=True)
    def _server(self, bao: Bao) -> None:
        type(self).bao = bao

    def backend(self) -> Backend:
        return self._backend(ROOT)

    def put(self, name: str, text: str) -> str:
        fields: dict[str, Any] = {"value": text}
        path = f"contract/{quote(name)}"
        if self.mount == "secret":
            self.bao.put(path, fields)
        else:
            self.bao.call("POST", f"{self.mount}/{path}", fields)
        return f"vault://{self.mount}/{path}#value"

    def missing(self) -> str:
        return f"vault://{self.mount}/contract/nothing"

    def unreachable(self) -> tuple[Backend, str]:
        options = {"address": f"http://127.0.0.1:{free_port()}"}
        return self.backend()._replace(options=options), f"vault://{self.mount}/contract/x"

    def _backend(self, token: str) -> Backend:
        return Backend("vault", "vault", {"address": self.bao.address}, "/", {"VAULT_TOKEN": token})


class TestVersion2(_OnOpenBao):
    """Secrets with versions."""

    mount = "secret"
    token = ROOT

    def backend(self) -> Backend:
        return self._backend(self.token)

    def denied(self) -> str:
        self.token = self.bao.token(self.bao.policy("contract", "secret/data/other read"))
        return self.put("denied", "x")

    def malformed(self) -> str:
        reference = self.put("deleted", "x")
        self.bao.call("DELETE", "secret/data/contract/deleted")
        return reference


class TestVersion1(_OnOpenBao):
    """Secrets without."""

    mount = "kv1"
