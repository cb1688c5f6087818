"""Commands in a network of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["HOST", "nameless"]

HOST = "vault.shop.example"
_NAMELESS = str(Path(__file__).with_name("nameless.py"))


def nameless(kind: str) -> list[str]:
    """Return what runs a command where name servers are ``gone``, ``silent`` or ``ignorant``.

    It skips the test where no network of its own can be had; in CI it can.
    """
    prefix = [sys.executable, _NAMELESS, kind]
    done = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    if done.returncode and os.environ.get("CI") != "true":
        pytest.skip("needs root, or user namespaces")
    assert done.returncode == 0, done.stderr
    return prefix
