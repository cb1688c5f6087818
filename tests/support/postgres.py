"""A real PostgreSQL server for tests, in a folder of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openbao import free_port, missing

__all__ = ["run_postgres"]

_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([*map(str, _PLACES), os.environ.get("PATH", "")]))
    return found or missing("the PostgreSQL server", "apt install postgresql")


@contextmanager
def run_postgres(folder: Path, password: str) -> Iterator[int]:
    """Run a server whose user ``postgres`` has ``password``. Yields its port."""
    initdb, control = _program("initdb"), _program("pg_ctl")
    data, secret = folder / "data", folder / "password"
    secret.write_text(password)
    # The server refuses to run as root.
    as_user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if as_user:
        for path in (folder, secret):
            shutil.chown(path, "postgres", "postgres")
        for parent in folder.parents:
            if not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    port = free_port()

    def run(*command: str) -> None:
        with (folder.parent / "postgres.log").open("ab") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log, cwd="/", timeout=60, **as_user)  # type: ignore[call-overload]

    run(initdb, "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run(control, "-D", str(data), "-w", "-o", options, "start")
    try:
        yield port
    finally:
        run(control, "-D", str(data), "-m", "immediate", "-w", "stop")
