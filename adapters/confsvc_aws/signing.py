"""Signature Version 4, as far as JSON calls need it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html describes it. botocore has it too, behind an
import that takes longer than a whole start; a test compares the two.
"""

import hmac
import time
from hashlib import sha256
from typing import NamedTuple

__all__ = ["Credentials", "signed_headers"]

_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """What requests are signed with. It is printed nowhere."""

    access_key: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        return "Credentials()"


def signed_headers(  # noqa: PLR0913 - all of it is signed
    credentials: Credentials, *, service: str, region: str, host: str, headers: dict[str, str], body: bytes, now: float
) -> dict[str, str]:
    """Return ``headers`` of a ``POST /`` with what proves who sends it. ``now`` is in seconds since the epoch."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    signed = {**headers, "X-Amz-Date": stamp}
    if credentials.token:
        signed["X-Amz-Security-Token"] = credentials.token
    lines = {"host": host} | {name.lower(): " ".join(value.split()) for name, value in signed.items()}
    names = ";".join(sorted(lines))
    canonical = "\n".join(
        ["POST", "/", "", *(f"{name}:{lines[name]}" for name in sorted(lines)), "", names, sha256(body).hexdigest()]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join([_ALGORITHM, stamp, scope, sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (stamp[:8], region, service, "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    signed["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    )
    return signed
