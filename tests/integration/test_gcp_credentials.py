"""Who we are at Google: key files, workload identity, metadata servers, impersonation; and what goes wrong there."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from confsvc.adapter import Backend, Deadline, Document
from confsvc.errors import ConfsvcError, DeadlineError, ManifestError, Unauthenticated, Unavailable
from confsvc.testing import find_leaks, make_canary
from confsvc_gcp.identity import Identity
from gcp import PROJECT, fetch


class Google(BaseHTTPRequestHandler):
    """A token endpoint, a security token service, a metadata server, an IAM API and Secret Manager in one."""

    asked: ClassVar[list[tuple[str, str]]] = []
    tokens: ClassVar[dict[str, str]] = {}
    refuses: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        self._answer("")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is called there
        del format, args

    def _answer(self, body: str) -> None:
        path = self.path.partition("?")[0]
        self.asked.append((path, body))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if path.endswith(":access"):
            self.tokens[path] = token
        if path in self.refuses:
            self._send({"error": "invalid_grant", "error_description": "refused"}, 400)
        elif path == "/token":
            self._send({"access_token": "from-token-endpoint", "expires_in": 3600, "token_type": "Bearer"})
        elif path == "/sts":
            self._send(
                {"access_token": "from-sts", "expires_in": 3600, "token_type": "Bearer", "issued_token_type": "x"}
            )
        elif path.endswith("/service-accounts/default/token"):
            self._send({"access_token": "from-metadata", "expires_in": 3600, "token_type": "Bearer"})
        elif path.endswith("/project/project-id"):
            self._send(PROJECT.encode())
        elif path.startswith("/computeMetadata"):
            self._send({"email": "robot@example.com", "scopes": [], "aliases": []})
        elif path.endswith(":access"):
            self._send({"name": "projects/1/secrets/x/versions/1", "payload": {"data": "dg=="}}, 200 if token else 401)
        else:
            self._send(b"")

    def _send(self, body: Any, status: int = 200) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/text" if isinstance(body, bytes) else "application/json")
        self.send_header("Metadata-Flavor", "Google")
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def google() -> Iterator[str]:
    """The address of the server."""
    Google.asked.clear()
    Google.tokens.clear()
    Google.refuses.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Google)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without credentials, far from Google Cloud."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return tmp_path


@pytest.fixture(scope="module")
def key() -> str:
    """An RSA key in PEM."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
def account(home: Path, key: str, google: str) -> Path:
    """The file of a service account."""
    file = home / "account.json"
    found = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "1",
        "private_key": key,
        "client_email": "robot@example.com",
        "token_uri": f"{google}/token",
    }
    file.write_text(json.dumps(found))
    return file


def backend(google: str, environ: dict[str, str] | None = None, **auth: Any) -> Backend:
    return Backend("gcp-sm", "gcp-sm", {"endpoint": google, **({"auth": auth} if auth else {})}, "/", environ or {})


def token_after(google: str, environ: dict[str, str] | None = None, **auth: Any) -> str:
    """Read a secret, and return the token that came with it."""
    (found,) = fetch(backend(google, environ, **auth), ["gcp-sm:///x"])
    assert isinstance(found, Document), found
    return Google.tokens[f"/v1/projects/{PROJECT}/secrets/x/versions/latest:access"]


def test_a_key_signs_its_own_token_and_nobody_is_asked(google: str, account: Path) -> None:
    token = token_after(google, method="service-account", file=str(account))
    assert token.count(".") == 2
    assert [path for path, _ in Google.asked] == [f"/v1/projects/{PROJECT}/secrets/x/versions/latest:access"]


def test_the_default_is_what_the_variable_names(google: str, account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(account)}
    assert token_after(google, environ).count(".") == 2
    assert token_after(google, environ, method="service-account").count(".") == 2


def test_a_login_of_gcloud_is_refreshed(google: str, home: Path) -> None:
    (home / "gcloud").mkdir()
    found = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    (home / "gcloud" / "application_default_credentials.json").write_text(
        json.dumps({**found, "token_uri": f"{google}/token", "quota_project_id": "quota"})
    )
    environ = {"GOOGLE_CLOUD_PROJECT": PROJECT}
    identity = Identity(backend(google, environ))
    credentials = identity.credentials(Deadline(60))
    credentials._token_uri = f"{google}/token"  # noqa: SLF001 - google-auth takes none from this kind of file
    found = identity.headers(Deadline(60))
    assert found == {"authorization": "Bearer from-token-endpoint", "x-goog-user-project": "quota"}


def workload(home: Path, google: str) -> Path:
    """Write the file of a workload identity, whose token is in `subject`. Returns its path."""
    file = home / "workload.json"
    found = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{google}/sts",
        "credential_source": {"file": str(home / "subject")},
    }
    file.write_text(json.dumps(found))
    return file


def test_a_workload_identity_is_exchanged(google: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "subject").write_text("token of the platform")
    file = workload(home, google)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "GOOGLE_CLOUD_PROJECT": PROJECT}
    assert token_after(google, environ) == "from-sts"
    assert any(path == "/sts" and "token+of+the+platform" in body for path, body in Google.asked)


def test_a_machine_of_google_asks_its_metadata_server(google: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.compute_engine import _metadata

    host = google.removeprefix("http://")
    monkeypatch.delenv("NO_GCE_CHECK")
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False, raising=False)
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)
    monkeypatch.setattr(_metadata, "_METADATA_ROOT", f"http://{host}/computeMetadata/v1/", raising=False)
    monkeypatch.setenv("GCE_METADATA_HOST", host)
    monkeypatch.setenv("GCE_METADATA_IP", host)
    monkeypatch.setattr(_metadata, "_get_metadata_ip_root", lambda *_: f"http://{host}")
    monkeypatch.setattr(_metadata, "_get_metadata_root", lambda *_: f"http://{host}/computeMetadata/v1/")
    assert token_after(google, {"GCE_METADATA_HOST": host}) == "from-metadata"


