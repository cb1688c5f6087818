"""An HTTP proxy in front of a server that counts what is asked for."""

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from serving import Server

__all__ = ["Counting", "run_counting"]


class Counting:
    """``asked`` is how often each path was, by its method and the path: `GET /v1/secret/data/app`.

    ``operations`` counts the AWS operations by name, which their requests have in a header.
    """

    def __init__(self) -> None:
        self.address = ""
        self.asked: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.lock = threading.Lock()


@contextmanager
def run_counting(address: str) -> Iterator[Counting]:
    """Pass everything on to ``address``."""
    counting = Counting()
    host = urlsplit(address).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            with counting.lock:
                counting.asked[f"{self.command} {self.path}"] += 1
                if "X-Amz-Target" in self.headers:
                    counting.operations[self.headers["X-Amz-Target"].rpartition(".")[2]] += 1
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = http.client.HTTPConnection(host, timeout=30)
            kept = {name: text for name, text in self.headers.items() if name.lower() not in {"host", "connection"}}
            connection.request(self.command, self.path, body, kept)
            answer = connection.getresponse()
            data = answer.read()
            connection.close()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.getheader("Content-Type", "application/json"))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815 - http.server's names

        def log_message(self, *_arguments: object) -> None:
            pass

    server = Server(Handler)
    counting.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield counting
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
