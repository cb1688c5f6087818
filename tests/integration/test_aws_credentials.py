"""Who we are at AWS: botocore's own order, roles, and what is said where there is nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from aws import ENVIRON, Aws, fetch
from confsvc.adapter import Backend, Document
from confsvc.errors import AdapterError, ManifestError, Unauthenticated
from confsvc.testing import find_leaks, make_canary
from confsvc_aws.credentials import Identity
from openbao import free_port

VARIABLES = {
    "AWS_ACCESS_KEY_ID": "AKIAENVIRONMENT",
    "AWS_SECRET_ACCESS_KEY": "environment",
    "AWS_SESSION_TOKEN": "token",
    "AWS_SECURITY_TOKEN": "old token",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two profiles, and no other place where credentials are."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = default\n"
        "[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\naws_session_token = t\n"
    )
    process = f"{sys.executable} {tmp_path}/give.py"
    (tmp_path / "give.py").write_text(
        'print(\'{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "process"}\')'
    )
    (tmp_path / ".aws" / "config").write_text(
        f"[profile other]\nregion = eu-north-1\n[profile process]\ncredential_process = {process}\n"
    )
    for name in [*VARIABLES, "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def identity(environ: dict[str, str], **options: object) -> Identity:
    return Identity(Backend("aws-sm", "aws-sm", options, "/", environ))


@pytest.mark.parametrize("profile", ["", "other", "process"])
@pytest.mark.parametrize("chosen", ["", "other"])
@pytest.mark.parametrize("count", range(5))
@pytest.mark.usefixtures("home")
def test_they_are_the_ones_that_botocore_finds(
    count: int, chosen: str, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = dict(list(VARIABLES.items())[:count]) if count != 1 else {}
    environ |= {"AWS_PROFILE": chosen} if chosen else {}
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    found: Any = botocore.session.Session(profile=profile or None).get_credentials()
    theirs = found.get_frozen_credentials()
    ours = identity(environ, **({"profile": profile} if profile else {})).credentials()
    assert (ours.access_key, ours.secret_key, ours.token) == (theirs.access_key, theirs.secret_key, theirs.token or "")


@pytest.mark.usefixtures("home")
def test_the_region_of_a_profile_is_taken_where_nobody_says_another() -> None:
    assert identity({}, profile="other").region() == "eu-north-1"


@pytest.mark.usefixtures("home")
def test_half_of_the_variables_is_no_way_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHALF")
    with pytest.raises(Unauthenticated, match="`AWS_SECRET_ACCESS_KEY` is not"):
        identity({"AWS_ACCESS_KEY_ID": "AKIAHALF"}).credentials()


def test_no_credentials_says_what_was_tried(home: Path) -> None:
    (home / ".aws" / "credentials").unlink()
    with pytest.raises(Unauthenticated) as caught:
        identity({}).credentials()
    assert all(word in caught.value.hint for word in ("AWS_ACCESS_KEY_ID", "SSO", "`default`", "metadata"))


@pytest.mark.usefixtures("home")
def test_a_profile_that_is_not_there_says_so() -> None:
    with pytest.raises(ManifestError, match="no AWS profile `nobody`"):
        identity({}, profile="nobody").credentials()


def test_what_a_process_says_when_it_fails_is_not_told(home: Path) -> None:
    canary = make_canary()
    (home / "give.py").write_text(f"import sys\nprint({canary!r}, file=sys.stderr)\nsys.exit(1)\n")
    with pytest.raises(Unauthenticated) as caught:
        identity({}, profile="process").credentials()
    assert find_leaks(canary, caught.value) == []


def test_variables_need_no_botocore() -> None:
    code = (
        "import sys\nfrom confsvc.adapter import Backend\nfrom confsvc_aws.credentials import Identity\n"
        f"Identity(Backend('aws-sm', 'aws-sm', {{}}, '/', {VARIABLES!r})).credentials()\n"
        "assert not any(name.partition('.')[0] in {'boto3', 'botocore'} for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def role(aws: Aws, user: str = "*") -> str:
    """Make a role that may read everything, and that users may become. Returns its ARN."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": user}},
        ],
    }
    name = f"reader-{free_port()}"
    made = aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    allowed = {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    aws.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return str(made["Role"]["Arn"])


def test_a_role_of_another_account_is_a_backend(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put_secret("by-role", "value of the role")
    who = f"u{free_port()}"
    user = aws.user(who, {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    arn = role(aws, f"arn:aws:iam::123456789012:user/{who}")
    for name, text in {**ENVIRON, **user, "AWS_ENDPOINT_URL_STS": aws.address}.items():
        monkeypatch.setenv(name, text)
    aws.guard()
    direct = fetch(aws.backend("aws-sm", user), ["aws-sm://by-role"])
    (found,) = fetch(aws.backend("aws-sm", user, role_arn=arn, external_id="shop"), ["aws-sm://by-role"])
    assert isinstance(found, Document)
    assert not isinstance(direct[0], Document)


def test_a_role_that_is_not_given_says_so(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    user = aws.user(f"u{free_port()}", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    arn = role(aws)
    for name, text in {**ENVIRON, **user, "AWS_ENDPOINT_URL_STS": aws.address}.items():
        monkeypatch.setenv(name, text)
    aws.guard()
    (found,) = fetch(aws.backend("aws-sm", user, role_arn=arn), ["aws-sm://by-role"])
    assert isinstance(found, Unauthenticated)
    assert arn in found.message
    assert [
        record.name for record in caplog.records if "not authorized" in record.getMessage() + str(record.exc_info)
    ] == []


def test_a_role_is_not_asked_for_at_the_address_of_the_store(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    store = f"http://127.0.0.1:{free_port()}"
    for name, text in {**ENVIRON, "AWS_ENDPOINT_URL_STS": aws.address}.items():
        monkeypatch.setenv(name, text)
    environ = {"AWS_ENDPOINT_URL_STS": aws.address}
    backend = aws.backend("aws-sm", environ, endpoint_url=store, role_arn=role(aws))
    (found,) = fetch(backend, ["aws-sm://by-role"])
    assert isinstance(found, AdapterError)
    assert store.removeprefix("http://") in found.message


def test_the_endpoint_of_a_profile_is_asked(aws: Aws, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".aws" / "config").write_text(
        f"[profile local]\nservices = here\n[services here]\nsecrets_manager =\n  endpoint_url = {aws.address}\n"
        f"[profile all]\nendpoint_url = {aws.address}\n"
    )
    aws.put_secret("by-profile", "v")
    for profile in ("local", "all"):
        monkeypatch.setenv("AWS_PROFILE", profile)
        environ = {**ENVIRON, "HOME": str(home), "AWS_PROFILE": profile}
        (found,) = fetch(Backend("aws-sm", "aws-sm", {}, "/", environ), ["aws-sm://by-profile"])
        assert isinstance(found, Document), found
