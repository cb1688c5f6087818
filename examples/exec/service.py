"""A small web service. It knows nothing of confsvc: its settings are environment variables."""

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

PLAIN = ("LOG_LEVEL", "CACHE_TTL", "FEATURES")
SECRET = ("DATABASE_URL", "STRIPE_API_KEY")


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with the settings it runs with, its secrets masked."""

    def do_GET(self) -> None:
        settings = {name: os.environ[name] for name in PLAIN}
        settings |= {name: f"******** ({len(os.environ[name])} characters)" for name in SECRET}
        body = json.dumps({"pid": os.getpid(), "settings": settings}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
