"""What the libraries of the stores would log, were they asked to say everything."""

import logging
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import pytest

from aws import Aws
from aws import fetch as fetch_aws
from confsvc.adapter import Document
from confsvc.testing import find_leaks
from gcp import PROJECT, Gcp
from gcp import fetch as fetch_gcp
from openbao import Bao
from stores import approle_store
from vaulting import backend_for, fetch_one

Log = pytest.LogCaptureFixture


@pytest.fixture(autouse=True)
def _everything(caplog: Log) -> None:
    caplog.set_level(logging.DEBUG)


def plain_canary() -> str:
    """Return a value that no way of quoting changes, however often it is quoted."""
    return f"cnry{token_hex(12)}"


def test_the_libraries_of_the_stores_would_tell(moto: Aws, caplog: Log) -> None:
    """The control: botocore prints what it reads."""
    secret = plain_canary()
    moto.put_secret("logs/control", secret)
    moto.secrets.get_secret_value(SecretId="logs/control")
    assert find_leaks(secret, caplog.text) != []


def through_vault(bao: Bao, _folder: Path, caplog: Log) -> list[str]:
    """Read with a login, which is hvac's."""
    store = approle_store(bao)
    backend = backend_for(bao.address, dict(store.environ), auth={"method": "approle"})
    caplog.clear()
    found = fetch_one(backend, store.values["SETTING_A"].partition("#")[0])
    assert isinstance(found, Document)
    return [*store.secrets, "cnry "]


def through_a_profile(moto: Aws, folder: Path, caplog: Log) -> list[str]:
    """Read with credentials that botocore finds in a file, and with a role that it asks for."""
    value, key = plain_canary(), "cnry-secret-access-key-4711"
    moto.put_secret("logs/profile", value)
    file = folder / "credentials"
    file.write_text(f"[logs]\naws_access_key_id = AKIALOGS\naws_secret_access_key = {key}\n")
    caplog.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        role = "arn:aws:iam::123456789012:role/logs"
        for options in ({"profile": "logs"}, {"profile": "logs", "role_arn": role}):
            (found,) = fetch_aws(moto.backend("aws-sm", {}, **options), ["aws-sm://logs/profile"])
            assert isinstance(found, Document), found
    return [value, key]


def through_rest(gcp: Gcp, _folder: Path, caplog: Log) -> list[str]:
    """Read over REST."""
    value = plain_canary()
    gcp.put("logs", value.encode())
    caplog.clear()
    (found,) = fetch_gcp(gcp.backend(), [f"gcp-sm://{PROJECT}/logs"])
    assert isinstance(found, Document), found
    return [value]


@pytest.mark.parametrize(
    ("server", "read"), [("bao", through_vault), ("moto", through_a_profile), ("gcp", through_rest)]
)
def test_no_library_logs_a_value_or_a_credential(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    caplog: Log,
    server: str,
    read: Callable[[object, Path, Log], list[str]],
) -> None:
    for secret in read(request.getfixturevalue(server), tmp_path, caplog):
        assert find_leaks(secret, caplog.text) == []
