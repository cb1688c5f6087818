"""The same pages over TCP, for who asks for that: on loopback with a token, or with certificates on both sides."""

import hmac
import os
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from stat import S_IMODE, S_ISREG
from typing import NamedTuple

from confsvc.adapter import lasting_clock
from confsvc.agent.http import BadRequest, parse_target
from confsvc.agent.pages import Asked, Pages, Reply, refuse
from confsvc.errors import OutputError, UsageError
from confsvc.health import Address, LimitedServer

__all__ = ["Certificates", "Remote", "read_token", "serve_remotely"]

_PATIENCE = 5.0  # seconds for a handshake, and for a request
_AT_ONCE = 64  # connections
_PAUSE = 0.05  # seconds between two looks for an answer
_SHORTEST = 16  # bytes of a token
_LONGEST = 4096
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Certificates(NamedTuple):
    """Paths of PEM files: our chain and its key, and who signs clients."""

    chain: str
    key: str
    clients: str


class Remote(NamedTuple):
    """Where to listen, and how clients show who they are: by ``token``, or by ``certificates``."""

    address: Address
    token: bytes = b""
    certificates: Certificates | None = None


def read_token(path: str) -> bytes:
    """Return the token in the file ``path``, which nobody else can read.

    Raises:
        UsageError: it cannot be read, others can, or it is too short.

    """
    reason = ""
    data = b""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            found = os.fstat(handle)
            if not S_ISREG(found.st_mode) or S_IMODE(found.st_mode) & 0o077:
                reason = "it is for nobody else to read (chmod 0400)"
            else:
                data = file.read(_LONGEST + 1).strip()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
    if not reason and not _SHORTEST <= len(data) <= _LONGEST:
        reason = f"it holds fewer than {_SHORTEST} bytes, or more than {_LONGEST}"
    if reason:
        raise UsageError(f"the token in `{path}` cannot be used: {reason}")
    return data


def serve_remotely(remote: Remote, pages: Pages) -> str:
    """Answer from now on, in threads that end with the process. Returns the URL.

    Raises:
        UsageError: without certificates the address is not one of loopback.
        OutputError: nobody can listen there, or the certificates are none.

    """
    if remote.certificates is None and not _is_loopback(remote.address.host):
        raise UsageError(
            "--listen without certificates is for loopback alone",
            hint="--listen 127.0.0.1:PORT, or --tls-cert, --tls-key and --tls-client-ca",
        )
    context = _context(remote.certificates) if remote.certificates else None
    server: _Server | None = None
    failure = ""
    try:
        server = _Server(remote, pages, context)
    except OSError as error:
        failure = (error.strerror or "it is none").lower()
    if server is None:
        raise OutputError(f"`{remote.address.host}:{remote.address.port}` cannot be listened at: {failure}")
    threading.Thread(target=server.serve_forever, name="confsvc-remote", daemon=True).start()
    return server.url("https" if context else "http")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _context(certificates: Certificates) -> ssl.SSLContext:
    reason = ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(certificates.chain, certificates.key)
        context.load_verify_locations(certificates.clients)
    except ssl.SSLError:  # it is an OSError, and its number is none of the system's
        reason = "they are no PEM, or do not belong together"
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
    if reason:
        raise OutputError(f"the certificates cannot be used: {reason}")
    return context


class _Server(LimitedServer):
    """What the handler asks for the pages; with a ``context`` it speaks TLS."""

    daemon_threads = True

    def __init__(self, remote: Remote, pages: Pages, context: ssl.SSLContext | None) -> None:
        self.remote = remote
        self.pages = pages
        self._context = context
        super().__init__(remote.address, _Handler, _AT_ONCE)

    def finish_request(self, request: object, client_address: object) -> None:
        """Shake hands here, where it holds up nobody, and answer."""
        if self._context is None:
            super().finish_request(request, client_address)  # type: ignore[arg-type]
            return
        request.settimeout(_PATIENCE)  # type: ignore[attr-defined]
        with self._context.wrap_socket(request, server_side=True) as wrapped:  # type: ignore[arg-type]
            super().finish_request(wrapped, client_address)


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._send(self._refusal() or self._answer())

    def do_HEAD(self) -> None:
        self.do_GET()

    def _refusal(self) -> Reply | None:
        """Return what to say to somebody who may not ask. Pages in a browser may not either, whoever looks at them."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        is_local = self.server.remote.certificates is None
        if "X-Forwarded-For" in self.headers or "Origin" in self.headers or (is_local and host not in _LOCAL_NAMES):
            return refuse(403, "forwarded", "the agent is asked directly, by the name of this machine")
        if is_local:
            given = self.headers.get("Authorization", "").encode("latin-1", "replace")
            if not hmac.compare_digest(given, b"Bearer " + self.server.remote.token):
                return refuse(401, "token", "the token is missing, or is another one")
        return None

    def _answer(self) -> Reply:
        failure: BadRequest | None = None
        target: tuple[str, dict[str, str]] = ("", {})
        try:
            target = parse_target(self.path.encode("latin-1", "replace"))
        except BadRequest as error:
            failure = error
        if failure is not None:
            return refuse(failure.status, "request", str(failure))
        asked: Asked = self.server.pages.take(self.command, *target, {"address": self.client_address[0]})
        while True:
            reply = self.server.pages.answer(asked)
            if reply is not None:
                return reply
            time.sleep(min(_PAUSE, max(0.001, asked.ends - lasting_clock())))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Cache-Control", "no-store")
        if reply.outage >= 0:
            self.send_header("Confsvc-Outage", str(reply.outage))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def version_string(self) -> str:
        return "confsvc"

    def log_message(self, *_: object) -> None:
        """Whoever was refused is counted; nobody wants to read the rest."""
