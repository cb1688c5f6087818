"""One program in two environments, with its values in a moto_server that this script starts, fills, and stops.

Run it with the Python that confsvc is installed for, after what the README says: `python examples/aws/demo.py`.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3

HERE = Path(__file__).parent
PROGRAMS = str(Path(sys.executable).parent)
SECONDS = 60
APP = [sys.executable, "app.py"]


def main() -> None:
    """Run the demo. Ends with an error as soon as anything is not as it should be."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        server = subprocess.Popen(
            [f"{PROGRAMS}/moto_server", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )
        environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "NO_COLOR": "1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "AKIAOFTHEDEMO",
            "AWS_SECRET_ACCESS_KEY": "of the demo",
        }
        try:
            wait(port, server)
            fill(environ)
            show("development", environ)
            show("production", environ)
            rotate(environ)
        finally:
            server.terminate()
            server.wait(SECONDS)
    print("\nthe same program ran in two environments, and got its new password without a deploy")


def wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Return when the server answers."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as one:
            if not one.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    sys.exit("the server did not start")


def client(name: Any, environ: dict[str, str]) -> Any:
    """Return a boto3 client of the server."""
    return boto3.client(
        name,
        region_name=environ["AWS_REGION"],
        endpoint_url=environ["AWS_ENDPOINT_URL"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )


def fill(environ: dict[str, str]) -> None:
    """Store the values of production."""
    secrets, parameters = client("secretsmanager", environ), client("ssm", environ)
    secrets.create_secret(Name="shop/production", SecretString='{"password": "p@ss/word"}')
    for name, text in (("log_level", "warning"), ("port", "80")):
        parameters.put_parameter(Name=f"/shop/production/{name}", Value=text, Type="String")


def show(environment: str, environ: dict[str, str]) -> None:
    """Run the program in ``environment``."""
    print(f"\n=== {environment}: confsvc exec -e {environment} -- python app.py", flush=True)
    command = [f"{PROGRAMS}/confsvc", "exec", "-e", environment, "--", *APP]
    if subprocess.run(command, cwd=HERE, env=environ, check=False).returncode:
        sys.exit("that should have run")


def rotate(environ: dict[str, str]) -> None:
    """Rotate the password under the running program, which is restarted with the new one."""
    print("\n=== production, and the password is rotated: confsvc exec --watch=1s …", flush=True)
    command = [f"{PROGRAMS}/confsvc", "exec", "-e", "production", "--watch=1s", "--", *APP, "wait"]
    with subprocess.Popen(command, cwd=HERE, env=environ, stdout=subprocess.PIPE, text=True) as process:
        seen: list[str] = []
        for line in process.stdout or ():
            print(line, end="", flush=True)
            seen += [line] if "DATABASE_URL" in line else []
            if len(seen) == 1:
                client("secretsmanager", environ).put_secret_value(
                    SecretId="shop/production", SecretString='{"password": "next"}'
                )
            elif len(seen) > 1:
                break
        process.terminate()
    if len(set(seen)) == 1:
        sys.exit("the program should have been restarted with the new password")


if __name__ == "__main__":
    main()
