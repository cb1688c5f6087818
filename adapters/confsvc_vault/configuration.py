"""How to reach the server: what the manifest says, and what the environment fills in."""

import os
from typing import NamedTuple

from confsvc.adapter import Backend
from confsvc.errors import ManifestError
from confsvc.http import Origin, Tls, parse_origin
from confsvc_vault.values import text_of, variable

__all__ = ["Configuration", "read_configuration"]

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"", "0", "f", "F", "FALSE", "false", "False"})
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Configuration(NamedTuple):
    """Where the server is and how to speak to it.

    ``timeout`` is how long one round of requests may take, in seconds. ``via_agent`` says that the address is an
    agent's, which may log in by itself. ``kv_version`` is zero where it is to be found out.
    """

    origin: Origin
    namespace: str
    tls: Tls
    timeout: float
    connections: int
    redirect_origins: tuple[Origin, ...]
    via_agent: bool
    kv_version: int
    kv_mount: str


def read_configuration(backend: Backend) -> Configuration:
    """Return the configuration of ``backend``.

    Raises:
        ManifestError: there is no address, it is no address, or a variable holds what cannot be used.

    """
    options = backend.options
    insecure = bool(options.get("insecure", False))
    origins = options.get("redirect_origins", ())
    listed = [str(origin) for origin in origins] if isinstance(origins, list | tuple) else []
    address, via_agent = _address(backend)
    return Configuration(
        origin=parse_origin(address, insecure=insecure),
        namespace=(_text(backend, "namespace") or variable(backend, "NAMESPACE")).strip("/"),
        tls=_tls(backend),
        timeout=float(str(options.get("request_timeout", 0))) or _seconds(variable(backend, "CLIENT_TIMEOUT")),
        connections=int(str(options.get("connections", 16))),
        redirect_origins=tuple(parse_origin(text, insecure=insecure) for text in listed),
        via_agent=via_agent,
        kv_version=_kv_version(backend),
        kv_mount=str(options.get("kv_mount", "")).strip("/"),
    )


def _kv_version(backend: Backend) -> int:
    version = backend.options.get("kv_version", 0)
    if version not in {0, 1, 2}:
        raise ManifestError("`kv_version` is 1 or 2")
    return int(str(version))


def _text(backend: Backend, key: str) -> str:
    return text_of(backend, backend.options, key, ManifestError)


def _address(backend: Backend) -> tuple[str, bool]:
    """Return the address, and whether it is an agent's."""
    written = _text(backend, "address")
    if written:
        return written.strip(), False
    agent = variable(backend, "AGENT_ADDR")
    address = agent or variable(backend, "ADDR")
    if not address:
        raise ManifestError(
            f"the backend `{backend.name}` has no address",
            hint=f"write `address` in [backends.{backend.name}], or set VAULT_ADDR",
        )
    return address.strip(), bool(agent)


def _tls(backend: Backend) -> Tls:
    ca_file, ca_path = _file(backend, "ca_file"), _file(backend, "ca_path")
    if not ca_file and not ca_path:
        ca_file = variable(backend, "CACERT")
        ca_path = "" if ca_file else variable(backend, "CAPATH")
    skip = backend.options.get("tls_skip_verify")
    return Tls(
        ca_file=ca_file,
        ca_path=ca_path,
        cert_file=_file(backend, "cert_file") or variable(backend, "CLIENT_CERT"),
        key_file=_file(backend, "key_file") or variable(backend, "CLIENT_KEY"),
        server_name=_text(backend, "tls_server_name") or variable(backend, "TLS_SERVER_NAME"),
        verify=not (_switch(variable(backend, "SKIP_VERIFY")) if skip is None else skip),
    )


def _file(backend: Backend, key: str) -> str:
    path = _text(backend, key)
    return os.path.join(backend.directory, path) if path else ""


def _switch(text: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise ManifestError("VAULT_SKIP_VERIFY is neither true nor false")
    return text in _TRUE


def _seconds(text: str) -> float:
    """Return the seconds of ``90``, ``90s`` or ``1m30s``, zero for an empty text."""
    import re

    if text.isdecimal():
        return float(text)
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", text)
    if "".join(number + unit for number, unit in parts) != text:
        raise ManifestError("VAULT_CLIENT_TIMEOUT is not a duration", hint="write `60`, or `1m30s`")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
