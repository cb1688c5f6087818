"""hvac, over our own way of sending: its requests go through the same client as every other, under the same rules.

hvac, requests and urllib3 each follow redirects with the token, listen to proxy variables and to a netrc, and take a
timeout for every piece of an answer by itself. None of that is reached here.
"""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from confsvc.adapter import Deadline
from confsvc.errors import ManifestError
from confsvc.http import Answer, Call
from confsvc_vault.server import Server

if TYPE_CHECKING:
    import hvac
    import requests

__all__ = ["hvac_client", "last_status"]

_SAFE = frozenset({"GET", "HEAD", "LIST"})


def hvac_client(
    server: Server, deadline: Deadline, *, token: str = "", namespace: str = "", expect: int = 0, again: bool = False
) -> "hvac.Client":
    """Return an hvac client of ``server``, good until ``deadline``.

    ``again`` allows that a write is sent twice; ``expect`` is how many reads come right after.

    Raises:
        ManifestError: hvac is not installed.

    """
    library = _import_hvac()
    if library is None:
        raise ManifestError("this needs hvac, which is not installed", hint="pip install 'confsvc[vault]'")
    origin = server.configuration.origin
    client: hvac.Client = library.Client(
        url=f"{origin.scheme}://{origin.authority}",
        token=token,  # hvac looks for one by itself where this is None
        namespace=namespace or None,
        session=_session(server, deadline, expect=expect, methods=_SAFE | {"POST", "PUT"} if again else _SAFE),
        allow_redirects=False,
        verify=True,
        cert=(),
    )
    return client


def last_status(client: "hvac.Client") -> int:
    """Return the status of the last answer that ``client`` got, zero if there was none: hvac does not keep them all."""
    way: Any = client.session.get_adapter("https://")
    return int(way.status)


def _import_hvac() -> Any:
    try:
        import hvac
    except ImportError:
        return None
    return hvac


def _session(server: Server, deadline: Deadline, *, expect: int, methods: frozenset[str]) -> "requests.Session":
    import requests

    class Way(requests.adapters.BaseAdapter):
        """How requests sends: through the server's own client."""

        status = 0

        def send(
            self,
            request: requests.PreparedRequest,
            stream: bool = False,
            timeout: object = None,
            verify: object = True,
            cert: object = None,
            proxies: object = None,
        ) -> requests.Response:
            del stream, timeout, verify, cert, proxies
            body = request.body if isinstance(request.body, str | bytes) else b""
            call = Call(
                str(request.method),
                request.path_url,
                {name: _text(value) for name, value in request.headers.items()},
                body.encode() if isinstance(body, str) else body,
            )
            heard = server.send([call], deadline=deadline, expect=expect, methods=methods)[0]
            if not isinstance(heard, Answer):
                raise heard
            self.status = heard.status
            return _response(heard, request)

        def close(self) -> None:
            """Nothing: the server's connections are not this session's to close."""

    session = requests.Session()
    session.trust_env = False
    session.adapters.clear()
    way = Way()
    session.mount("https://", way)
    session.mount("http://", way)
    return session


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _response(answer: Answer, request: "requests.PreparedRequest") -> "requests.Response":
    import requests

    response = requests.Response()
    response.status_code = answer.status
    response.headers = requests.structures.CaseInsensitiveDict(dict(answer.headers))
    response.raw = BytesIO(answer.body)
    response.url = str(request.url)
    response.request = request
    response.encoding = "utf-8"
    return response
