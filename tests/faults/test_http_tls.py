"""Who a backend says it is, proved or refused: certificates made here, served by real TLS servers on loopback."""

import datetime
import ipaddress
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from confsvc.adapter import Deadline
from confsvc.errors import AdapterError, DeadlineError, ManifestError, Unavailable
from confsvc.http import Answer, Call, Client, Origin, RetryPolicy, Tls

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]
Outcome = Answer | AdapterError | DeadlineError

CANARY = "hunter2canary"
QUICK = RetryPolicy(base=0.01)
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    """An authority that issues certificates into ``folder``."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        builder = self.builder(self.name, self.key.public_key(), -DAY, DAY)
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        self.write(self.file, builder.add_extension(constraint, critical=True), None)

    def builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime.timedelta, end: datetime.timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + start)
            .not_valid_after(NOW + end)
        )

    def write(self, path: Path, builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey | None) -> None:
        text = builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        if key:
            text += key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        path.write_bytes(text)

    def issue(self, file: str, *names: str, start: datetime.timedelta = -DAY, end: datetime.timedelta = DAY) -> Path:
        """Return a file with a certificate for ``names`` and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, file)])
        spelled = [
            x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
        ]
        builder = self.builder(subject, key.public_key(), start, end)
        path = self.folder / f"{file}.pem"
        self.write(path, builder.add_extension(x509.SubjectAlternativeName(spelled), critical=False), key)
        return path


