"""What naming the vault adapter loads: a manifest that mentions it must not cost every start a client library."""

import subprocess
import sys

import pytest

REPORT = "import sys; import {module}; print(*sorted(sys.modules))"


def loaded(module: str) -> set[str]:
    """Return the modules that importing `module` loads."""
    command = [sys.executable, "-I", "-c", REPORT.format(module=module)]
    return set(subprocess.run(command, capture_output=True, check=True, text=True).stdout.split())


def test_checking_a_manifest_loads_no_network() -> None:
    found = loaded("confsvc_vault.adapter")
    assert not found & {"hvac", "requests", "confsvc.http", "confsvc.external", "socket", "ssl", "json", "logging"}


@pytest.mark.parametrize("module", ["session", "methods", "login", "writing", "metadata", "external"])
def test_reading_with_a_token_loads_no_client_library(module: str) -> None:
    found = loaded(f"confsvc_vault.{module}")
    assert not found & {"hvac", "requests", "urllib3", "botocore", "google.auth", "ssl", "logging"}
