"""``/healthz`` and ``/readyz`` for a process that stays: a few bytes of JSON without a name or a value."""

import re
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from confsvc.errors import OutputError, UsageError

__all__ = ["Address", "Health", "LimitedServer", "parse_address", "serve"]

_PATIENCE = 5.0  # seconds for a request to arrive
_AT_ONCE = 32  # requests; what comes beyond them is hung up on


class Address(NamedTuple):
    """Where to listen. An empty ``host`` is every interface, port 0 one that is free."""

    host: str
    port: int


def parse_address(option: str, text: str) -> Address:
    """Return the address that ``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT`` names.

    Raises:
        UsageError: it names none.

    """
    found = re.fullmatch(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/\[\]]*)):(?P<port>[0-9]{1,5})", text, re.ASCII)
    if not found or int(found["port"]) > 65535:  # noqa: PLR2004 - the highest port
        raise UsageError(f"{option} takes HOST:PORT, such as 127.0.0.1:8790")
    return Address(found["six"] or found["host"] or "", int(found["port"]))


class Health:
    """What the two pages say. ``is_alive`` and ``notes``, which readiness shows besides, are asked at each request."""

    def __init__(self) -> None:
        self.is_alive: Callable[[], bool] = lambda: True
        self.is_ready = False
        self.notes: Callable[[], Mapping[str, object]] = dict

    def page(self, path: str) -> tuple[int, dict[str, object]] | None:
        """Return the status and the content of a page, None where there is none."""
        if path == "/healthz":
            is_alive = self.is_alive()
            return (200 if is_alive else 503), {"status": "alive" if is_alive else "stuck"}
        if path == "/readyz":
            return (200 if self.is_ready else 503), {"status": "ready" if self.is_ready else "starting", **self.notes()}
        return None


def serve(address: Address, health: Health) -> str:
    """Answer from now on, in threads that end with the process. Returns the URL.

    Raises:
        OutputError: nobody can listen there.

    """
    server: _Server | None = None
    failure = ""
    try:
        server = _Server(address, health)
    except OSError as error:  # a host that is none has a message of its own, and no number that strerror knows
        failure = (error.strerror or "it is none").lower()
    except UnicodeError:
        failure = "it is none"
    if server is None:
        raise OutputError(f"`{address.host}:{address.port}` cannot be listened at: {failure}")
    threading.Thread(target=server.serve_forever, name="confsvc-health", daemon=True).start()
    return server.url()


class LimitedServer(ThreadingHTTPServer):
    """One thread for each request, but not more than ``at_once``: everybody in the cluster may knock."""

    def __init__(self, address: Address, handler: type[BaseHTTPRequestHandler], at_once: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._free = threading.BoundedSemaphore(at_once)
        super().__init__((address.host, address.port), handler)

    def server_bind(self) -> None:
        """Bind without asking the DNS for our own name, as the parent does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: object, client_address: object) -> None:
        """Hang up on what comes beyond the limit."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)  # type: ignore[arg-type]
        else:
            self.shutdown_request(request)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Make room for the next one when this one is over."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""

    def url(self, scheme: str = "http") -> str:
        """Return where it listens."""
        host, port = self.server_address[:2]
        name = str(host)
        return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"


class _Server(LimitedServer):
    """What the handler asks for the pages."""

    def __init__(self, address: Address, health: Health) -> None:
        self.health = health
        super().__init__(address, _Handler, _AT_ONCE)


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    server: _Server

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        from json import dumps

        status, content = self.server.health.page(self.path.partition("?")[0]) or (404, {"status": "no such page"})
        body = dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def version_string(self) -> str:
        return "confsvc"

    def log_message(self, *_: object) -> None:
        """Probes are asked for every few seconds: nobody wants to read that."""
