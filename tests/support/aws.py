"""A real moto_server process for tests: Secrets Manager, Parameter Store, STS and IAM over HTTP."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from confsvc.adapter import Backend, Deadline
from confsvc.reference import parse_reference
from confsvc.registry import adapter_class
from openbao import DIRECT, free_port, missing

__all__ = ["ENVIRON", "REGION", "Aws", "fetch", "run_moto"]

REGION = "eu-west-1"
ENVIRON = {"AWS_ACCESS_KEY_ID": "AKIATESTS", "AWS_SECRET_ACCESS_KEY": "only of the tests", "AWS_REGION": REGION}


class Aws:
    """A running server. ``secrets``, ``parameters``, ``iam`` are boto3 clients of it, with which it is filled."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self.secrets = self.client("secretsmanager")
        self.parameters = self.client("ssm")
        self.iam = self.client("iam")

    @cache  # noqa: B019 - making one takes longer than a test, and the server lives as long
    def client(self, service: Any, region: str = REGION) -> Any:
        """Return a boto3 client of the server."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.address,
            aws_access_key_id=ENVIRON["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ENVIRON["AWS_SECRET_ACCESS_KEY"],
        )

    def backend(self, adapter: str, environ: Mapping[str, str] | None = None, **options: object) -> Backend:
        """Return a backend of the server."""
        options = {"region": REGION, "endpoint_url": self.address, **options}
        return Backend(adapter, adapter, options, "/", {**ENVIRON, **(environ or {})})

    def put_secret(self, name: str, value: str | bytes, region: str = REGION) -> str:
        """Store a secret, or its next version. Returns its ARN."""
        client = self.client("secretsmanager", region)
        fields: dict[str, Any] = {"SecretBinary" if isinstance(value, bytes) else "SecretString": value}
        try:
            return str(client.create_secret(Name=name, **fields)["ARN"])
        except client.exceptions.ResourceExistsException:
            return str(client.put_secret_value(SecretId=name, **fields)["ARN"])

    def put_parameter(self, name: str, value: str, kind: str = "SecureString") -> int:
        """Store a parameter, or its next version. Returns the version."""
        return int(self.parameters.put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)["Version"])

    def user(self, name: str, *statements: Mapping[str, object]) -> dict[str, str]:
        """Make a user with a policy. Returns the variables that make a process that user."""
        self.iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def guard(self, free: int = 0) -> None:
        """Check signatures and policies from now on, but for the next ``free`` requests."""
        url = f"{self.address}/moto-api/reset-auth"
        request = urllib.request.Request(url, data=str(free).encode(), method="POST")  # noqa: S310 - ours
        request.add_header("Content-Type", "text/plain")
        DIRECT.open(request, timeout=10).close()


def fetch(backend: Backend, texts: Sequence[str], seconds: float = 60) -> list[Any]:
    """Return the outcome of each of the references ``texts``, read together with a new adapter."""
    adapter: Any = adapter_class(backend.adapter)(backend)
    references = [parse_reference(text).document for text in texts]
    try:
        found = adapter.fetch(list(dict.fromkeys(references)), deadline=Deadline(seconds))
    finally:
        adapter.close()
    return [found[reference] for reference in references]


@contextmanager
def run_moto(folder: Path, *, strict: bool = False) -> Iterator[Aws]:
    """Run a server of its own; where it is ``strict``, policies are asked about resources too."""
    program = Path(sys.executable).parent / "moto_server"
    if not program.exists():
        missing("moto_server", "pip install 'moto[iam,secretsmanager,ssm,sts]' flask flask-cors")
    port = free_port()
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "INITIAL_NO_AUTH_ACTION_COUNT": "1000000000"}
    command = [sys.executable, Path(__file__).with_name("strict_moto.py")] if strict else [program]
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen([*command, "-p", str(port)], env=environ, stdout=log, stderr=log, cwd=folder)
    try:
        _wait(port, process)
        yield Aws(port)
    finally:
        process.terminate()
        process.wait(60)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            DIRECT.open(f"http://127.0.0.1:{port}/moto-api/", timeout=5).close()
        except OSError:  # nobody listens yet; or it takes longer than that to load what answers
            time.sleep(0.1)
        else:
            return
    message = "moto_server does not start"
    raise RuntimeError(message)
