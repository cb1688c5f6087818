"""boto3's own chain, link by link: whoever gives credentials to other programs of a machine gives them to us."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest

from aws import REGION
from confsvc.testing import find_leaks, make_canary
from running import Project
from serving import Quiet, serving

ROLE = "arn:aws:iam::123456789012:role/shop"


class Giver(Quiet):
    """The metadata of a machine, the endpoint of a container, the portal of SSO, and STS; and a Secrets Manager."""

    key: ClassVar[str] = ""
    ended: ClassVar[int] = 0  # how many of the keys that a container is given first are not accepted any more
    asked: ClassVar[list[tuple[str, str, str]]] = []

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        path, authorization = self.path.partition("?")[0], self.headers.get("Authorization", "")
        self.asked.append((path, body, authorization))
        given = {
            "AccessKeyId": "ASIAGIVEN",
            "SecretAccessKey": self.key,
            "Token": "t",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        if path == "/latest/api/token":
            self._send(b"token of the machine", X_aws_ec2_metadata_token_ttl_seconds="21600")
        elif path == "/latest/meta-data/iam/security-credentials/":
            self._send(b"role-of-the-machine")
        elif path.startswith("/latest/meta-data/iam/security-credentials/"):
            self._send({"Code": "Success", "Type": "AWS-HMAC", **given})
        elif path == "/container":
            count = sum(where == path for where, _, _ in self.asked)
            self._send({**given, "AccessKeyId": "ASIAENDED"} if count <= self.ended else given)
        elif "Credential=ASIAENDED/" in authorization:
            self._send({"__type": "ExpiredTokenException", "message": self.key}, 400)
        elif path == "/federation/credentials":
            names = {"accessKeyId": "ASIAGIVEN", "secretAccessKey": self.key, "sessionToken": "t"}
            self._send({"roleCredentials": {**names, "expiration": 4_070_908_800_000}})
        elif "Action=AssumeRole" in body:
            action = parse_qs(body)["Action"][0]
            self._send(ASSUMED.format(action=action, key=self.key).encode())
        else:
            self._send({"Name": "x", "ARN": "x", "SecretString": "the value", "VersionId": "1"})

    do_GET = do_PUT = do_POST = _answer  # noqa: N815 - as they are called there

    def _send(self, body: Any, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(data)


ASSUMED = """<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/shop/x</Arn><AssumedRoleId>A:x</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>ASIAGIVEN</AccessKeyId><SecretAccessKey>{key}</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"""


@pytest.fixture
def giver() -> Iterator[str]:
    """The address of the server. The secret key that it gives is a canary."""
    Giver.asked.clear()
    Giver.ended = 0
    Giver.key = make_canary()
    with serving(Giver) as address:
        yield address


@pytest.fixture
def shop(project: Project, giver: str) -> Project:
    """A project that reads one secret, on a machine without credentials."""
    project.manifest(
        "[settings]\nA = { secret = true }\n[backends.aws-sm]\n"
        f'region = "{REGION}"\nendpoint_url = "{giver}"\n'
        '[environments.production.values]\nA = "${aws-sm://x}"\n'
    )
    project.environ |= {"HOME": str(project.folder), "AWS_EC2_METADATA_DISABLED": "true"}
    return project


def read(shop: Project, environ: Mapping[str, str]) -> None:
    """Read the secret, signed with the key that was given, which nobody sees."""
    done = shop.run("exec", "-v", "--", "sh", "-c", "echo $A", env=environ)
    assert (done.status, done.out) == (0, "the value\n"), done.err
    assert find_leaks(Giver.key, done.out, done.err) == []
    assert "Credential=ASIAGIVEN/" in Giver.asked[-1][2]


def test_a_machine_of_the_cloud_is_asked_for_its_role(shop: Project, giver: str) -> None:
    read(shop, {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": giver})
    paths = [path for path, _, _ in Giver.asked]
    assert paths[0] == "/latest/api/token"
    assert "/latest/meta-data/iam/security-credentials/role-of-the-machine" in paths


def test_a_container_of_ecs_or_a_pod_of_eks_asks_its_endpoint(shop: Project, giver: str) -> None:
    shop.write({"token": "token of the pod"})
    token = str(shop.folder / "token")
    read(
        shop,
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{giver}/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token,
        },
    )
    assert ("/container", "", "token of the pod") in Giver.asked


@pytest.mark.parametrize(("ended", "status"), [(1, 0), (9, 77)])
def test_credentials_that_have_ended_are_asked_for_anew_once(
    ended: int, status: int, shop: Project, giver: str
) -> None:
    Giver.ended = ended
    done = shop.run("exec", "--", "true", env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{giver}/container"})
    assert done.status == status, done.err
    assert ("log in again" in done.err) == (status == 77)
    assert [path for path, _, _ in Giver.asked] == ["/container", "/", "/container", "/"]
    assert find_leaks(Giver.key, done.out, done.err) == []


def test_a_web_identity_becomes_its_role(shop: Project, giver: str) -> None:
    shop.write({"token": "token of the cluster"})
    read(
        shop,
        {
            "AWS_ROLE_ARN": ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(shop.folder / "token"),
            "AWS_ENDPOINT_URL_STS": giver,
        },
    )
    asked = parse_qs(Giver.asked[0][1])
    assert asked["Action"] == ["AssumeRoleWithWebIdentity"]
    assert asked["RoleArn"] == [ROLE]
    assert asked["WebIdentityToken"] == ["token of the cluster"]


def test_a_login_with_sso_is_taken_from_its_cache(shop: Project, giver: str) -> None:
    start = "https://example.awsapps.com/start"
    cache = f".aws/sso/cache/{hashlib.sha1(start.encode()).hexdigest()}.json"  # noqa: S324 - botocore's name for it
    login = {"startUrl": start, "region": REGION, "accessToken": "of the login", "expiresAt": "2099-01-01T00:00:00Z"}
    profile = {
        "sso_start_url": start,
        "sso_region": REGION,
        "sso_account_id": "123456789012",
        "sso_role_name": "shop",
    }
    config = "[profile sso]\n" + "".join(f"{key} = {text}\n" for key, text in profile.items())
    shop.write({".aws/config": config, cache: json.dumps(login)})
    read(shop, {"AWS_PROFILE": "sso", "AWS_ENDPOINT_URL_SSO": giver})
    assert Giver.asked[0][0] == "/federation/credentials"
    (shop.folder / cache).unlink()
    done = shop.run("exec", "--", "true", env={"AWS_PROFILE": "sso", "AWS_ENDPOINT_URL_SSO": giver})
    assert done.status == 77
    assert "the SSO login has ended" in done.err
    assert "aws sso login" in done.err


def test_a_role_is_taken_with_the_name_of_the_session_and_the_external_id(shop: Project, giver: str) -> None:
    manifest = (shop.folder / "confsvc.toml").read_text()
    role = f'role_arn = "{ROLE}"\nexternal_id = "shop at night"\nrole_session_name = "nightly"\n'
    shop.manifest(manifest.replace("[environments", f"{role}[environments"))
    read(shop, {"AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "own", "AWS_ENDPOINT_URL_STS": giver})
    asked = parse_qs(Giver.asked[0][1])
    assert asked["Action"] == ["AssumeRole"]
    assert asked["RoleArn"] == [ROLE]
    assert asked["ExternalId"] == ["shop at night"]
    assert asked["RoleSessionName"] == ["nightly"]
    assert "Credential=AKIAOWN/" in Giver.asked[0][2]
