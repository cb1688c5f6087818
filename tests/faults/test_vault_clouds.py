"""Logging in as a machine of AWS or Google's, which OpenBao does not offer: what is sent is looked at."""

import hashlib
import hmac
import json
import socket
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from confsvc.adapter import Backend, Document
from confsvc.errors import Unauthenticated
from vaulting import backend_for, fetch_one

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]

REFERENCE = "vault://secret/shop/db"
AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "session-of-the-tests",
}


def reply(body: object) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


def handle(connection: socket.socket, request: bytes) -> None:
    """Take every login, and have one secret in KV version 1."""
    found: dict[str, Any] = {"data": {"password": "hunter2"}}
    if b"/login" in request:
        found = {"auth": {"client_token": "made", "lease_duration": 60}}
    connection.sendall(reply(found))


@pytest.fixture
def vault(serve: Serve) -> tuple[Callable[..., Backend], Callable[[], tuple[str, Any]]]:
    """Return what makes a backend with an `auth` table, and what returns path and body of the login that came."""
    port, requests = serve(handle)

    def backend(environ: dict[str, str], **auth: Any) -> Backend:
        return backend_for(f"http://127.0.0.1:{port}", environ, kv_version=1, auth=auth)

    def login() -> tuple[str, Any]:
        head, _, body = next(request for request in requests if b"/login" in request).partition(b"\r\n\r\n")
        return head.split(b" ")[1].decode(), json.loads(body)

    return backend, login


def sign(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(headers: dict[str, str], body: bytes, region: str) -> str:
    """Compute the signature that AWS would, from what was sent (Signature Version 4)."""
    names = sorted(name.lower() for name in headers if name != "Authorization")
    lower = {name.lower(): text for name, text in headers.items()}
    canonical = "".join(f"{name}:{lower[name]}\n" for name in names)
    request = "\n".join(["POST", "/", "", canonical, ";".join(names), hashlib.sha256(body).hexdigest()])
    moment = lower["x-amz-date"]
    scope = f"{moment[:8]}/{region}/sts/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{AWS['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (moment[:8], region, "sts", "aws4_request"):
        key = sign(key, part)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


# hvac signs with datetime.utcnow(), which Python 3.12 warns about.
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
@pytest.mark.parametrize("mount", ["aws", "aws/production"])
def test_aws_sends_a_signed_question_about_who_we_are(vault: Any, mount: str) -> None:
    backend, login = vault
    table = {"method": "aws", "mount": mount, "role": "shop", "region": "eu-west-1", "header_value": "vault.test"}
    assert isinstance(fetch_one(backend(AWS, **table), REFERENCE), Document)
    path, sent = login()
    assert path == f"/v1/auth/{mount}/login"
    assert sent["role"] == "shop"
    assert sent["iam_http_request_method"] == "POST"
    assert b64decode(sent["iam_request_url"]) == b"https://sts.amazonaws.com/"
    body = b64decode(sent["iam_request_body"])
    assert body == b"Action=GetCallerIdentity&Version=2011-06-15"
    headers = {name: text[0] for name, text in json.loads(b64decode(sent["iam_request_headers"])).items()}
    assert headers["X-Vault-AWS-IAM-Server-ID"] == "vault.test"
    assert headers["X-Amz-Security-Token"] == AWS["AWS_SESSION_TOKEN"]
    assert f"Credential={AWS['AWS_ACCESS_KEY_ID']}/" in headers["Authorization"]
    assert headers["Authorization"].endswith(f"Signature={signature(headers, body, 'eu-west-1')}")
    assert AWS["AWS_SECRET_ACCESS_KEY"] not in str(sent)


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_aws_credentials_may_come_from_variables_of_other_names(vault: Any) -> None:
    backend, login = vault
    environ = {"KEY": AWS["AWS_ACCESS_KEY_ID"], "SECRET": AWS["AWS_SECRET_ACCESS_KEY"], "AWS_REGION": "us-west-2"}
    keys = {"access_key_id": {"env": "KEY"}, "secret_access_key": {"env": "SECRET"}}
    assert isinstance(fetch_one(backend(environ, method="aws", role="shop", **keys), REFERENCE), Document)
    headers = json.loads(b64decode(login()[1]["iam_request_headers"]))
    assert "/us-west-2/sts/" in headers["Authorization"][0]
    assert "X-Amz-Security-Token" not in headers


def test_gcp_sends_the_token_it_was_given(vault: Any) -> None:
    backend, login = vault
    table = {"method": "gcp", "role": "shop", "jwt": {"env": "ID_TOKEN"}}
    assert isinstance(fetch_one(backend({"ID_TOKEN": "a.b.c\n"}, **table), REFERENCE), Document)
    assert login() == ("/v1/auth/gcp/login", {"role": "shop", "jwt": "a.b.c"})


def test_gcp_asks_the_metadata_server_of_its_machine(vault: Any, serve: Serve) -> None:
    backend, login = vault
    port, asked = serve(lambda connection, _: connection.sendall(reply(b"d.e.f")))
    environ = {"GCE_METADATA_HOST": f"127.0.0.1:{port}"}
    assert isinstance(fetch_one(backend(environ, method="gcp", role="shop"), REFERENCE), Document)
    assert login()[1]["jwt"] == "d.e.f"
    path = asked[0].split(b" ")[1].decode()
    assert parse_qs(urlsplit(path).query) == {"audience": ["vault/shop"], "format": ["full"]}
    assert b"metadata-flavor: google" in asked[0].lower()


def test_gcp_signs_with_the_key_of_a_service_account(vault: Any) -> None:
    pytest.importorskip("google.auth", reason="pip install google-auth")
    backend, login = vault
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = {"client_email": "shop@test.iam.gserviceaccount.com", "private_key": pem, "private_key_id": "k"}
    table = {"method": "gcp", "role": "shop", "service_account_key": {"env": "ACCOUNT"}}
    assert isinstance(fetch_one(backend({"ACCOUNT": json.dumps(account)}, **table), REFERENCE), Document)
    signed, _, end = login()[1]["jwt"].rpartition(".")
    key.public_key().verify(decoded(end), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(decoded(signed.partition(".")[2]))
    assert (claims["sub"], claims["aud"]) == (account["client_email"], "vault/shop")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("account", ["not json", "{}", '{"client_email": "x", "private_key": "cnry-77"}'])
def test_a_key_that_is_none_is_refused_without_showing_it(vault: Any, account: str) -> None:
    pytest.importorskip("google.auth", reason="pip install google-auth")
    backend, _ = vault
    table = {"method": "gcp", "role": "shop", "service_account_key": {"env": "ACCOUNT"}}
    outcome = fetch_one(backend({"ACCOUNT": account}, **table), REFERENCE)
    assert isinstance(outcome, Unauthenticated)
    assert "cnry-77" not in f"{outcome} {vars(outcome)} {outcome.__context__}"


def test_without_credentials_nothing_is_sent(vault: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, _ = vault
    for name in ("AWS_PROFILE", *AWS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    port, _ = serve(lambda connection, _: connection.sendall(missing))
    for environ, method in (({}, "aws"), ({"GCE_METADATA_HOST": f"127.0.0.1:{port}"}, "gcp")):
        assert isinstance(fetch_one(backend(environ, method=method, role="shop"), REFERENCE), Unauthenticated)
