"""What a cloud gives a machine to prove who it is with."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from confsvc.adapter import Deadline
from confsvc.errors import Unauthenticated
from confsvc.http import Answer, Call, Client, parse_origin
from confsvc.reference import quote

if TYPE_CHECKING:
    from confsvc_vault.auth import Auth

__all__ = ["AwsCredentials", "aws_credentials", "gcp_token"]

_METADATA = "metadata.google.internal"
_LIFE = 600  # seconds; Vault refuses what lives longer than 15 minutes


class AwsCredentials(NamedTuple):
    """What requests to AWS are signed with. It is printed nowhere."""

    access_key: str
    secret_key: str
    token: str

    def __repr__(self) -> str:
        return "AwsCredentials()"


def aws_credentials(auth: "Auth") -> AwsCredentials:
    """Return those in the ``auth`` table, else those in the environment, else those that botocore finds.

    Raises:
        Unauthenticated: there are none.

    """
    key, secret, token = (auth.text(name) for name in ("access_key_id", "secret_access_key", "session_token"))
    if not key:
        key, secret = auth.environ("AWS_ACCESS_KEY_ID"), auth.environ("AWS_SECRET_ACCESS_KEY")
        token = auth.environ("AWS_SESSION_TOKEN")
    if key and secret:
        return AwsCredentials(key, secret, token)
    found = _from_botocore()
    if found is None:
        raise Unauthenticated(
            "there are no AWS credentials to log in with",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; profiles and roles need confsvc[aws]",
        )
    return found


def _from_botocore() -> AwsCredentials | None:
    try:
        exceptions, session = import_module("botocore.exceptions"), import_module("botocore.session")
    except ImportError:
        return None
    try:
        found: Any = session.get_session().get_credentials()
        frozen: Any = found.get_frozen_credentials() if found else None
    except exceptions.BotoCoreError:
        return None
    return AwsCredentials(frozen.access_key, frozen.secret_key, frozen.token or "") if frozen else None


def gcp_token(auth: "Auth", deadline: Deadline) -> str:
    """Return a token that says who we are: signed with a service account's key, else from the metadata server.

    Raises:
        Unauthenticated: there is neither.

    """
    key = auth.text("service_account_key")
    return _signed(key, auth.role) if key else _from_metadata(auth, deadline)


def _signed(key: str, role: str) -> str:
    """Sign a token as `gcloud iam service-accounts sign-jwt` does, for Vault's role type ``iam``."""
    import time
    from json import loads

    problem, hint, token = "", "", ""
    try:
        crypt, jwt = import_module("google.auth.crypt"), import_module("google.auth.jwt")
        account = loads(key)
        signer = crypt.RSASigner.from_service_account_info(account)
        claims = {"sub": account["client_email"], "aud": f"vault/{role}", "exp": int(time.time()) + _LIFE}
        token = jwt.encode(signer, claims).decode()
    except ImportError:
        problem, hint = "signing needs google-auth, which is not installed", "pip install 'confsvc[gcp]'"
    except (ValueError, KeyError, TypeError):
        problem = "`service_account_key` is not the JSON of a service account's key"
    if problem:
        raise Unauthenticated(problem, hint=hint)
    return token


def _from_metadata(auth: "Auth", deadline: Deadline) -> str:
    """Ask the machine's metadata server, for Vault's role type ``gce``. Only this machine can reach it."""
    host = auth.environ("GCE_METADATA_HOST") or _METADATA
    client = Client(parse_origin(f"http://{host}", insecure=True))
    path = "/computeMetadata/v1/instance/service-accounts/default/identity"
    query = f"?audience={quote(f'vault/{auth.role}')}&format=full"
    answer = client.send([Call("GET", path + query, {"Metadata-Flavor": "Google"})], deadline=deadline)[0]
    client.close()
    if not isinstance(answer, Answer) or answer.status != 200 or not answer.body.isascii():
        raise Unauthenticated(
            "the metadata server gives no token",
            hint="outside of Google Cloud, set `jwt` or `service_account_key`",
        )
    return answer.body.decode().strip()
