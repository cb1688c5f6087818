"""Importing a model in another process, as its code is that of another revision."""

import json
import os
import subprocess
import sys
from typing import Any

from confsvc.errors import ConfsvcError, ManifestError

__all__ = ["check_elsewhere", "settings_elsewhere"]

_TIMEOUT = 120.0


def settings_elsewhere(target: str, folder: str, label: str) -> list[dict[str, Any]]:
    """Return the settings of the model ``target``, which is looked for in ``folder``, as `to_data` has them.

    Raises:
        ManifestError: it cannot be imported.

    """
    done = _run(["-m", "confsvc.compat.elsewhere", target, folder], label)
    found = _json(done.stdout)
    if done.returncode or not isinstance(found, list):
        reason = found.get("error", "") if isinstance(found, dict) else ""
        raise ManifestError(f"the schema of `{label}` cannot be imported: {reason or 'its code fails'}")
    return found


def check_elsewhere(file: str, environment: str, timeout: float, label: str) -> tuple[int, dict[str, Any]]:
    """Return the exit status of ``confsvc check`` of a manifest, and what it says of the environment."""
    words = ["-m", "confsvc", "check", "--json", "-q", "-f", file, "-e", environment, "--timeout", f"{timeout:g}s"]
    done = _run(words, label)
    found = _json(done.stdout)
    environments = found.get("environments", []) if isinstance(found, dict) else []
    if environments:
        return done.returncode, environments[0]
    failure = _json(done.stderr.splitlines()[-1] if done.stderr else b"")
    error = failure.get("error", {}) if isinstance(failure, dict) else {}
    return done.returncode or 70, {"problems": error.get("problems", [])}


def _run(words: list[str], label: str) -> "subprocess.CompletedProcess[bytes]":
    failure = ""
    try:
        return subprocess.run(
            [sys.executable, "-P", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except OSError:
        failure = "Python cannot be run"
    except subprocess.TimeoutExpired:
        failure = f"its code did not answer within {_TIMEOUT:g} s"
    raise ManifestError(f"`{label}` cannot be looked at: {failure}")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _main(target: str, folder: str) -> int:
    """Print the settings of a model. What its code prints on the way is not ours."""
    from confsvc.compat.declared import declared_of, to_data
    from confsvc.models import import_schema

    out = os.dup(1)
    os.dup2(2, 1)
    status, found = 0, []  # type: int, Any
    try:
        found = to_data(declared_of(import_schema(target, folder)))
    except ConfsvcError as error:
        status, found = 1, {"error": error.message}
    with os.fdopen(out, "w", encoding="utf-8") as stream:
        json.dump(found, stream)
    return status


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2]))