class Server:
    """A TLS server that answers every request with the same. ``resumed`` has a truth value for each connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self.listener.getsockname()[1])
        self.resumed: list[bool] = []
        self.heard = bytearray()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def converse(self, plain: socket.socket) -> None:
        with suppress(OSError), plain, self.context.wrap_socket(plain, server_side=True) as connection:
            self.resumed.append(bool(connection.session_reused))
            while data := connection.recv(65536):
                self.heard += data
                connection.sendall(GOOD * data.count(b"\r\n\r\n"))
                if b"\r\nConnection: close\r\n" in data:
                    break

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


Start = Callable[[Path], Server]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that tests trust."""
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts a TLS server with the certificate and key in a file."""
    servers: list[Server] = []

    def make(file: Path) -> Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        servers.append(Server(context))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def ask(port: int, tls: Tls, *, host: str = "127.0.0.1", count: int = 1) -> list[Outcome]:
    """Return what ``count`` reads come to."""
    client = Client(Origin("https", host, port), tls=tls)
    calls = [Call("GET", "/v1/a", {"X-Vault-Token": CANARY})] * count
    outcomes = client.send(calls, deadline=Deadline(10), retry=QUICK)
    client.close()
    return outcomes


def refusal(port: int, tls: Tls, *, host: str = "127.0.0.1") -> Unavailable:
    """Return the error that a read ends in, free of what was sent."""
    (outcome,) = ask(port, tls, host=host)
    assert isinstance(outcome, Unavailable)
    assert outcome.exit_status == 69
    assert outcome.__context__ is None
    assert CANARY not in f"{outcome!r} {outcome.hint} {vars(outcome)}"
    return outcome


@pytest.mark.parametrize(
    ("names", "host", "server_name"),
    [
        (["127.0.0.1"], "127.0.0.1", ""),
        (["localhost"], "localhost", ""),
        (["vault.example.com"], "127.0.0.1", "vault.example.com"),
        (["*.example.com"], "127.0.0.1", "vault.example.com"),
    ],
)
def test_a_certificate_of_a_trusted_authority_for_the_name_is_believed(
    authority: Authority, start: Start, names: list[str], host: str, server_name: str
) -> None:
    server = start(authority.issue("good", *names))
    outcomes = ask(server.port, Tls(ca_file=str(authority.file), server_name=server_name), host=host, count=40)
    assert {one.body for one in outcomes if isinstance(one, Answer)} == {b"hello"}
    assert len(outcomes) == 40


def test_an_authority_that_is_not_trusted_is_named(authority: Authority, start: Start, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    server = start(other.issue("theirs", "127.0.0.1"))
    error = refusal(server.port, Tls(ca_file=str(authority.file)))
    assert str(error) == f"the certificate of `127.0.0.1:{server.port}` is not trusted by `{authority.file}`"
    assert server.heard == b""


def test_the_machines_own_authorities_do_not_trust_ours(authority: Authority, start: Start) -> None:
    server = start(authority.issue("private", "127.0.0.1"))
    assert str(refusal(server.port, Tls())).endswith("is not trusted by this machine's authorities")


def test_no_variable_decides_whom_to_trust(authority: Authority, start: Start) -> None:
    server = start(authority.issue("ambient", "127.0.0.1"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(authority.file))
        patch.setenv("SSL_CERT_DIR", str(authority.folder))
        assert "not trusted" in str(refusal(server.port, Tls()))


@pytest.mark.parametrize(("first", "last"), [(-3 * DAY, -DAY), (DAY, 3 * DAY)], ids=["expired", "not yet"])
def test_a_certificate_out_of_its_time_says_so_and_what_the_clock_says(
    authority: Authority, start: Start, first: datetime.timedelta, last: datetime.timedelta
) -> None:
    server = start(authority.issue("old", "127.0.0.1", start=first, end=last))
    before = today()
    error = refusal(server.port, Tls(ca_file=str(authority.file)))
    assert "has expired, or is not valid yet" in str(error)
    assert any(day in error.hint for day in (before, today()))


def today() -> str:
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("names", "host", "server_name", "expected"),
    [
        (["vault.example.com"], "127.0.0.1", "", "127.0.0.1"),
        (["127.0.0.1"], "localhost", "", "localhost"),
        (["localhost"], "localhost", "vault.example.com", "vault.example.com"),
        (["*.example.com"], "127.0.0.1", "a.b.example.com", "a.b.example.com"),
    ],
)
def test_a_certificate_for_another_name_is_refused(
    authority: Authority, start: Start, names: list[str], host: str, server_name: str, expected: str
) -> None:
    server = start(authority.issue("elsewhere", *names))
    error = refusal(server.port, Tls(ca_file=str(authority.file), server_name=server_name), host=host)
    assert str(error).endswith(f"is not for `{expected}`")
    assert server.heard == b""


def test_without_verification_anyone_is_believed(authority: Authority, start: Start) -> None:
    server = start(authority.issue("anyone", "vault.example.com", end=-DAY / 2))
    (outcome,) = ask(server.port, Tls(verify=False))
    assert isinstance(outcome, Answer)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(authority: Authority, start: Start) -> None:
    server = start(authority.issue("ancient", "127.0.0.1"))
    server.context.minimum_version = ssl.TLSVersion.TLSv1
    server.context.maximum_version = ssl.TLSVersion.TLSv1_1
    server.context.set_ciphers("DEFAULT:@SECLEVEL=0")
    error = refusal(server.port, Tls(ca_file=str(authority.file)))
    assert "no version of TLS from 1.2 on" in str(error)


def test_tls_1_2_is_enough(authority: Authority, start: Start) -> None:
    server = start(authority.issue("older", "127.0.0.1"))
    server.context.maximum_version = ssl.TLSVersion.TLSv1_2
    outcomes = ask(server.port, Tls(ca_file=str(authority.file)), count=40)
    assert all(isinstance(one, Answer) for one in outcomes)


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", b"\0" * 64])
def test_a_port_that_does_not_speak_tls_is_said_to(authority: Authority, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = threading.Thread(target=greet, args=(listener, greeting))
        worker.start()
        error = refusal(listener.getsockname()[1], Tls(ca_file=str(authority.file)))
        worker.join()
    assert str(error).endswith("does not speak TLS")


def greet(listener: socket.socket, greeting: bytes) -> None:
    """Answer one connection with ``greeting``."""
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        connection.recv(65536)
        connection.sendall(greeting)
        connection.recv(1)


def test_a_connection_lost_while_shaking_hands_is_tried_again(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        lost: list[bool] = []

        def lose() -> None:
            for _ in range(4):
                listener.accept()[0].close()
                lost.append(True)

        worker = threading.Thread(target=lose)
        worker.start()
        error = refusal(listener.getsockname()[1], Tls(ca_file=str(authority.file)))
        worker.join()
    assert str(error).endswith("closed the connection during the TLS handshake")
    assert len(lost) == 4


def test_a_client_certificate_is_shown_where_one_is_wanted(authority: Authority, start: Start) -> None:
    server = start(authority.issue("mutual", "127.0.0.1"))
    server.context.verify_mode = ssl.CERT_REQUIRED
    server.context.load_verify_locations(authority.file)
    client = authority.issue("client", "client.example")
    outcomes = ask(server.port, Tls(ca_file=str(authority.file), cert_file=str(client)), count=20)
    assert all(isinstance(one, Answer) for one in outcomes)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shown", ["none", "expired", "of a stranger"])
def test_a_client_certificate_that_is_not_taken_is_said(
    authority: Authority, start: Start, tmp_path: Path, version: ssl.TLSVersion, shown: str
) -> None:
    server = start(authority.issue("choosy", "127.0.0.1"))
    server.context.verify_mode = ssl.CERT_REQUIRED
    server.context.maximum_version = version
    server.context.load_verify_locations(authority.file)
    files = {
        "none": "",
        "expired": str(authority.issue("late", "client.example", end=-DAY / 2)),
        "of a stranger": str(Authority(tmp_path, "stranger").issue("guest", "client.example")),
    }
    tls = Tls(ca_file=str(authority.file), cert_file=files[shown])
    error = refusal(server.port, tls)
    # With TLS 1.3 the server refuses after the handshake, and a reset can overtake what it says: then ask again.
    for _ in range(10):
        if "without an answer" not in str(error):
            break
        error = refusal(server.port, tls)
    # TLS 1.2 does not tell a missing certificate from anything else that is not to its liking.
    silent = shown == "none" and version == ssl.TLSVersion.TLSv1_2
    assert ("refused the TLS handshake" if silent else "does not accept the client certificate") in str(error)
    assert "client certificate" in f"{error} {error.hint}"
    assert "cert_file" in error.hint


def broken_settings(authority: Authority, folder: Path) -> dict[str, Tls]:
    """Return settings that name files which cannot be used."""
    empty, text, locked = folder / "empty.pem", folder / "text.pem", folder / "locked.pem"
    empty.write_text("")
    text.write_text(f"-----BEGIN CERTIFICATE-----\n{CANARY}\n-----END CERTIFICATE-----\n")
    key = ec.generate_private_key(ec.SECP256R1())
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"pw")
        )
    )
    ours = authority.issue("ours", "client.example")
    return {
        "no such file": Tls(ca_file=str(folder / "none.pem")),
        "an empty file": Tls(ca_file=str(empty)),
        "not certificates": Tls(ca_file=str(text)),
        "no such folder": Tls(ca_path=str(folder / "none")),
        "a file for a folder": Tls(ca_path=str(empty)),
        "no certificate": Tls(verify=False, cert_file=str(folder / "none.pem")),
        "no key": Tls(verify=False, cert_file=str(authority.file)),
        "a locked key": Tls(verify=False, cert_file=str(ours), key_file=str(locked)),
        "another's key": Tls(verify=False, cert_file=str(ours), key_file=str(authority.issue("x", "x.example"))),
        "not a name": Tls(server_name="a..b"),
    }


def test_files_that_cannot_be_used_are_the_manifests_fault(authority: Authority, start: Start, tmp_path: Path) -> None:
    server = start(authority.issue("unused", "127.0.0.1"))
    for case, tls in broken_settings(authority, tmp_path).items():
        with pytest.raises(ManifestError) as caught:
            ask(server.port, tls)
        assert caught.value.exit_status == 78, case
        assert caught.value.__context__ is None, case
        assert CANARY not in f"{caught.value!r} {caught.value.hint}"


def test_a_folder_of_authorities_is_looked_into(authority: Authority, start: Start, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("needs the command openssl: apt-get install openssl")
    named = subprocess.run(
        [openssl, "x509", "-hash", "-noout", "-in", authority.file], capture_output=True, check=True, text=True
    )
    shutil.copy(authority.file, tmp_path / f"{named.stdout.strip()}.0")
    server = start(authority.issue("folder", "127.0.0.1"))
    (outcome,) = ask(server.port, Tls(ca_path=str(tmp_path)))
    assert isinstance(outcome, Answer)


def test_a_later_connection_starts_where_an_earlier_one_left_off(authority: Authority, start: Start) -> None:
    server = start(authority.issue("again", "127.0.0.1"))
    client = Client(Origin("https", "127.0.0.1", server.port), tls=Tls(ca_file=str(authority.file)))
    for _ in range(2):
        (outcome,) = client.send([Call("GET", "/")], deadline=Deadline(10))
        assert isinstance(outcome, Answer)
        client.close()
    assert server.resumed == [False, True]


def test_a_connection_is_kept_between_sends(authority: Authority, start: Start) -> None:
    server = start(authority.issue("kept", "127.0.0.1"))
    client = Client(Origin("https", "127.0.0.1", server.port), tls=Tls(ca_file=str(authority.file)))
    for _ in range(3):
        (outcome,) = client.send([Call("GET", "/")], deadline=Deadline(10))
        assert isinstance(outcome, Answer)
    client.close()
    assert len(server.resumed) == 1


def test_an_answer_that_tls_cut_short_is_never_used(authority: Authority, start: Start) -> None:
    server = start(authority.issue("short", "127.0.0.1"))
    for data in (b"HTTP/1.1 200 OK\r\n\r\nhel", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "converse", lambda plain, data=data: blurt(server.context, plain, data))
            (outcome,) = ask(server.port, Tls(ca_file=str(authority.file)))
        assert isinstance(outcome, Unavailable)


def blurt(context: ssl.SSLContext, plain: socket.socket, data: bytes) -> None:
    """Answer with ``data`` and close in due form."""
    with suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as connection:
        connection.recv(65536)
        connection.sendall(data)
        connection.unwrap()


def test_only_what_tls_needs_is_loaded() -> None:
    code = (
        "import sys; from confsvc.adapter import Deadline; from confsvc.http import *\n"
        "Client(Origin('https', '127.0.0.1', 9)).send([Call('GET', '/')], deadline=Deadline(5))\n"
        "print('ssl' in sys.modules, [n for n in ('http', 'urllib', 'email', 'stringprep') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True)
    assert done.stdout == b"True []\n"
