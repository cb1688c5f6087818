"""What a Kubernetes cluster is to Vault: service accounts with tokens, and an API that says whether one is good."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from openbao import Bao
from serving import Server

__all__ = ["Cluster", "run_cluster", "signed"]


def signed(key: ec.EllipticCurvePrivateKey, **claims: Any) -> str:
    """Return a token with `claims`, signed with `key` (ES256)."""
    parts = [{"alg": "ES256", "typ": "JWT"}, {"exp": int(time.time()) + 3600, "iat": int(time.time()), **claims}]
    text = ".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{text}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


class Cluster(Server):
    """The API, with one service account `shop/NAME`. It knows one token at a time, and counts the reviews."""

    def __init__(self, name: str) -> None:
        super().__init__(_Reviewer)
        self.name = name
        self.known = ""
        self.reviews = 0
        self.lock = threading.Lock()
        self._key = ec.generate_private_key(ec.SECP256R1())

    def issue(self, **claims: Any) -> str:
        """Return a new token, the only good one from now on."""
        prefix = "kubernetes.io/serviceaccount"
        account = {
            "iss": "kubernetes/serviceaccount",
            "sub": f"system:serviceaccount:shop:{self.name}",
            f"{prefix}/namespace": "shop",
            f"{prefix}/service-account.name": self.name,
            f"{prefix}/service-account.uid": "u",
        }
        self.known = signed(self._key, **account, **claims)
        return self.known

    def admit(self, bao: Bao, role: str, *policies: str) -> None:
        """Let Vault ask this cluster, and give its service account a role there."""
        bao.enable("kubernetes")
        config = {
            "kubernetes_host": f"http://127.0.0.1:{self.server_port}",
            "kubernetes_ca_cert": bao.authority.file.read_text(),
            "disable_local_ca_jwt": True,
        }
        bao.call("POST", "auth/kubernetes/config", config)
        names = {"bound_service_account_names": self.name, "bound_service_account_namespaces": "shop"}
        bao.call("POST", f"auth/kubernetes/role/{role}", {**names, "token_policies": list(policies)})


class _Reviewer(BaseHTTPRequestHandler):
    """https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/ ."""

    server: Cluster

    def do_POST(self) -> None:
        with self.server.lock:
            self.server.reviews += 1
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = f"system:serviceaccount:shop:{self.server.name}"
        user = {"username": name, "uid": "u", "groups": ["system:serviceaccounts"]}
        known = asked["spec"]["token"] == self.server.known
        status = {"authenticated": True, "user": user} if known else {"error": "unknown"}
        answer = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}
        body = json.dumps(answer).encode()
        self.send_response(201)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def run_cluster(name: str) -> Iterator[Cluster]:
    """Run the API of a cluster whose one service account is `shop/NAME`."""
    server = Cluster(name)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
