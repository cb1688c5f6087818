"""What surrounds the process has no say in where a token goes: no redirect, proxy, netrc or variable."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from confsvc.adapter import Deadline
from confsvc.http import Answer, Call, Client, Origin
from openbao import free_port

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]

CANARY = "hunter2canary"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

READ = """
import sys
import threading
from confsvc.adapter import Deadline
from confsvc.http import Call, Client, parse_origin
client = Client(parse_origin(sys.argv[1]))
(outcome,) = client.send([Call("GET", "/v1/a", {"X-Vault-Token": "t"})], deadline=Deadline(10))
print(outcome.status)
"""


def good(connection: socket.socket, _request: bytes) -> None:
    """Answer anything."""
    connection.sendall(GOOD)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_redirect_is_an_answer_and_nobody_else_sees_the_token(serve: Serve, status: int, host: str) -> None:
    elsewhere, stolen = serve(good)
    head = f"HTTP/1.1 {status} X\r\nLocation: http://{host}:{elsewhere}/v1/a\r\nContent-Length: 0\r\n\r\n".encode()
    port, _ = serve(lambda connection, _: connection.sendall(head))
    client = Client(Origin("http", "127.0.0.1", port))
    (outcome,) = client.send([Call("GET", "/v1/a", {"X-Vault-Token": CANARY})], deadline=Deadline(10))
    client.close()
    assert isinstance(outcome, Answer)
    assert outcome.status == status
    assert stolen == []


def test_no_variable_or_file_of_the_user_is_obeyed(serve: Serve, tmp_path: Path) -> None:
    proxy, stolen = serve(good)
    port, requests = serve(good)
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login me password {CANARY}\n")
    (tmp_path / ".netrc").chmod(0o600)
    address = f"http://127.0.0.1:{proxy}"
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    environ = dict.fromkeys(names, address) | {"HOME": str(tmp_path), "NETRC": str(tmp_path / ".netrc")}
    done = subprocess.run(
        [sys.executable, "-c", READ, f"http://127.0.0.1:{port}"], env=environ, capture_output=True, check=True
    )
    assert done.stdout == b"200\n"
    assert stolen == []
    assert CANARY.encode() not in requests[0]
    assert b"authorization" not in requests[0].lower()


def test_localhost_is_found_on_either_address_without_asking_anyone(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: object) -> list[object]:
        raise AssertionError

    monkeypatch.setattr("_socket.getaddrinfo", look_up)
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        if family == socket.AF_INET6 and not has_ipv6():
            pytest.skip("this machine has no IPv6 loopback")
        # At the other address, too, nobody else listens at this port.
        with socket.create_server((address, free_port()), family=family) as listener:
            client = Client(Origin("http", "localhost", listener.getsockname()[1]))
            listener.settimeout(10)
            assert answered(client, listener)
            client.close()


def has_ipv6() -> bool:
    """Tell whether `::1` can be listened on."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def answered(client: Client, listener: socket.socket) -> bool:
    """Tell whether ``client`` gets an answer from ``listener``."""

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(GOOD)

    worker = threading.Thread(target=answer)
    worker.start()
    (outcome,) = client.send([Call("GET", "/")], deadline=Deadline(10))
    worker.join()
    return isinstance(outcome, Answer)
