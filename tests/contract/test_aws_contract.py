"""The contract, kept by both AWS adapters on a real moto_server."""

from collections.abc import Iterator

import pytest

from aws import REGION, Aws
from confsvc.adapter import Backend
from confsvc.testing import AdapterContract
from openbao import free_port


class _OnMoto(AdapterContract):
    """What both have in common."""

    adapter = ""
    aws: Aws
    environ: dict[str, str]

    @pytest.fixture(autouse=True)
    def _server(self, aws: Aws) -> Iterator[None]:
        type(self).aws = aws
        self.environ = {}
        yield
        aws.guard(10**9)

    def backend(self) -> Backend:
        return self.aws.backend(self.adapter, self.environ)

    def missing(self) -> str:
        return f"{self.adapter}://contract-nothing"

    def unreachable(self) -> tuple[Backend, str]:
        options = {"region": REGION, "endpoint_url": f"http://127.0.0.1:{free_port()}"}
        return self.backend()._replace(options=options), f"{self.adapter}://contract"


class TestSecretsManager(_OnMoto):
    """Each value is a secret of its own."""

    adapter = "aws-sm"

    def put(self, name: str, text: str) -> str:
        self.aws.put_secret(f"contract/{name}", text)
        return f"aws-sm://contract/{name}"

    def put_bytes(self, name: str, data: bytes) -> str:
        self.aws.put_secret(f"contract/{name}", data)
        return f"aws-sm://contract/{name}"

    def denied(self) -> str:
        reference = self.put("denied", "x")
        self.environ = self.aws.user("contract-sm", ALLOW_OTHERS)
        self.aws.guard()
        return reference

    def malformed(self) -> str:
        name = f"deleted-{free_port()}"  # a name that waits for its deletion cannot be used again
        self.put(name, "x")
        self.aws.secrets.delete_secret(SecretId=f"contract/{name}")
        return f"aws-sm://contract/{name}"

    def unsupported(self, name: str) -> str:
        return "Secrets Manager keeps no empty text" if name == "empty" else ""


class TestParameterStore(_OnMoto):
    """Each value is a parameter of its own."""

    adapter = "aws-ssm"

    def put(self, name: str, text: str) -> str:
        self.aws.put_parameter(f"/contract/{name}", text)
        return f"aws-ssm:///contract/{name}"

    def denied(self) -> str:
        reference = self.put("denied", "x")
        self.environ = self.aws.user("contract-ssm", ALLOW_OTHERS)
        self.aws.guard()
        return reference

    def malformed(self) -> str:
        self.put("a-parameter", "x")
        return "aws-ssm:///contract/a-parameter/"

    def unsupported(self, name: str) -> str:
        return {"64 KiB": "Parameter Store keeps 8 KiB at most", "empty": "Parameter Store keeps no empty text"}.get(
            name, ""
        )


ALLOW_OTHERS = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
