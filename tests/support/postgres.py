"""A real PostgreSQL server for tests, in a folder of its own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openbao import Bao, free_port, missing

__all__ = ["PASSWORD", "run_postgres", "run_rotating"]

PASSWORD = "only of the tests"

_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([*map(str, _PLACES), os.environ.get("PATH", "")]))
    return found or missing("the PostgreSQL server", "apt install postgresql")


def _identity() -> dict[str, Any]:
    """Return who the server runs as: it refuses to be root."""
    if os.geteuid():
        return {}
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        missing("the user postgres", "apt install postgresql")
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


@contextmanager
def run_postgres(password: str) -> Iterator[int]:
    """Run a server whose user ``postgres`` has ``password``. Yields its port."""
    initdb, control, identity, port = _program("initdb"), _program("pg_ctl"), _identity(), free_port()
    # Not in the folder of the test, into which another user cannot look.
    with tempfile.TemporaryDirectory(prefix="confsvc-postgres-") as name:
        folder = Path(name)
        (folder / "password").write_text(password)
        if identity:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")

        def run(*command: str) -> None:
            subprocess.run(
                command,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                timeout=180,
                **identity,
            )

        data = str(folder / "data")
        known = ("--no-locale", "--encoding=UTF8", "--no-sync")  # whatever language the machine speaks
        run(initdb, "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={folder}/password", *known)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        run(control, "-D", data, "-w", "-t", "150", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield port
        finally:
            run(control, "-D", data, "-m", "immediate", "-w", "stop")


@contextmanager
def run_rotating(bao: Bao, mount: str, *, life: str = "4s", longest: str = "9s") -> Iterator[int]:
    """Run a server whose users are made by the engine at ``mount``, role `app`, for a short life. Yields its port."""
    with run_postgres(PASSWORD) as port:
        bao.mount(mount, "database")
        bao.call(
            "POST",
            f"{mount}/config/app",
            {
                "plugin_name": "postgresql-database-plugin",
                "allowed_roles": "app",
                "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/postgres",
                "username": "postgres",
                "password": PASSWORD,
            },
        )
        statement = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
        role = {"db_name": "app", "creation_statements": statement, "default_ttl": life, "max_ttl": longest}
        bao.call("POST", f"{mount}/roles/app", role)
        yield port
        bao.call("PUT", f"sys/leases/revoke-prefix/{mount}/creds/app")