def test_a_token_that_is_not_accepted_any_more_is_looked_for_anew_once(
    google: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "subject").write_text("t")
    file = workload(home, google)
    path = f"/v1/projects/{PROJECT}/secrets/x/versions/latest:access"
    refused: list[str] = []

    def answer(self: Google, body: str, old: Callable[[Google, str], None] = Google._answer) -> None:  # noqa: SLF001
        if self.path == path and len(refused) < most:
            refused.append(self.headers["Authorization"])
            self._send({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, 401)
        else:
            old(self, body)

    monkeypatch.setattr(Google, "_answer", answer)
    most = 1
    (found,) = fetch(backend(google, {"GOOGLE_CLOUD_PROJECT": PROJECT}, file=str(file)), ["gcp-sm:///x"])
    assert isinstance(found, Document), found
    assert [where for where, _ in Google.asked].count("/sts") == 2
    most = 100
    (found,) = fetch(backend(google, {"GOOGLE_CLOUD_PROJECT": PROJECT}, file=str(file)), ["gcp-sm:///x"])
    assert isinstance(found, Unauthenticated)
    assert len(refused) == 1 + 2


def test_the_quota_is_whose_the_manifest_says(google: str, account: Path) -> None:
    identity = Identity(backend(google, method="service-account", file=str(account), quota_project="payer"))
    assert identity.headers(Deadline(60))["x-goog-user-project"] == "payer"


def test_away_from_google_the_metadata_server_takes_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.compute_engine import _metadata

    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.delenv("NO_GCE_CHECK")
        monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False, raising=False)
        monkeypatch.setattr(_metadata, "_get_metadata_ip_root", lambda *_: f"http://{host}")
        began = time.monotonic()
        with pytest.raises(Unauthenticated) as caught:
            Identity(backend("http://127.0.0.1:1", {"GCE_METADATA_HOST": host})).headers(Deadline(60))
        assert time.monotonic() - began < 40  # google-auth pauses besides; without an end of ours it takes all of it
    assert "gcloud auth application-default login" in caught.value.hint


def test_another_account_is_impersonated(google: str, account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth import iam

    target = "reader@example.com"
    path = f"/iam/{target}:generateAccessToken"
    monkeypatch.setattr(iam, "_IAM_ENDPOINT", f"{google}/iam/{{}}:generateAccessToken")

    def answer(self: Google, body: str, old: Callable[[Google, str], None] = Google._answer) -> None:  # noqa: SLF001
        if self.path == path:
            Google.asked.append((self.path, body))
            self._send({"accessToken": "of-the-reader", "expireTime": "2030-01-01T00:00:00Z"})
        else:
            old(self, body)

    monkeypatch.setattr(Google, "_answer", answer)
    token = token_after(
        google, {"GOOGLE_CLOUD_PROJECT": PROJECT}, method="impersonate", service_account=target, file=str(account)
    )
    assert token == "of-the-reader"


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"type": "service_account"}', '{"type": "nothing"}', "CANARY"])
@pytest.mark.parametrize("method", ["adc", "service-account"])
def test_a_file_that_is_none_says_so(
    method: str, text: str, home: Path, google: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = make_canary()
    file = home / "broken.json"
    file.write_text(text.replace("CANARY", json.dumps({"type": "service_account", "private_key": canary})))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "GOOGLE_CLOUD_PROJECT": PROJECT}
    (found,) = fetch(backend(google, environ, method=method), ["gcp-sm:///x"])
    assert isinstance(found, Unauthenticated)
    assert "broken.json" in found.message
    assert found.exit_status == 77
    assert find_leaks(canary, found) == []


def test_a_file_that_is_not_there_says_so(google: str) -> None:
    (found,) = fetch(backend(google, method="service-account", file="/none.json"), ["gcp-sm://p/x"])
    assert isinstance(found, Unauthenticated)


def test_no_credentials_say_what_to_do(google: str) -> None:
    (found,) = fetch(backend(google), ["gcp-sm://p/x"])
    assert isinstance(found, Unauthenticated)
    assert "GOOGLE_APPLICATION_CREDENTIALS" in found.hint


def test_a_login_that_has_ended_is_not_an_outage(google: str, home: Path) -> None:
    Google.refuses.add("/sts")
    (home / "subject").write_text("t")
    file = workload(home, google)
    (found,) = fetch(backend(google, file=str(file)), ["gcp-sm://p/x"])
    assert isinstance(found, Unauthenticated)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = file.read_text().replace(google, f"http://127.0.0.1:{silent.getsockname()[1]}")
        file.write_text(text)
        outcome: object = None
        try:
            (outcome,) = fetch(backend(google, file=str(file)), ["gcp-sm://p/x"], seconds=1)
        except ConfsvcError as error:
            outcome = error
        assert isinstance(outcome, DeadlineError | Unavailable)


@pytest.mark.parametrize(
    ("auth", "message"),
    [({"method": "impersonate"}, "needs `service_account`"), ({"method": "service-account"}, "needs `file`")],
)
def test_a_table_that_lacks_something_says_so(
    auth: dict[str, Any], message: str, google: str, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if auth["method"] == "impersonate":
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    with pytest.raises(ManifestError, match=message):
        fetch(backend(google, **auth), ["gcp-sm://p/x"])
