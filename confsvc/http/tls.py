"""Proof that a backend is who it says it is.

`ssl` is imported when the first `https` connection opens, and only what is asked for is loaded: Python's own default
context parses a whole bundle of authorities, which takes longer than everything else this client does.
"""

import _socket
import time
from typing import TYPE_CHECKING, NamedTuple

from confsvc.errors import ManifestError
from confsvc.http.failures import Failure
from confsvc.http.origin import Origin, is_host
from confsvc.http.streams import Stream, TlsStream

if TYPE_CHECKING:
    import ssl

__all__ = ["Secure", "Tls", "explain", "make_context"]

_EXPIRED = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_MISMATCH = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_UNTRUSTED = {2, 18, 19, 20, 21, 27}  # no issuer, self-signed, not trusted

# OpenSSL's names of reasons, which are constants of the library and no text of the backend.
_NOT_TLS = {
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
    "UNKNOWN_PROTOCOL",
}
_VERSION = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "VERSION_TOO_LOW"}
_CLIENT_CERTIFICATE = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")

# Where the authorities of the machine are, for an OpenSSL that was built elsewhere and looks in the wrong place.
_FOLDERS = ("/etc/ssl/certs",)
_BUNDLES = ("/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem")


class Tls(NamedTuple):
    """Whom to trust, and what to show. Files are PEM.

    ``ca_file`` holds the authorities to trust, ``ca_path`` is a folder of them as ``openssl rehash`` makes it; with
    neither, the machine's own are trusted. ``cert_file`` and ``key_file`` are what a backend that asks is shown; the
    key may be in the same file. ``server_name`` is the name to check in the certificate instead of the host's.
    ``verify=False`` believes anyone: it is for a first look at a test server.
    """

    ca_file: str = ""
    ca_path: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    verify: bool = True

    def authorities(self) -> str:
        """Say whom this trusts, for a message."""
        return f"`{self.ca_file or self.ca_path}`" if self.ca_file or self.ca_path else "this machine's authorities"


class Secure:
    """What all connections to one origin share: the context, and where the last one left off."""

    __slots__ = ("_context", "origin", "session", "tls")

    def __init__(self, origin: Origin, tls: Tls) -> None:
        if not is_host(tls.server_name.lower() or "none"):
            raise ManifestError("the server name to expect in a certificate is not a host name")
        self.origin, self.tls = origin, tls
        self._context: ssl.SSLContext | None = None
        self.session: ssl.SSLSession | None = None

    def context(self) -> "ssl.SSLContext":
        """Return the context, made the first time.

        Raises:
            ManifestError: a file with certificates cannot be used.

        """
        if self._context is None:
            self._context = make_context(self.tls)
        return self._context

    def dress(self, socket: _socket.socket) -> TlsStream:
        """Return a stream through ``socket`` that checks whom it talks to."""
        return TlsStream(socket, self.context(), self.tls.server_name or self.origin.host, self.session)

    def remember(self, stream: Stream) -> None:
        """Let later connections start where ``stream`` is, without another exchange of certificates."""
        if isinstance(stream, TlsStream):
            self.session = stream.session or self.session


def make_context(tls: Tls) -> "ssl.SSLContext":
    """Return a context for ``tls``.

    Raises:
        ManifestError: a file that it names cannot be used.

    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        _load_authorities(context, tls)
    if tls.cert_file:
        _load_certificate(context, tls)
    return context


def _load_authorities(context: "ssl.SSLContext", tls: Tls) -> None:
    cafile, capath = (tls.ca_file, tls.ca_path) if tls.ca_file or tls.ca_path else _machine_authorities()
    try:
        context.load_verify_locations(cafile or None, capath or None)
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        usable = False
    else:
        usable = not (tls.ca_path and not _is_folder(tls.ca_path))
    if not usable:
        raise ManifestError(
            f"the certificate authorities in {tls.authorities()} cannot be read",
            hint="`ca_file` is a file of PEM certificates, `ca_path` a folder of them with their hashed names",
        )


def _load_certificate(context: "ssl.SSLContext", tls: Tls) -> None:
    try:
        # An empty password, or OpenSSL would ask for one on the terminal.
        context.load_cert_chain(tls.cert_file, tls.key_file or None, password="")
    except (OSError, ValueError):
        usable = False
    else:
        usable = True
    if not usable:
        raise ManifestError(
            f"the client certificate `{tls.cert_file}`, or its key, cannot be used",
            hint="both are PEM, they belong together, and the key has no pass phrase",
        )


def _machine_authorities() -> tuple[str, str]:
    """Return a bundle or a folder: a folder costs nothing, as OpenSSL opens only what it needs.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` are not asked: a variable must not decide whom a secret is fetched from.
    """
    import ssl

    built_in = ssl.get_default_verify_paths()
    for folder in (built_in.openssl_capath, *_FOLDERS):
        if _is_hashed(folder):
            return "", folder
    from os.path import isfile

    bundles = (built_in.openssl_cafile, *_BUNDLES)
    return next((bundle for bundle in bundles if isfile(bundle)), bundles[0]), ""


def _is_folder(path: str) -> bool:
    from os.path import isdir

    return isdir(path)


def _is_hashed(folder: str) -> bool:
    from os import scandir

    try:
        with scandir(folder) as entries:
            return any(entry.name.endswith(".0") for entry in entries)
    except OSError:
        return False


def explain(error: OSError, origin: Origin, tls: Tls) -> Failure | None:
    """Return what TLS has against ``origin``, by OpenSSL's codes, not its texts; None if the network was lost."""
    import ssl

    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error.verify_code, origin, tls)
    return _protocol(str(error.reason), origin.place)


def _protocol(reason: str, place: str) -> Failure:
    if reason in _NOT_TLS:
        return _refusal(f"`{place}` does not speak TLS", hint="is it a plain `http` port?")
    if reason in _VERSION:
        return _refusal(f"`{place}` speaks no version of TLS from 1.2 on")
    if "ALERT" in reason and any(part in reason for part in _CLIENT_CERTIFICATE):
        return _refusal(
            f"`{place}` does not accept the client certificate, or wants one",
            hint="set `cert_file` and `key_file`, and see that the certificate has not expired",
        )
    if "HANDSHAKE_FAILURE" in reason:
        return _refusal(
            f"`{place}` refused the TLS handshake", hint="does it want a client certificate? set `cert_file`"
        )
    return _refusal(f"the TLS connection with `{place}` failed")


def _certificate(code: int, origin: Origin, tls: Tls) -> Failure:
    whose = f"the certificate of `{origin.place}`"
    if code in _EXPIRED:
        clock = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        return _refusal(f"{whose} has expired, or is not valid yet", hint=f"this machine's clock says {clock}")
    if code in _MISMATCH:
        return _refusal(
            f"{whose} is not for `{tls.server_name or origin.host}`",
            hint="use the name that is in the certificate as the address, or set `server_name`",
        )
    if code in _UNTRUSTED:
        return _refusal(
            f"{whose} is not trusted by {tls.authorities()}", hint="set `ca_file` to the authority that issued it"
        )
    return _refusal(f"{whose} is not valid (OpenSSL verify code {code})")


def _refusal(message: str, hint: str = "") -> Failure:
    return Failure(message, hint, unsent=True)
