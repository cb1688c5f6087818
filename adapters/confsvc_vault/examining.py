"""Examining a server: its health, who we are there, how long for, and what we may read."""

from collections.abc import Iterator, Mapping, Sequence

from confsvc.adapter import Deadline
from confsvc.diagnosis import Finding, finding_of, span
from confsvc.errors import AdapterError, DeadlineError, Malformed, Unauthenticated
from confsvc.http import Answer, Call, number_of, object_of, table_of
from confsvc.http.probing import answer_findings, probe, timed
from confsvc.reference import Reference
from confsvc_vault.documents import denied
from confsvc_vault.errors import of_status
from confsvc_vault.login import Login
from confsvc_vault.paths import Mount, Target, read_target
from confsvc_vault.reading import locate
from confsvc_vault.server import Server, headers_for
from confsvc_vault.session import Session

__all__ = ["examine_server"]

# Every state answers 200, so that a 5xx is somebody else's, such as a proxy's.
_HEALTH = "/v1/sys/health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200&drsecondarycode=200"
_SHORT = 3600.0  # seconds: a token that was given for less ends before most programs do
_ALLOWING = frozenset({"read", "root", "sudo"})


def examine_server(session: Session, references: Sequence[Reference], deadline: Deadline) -> Iterator[Finding]:
    """See `confsvc.diagnosis.Examiner`."""
    server = session.server
    settings = server.configuration
    for finding in probe(settings.origin, settings.tls, deadline):
        yield finding
        if finding.level == "problem":
            return
    is_open = False
    for finding in _health(server, deadline):
        yield finding
        is_open = finding == _OPEN or is_open
    if not is_open:
        return
    login = session.login(deadline)
    is_known = True
    for finding in _token(server, login, deadline):
        yield finding
        is_known = is_known and finding.level != "problem"
    if is_known:
        yield from _permissions(server, login, references, deadline)


_OPEN = Finding("server", "ok", "initialised, unsealed")


def _health(server: Server, deadline: Deadline) -> Iterator[Finding]:
    heard, took = timed(lambda: server.send([Call("GET", _HEALTH, {"X-Vault-Request": "true"})], deadline=deadline)[0])
    if not isinstance(heard, Answer):
        yield finding_of("server", heard)
        return
    found = object_of(heard)
    if heard.status != 200 or "sealed" not in found:
        error = of_status(heard.status, "its health")
        yield finding_of("server", error)._replace(fix="is this the address of Vault or OpenBao itself?")
        return
    yield from answer_findings(heard.headers, took)
    if found.get("initialized") is False:
        yield Finding("server", "problem", f"`{server.place}` is not initialised", "bao operator init", 69)
    elif found.get("sealed") is True:
        yield Finding("server", "problem", f"`{server.place}` is sealed", "bao operator unseal", 69)
    else:
        yield _OPEN
        if found.get("standby") is True:
            yield Finding("server", "note", "a standby: it passes requests on to the active node")


def _token(server: Server, login: Login, deadline: Deadline) -> Iterator[Finding]:
    heard = _ask(server, login, "GET", "/v1/auth/token/lookup-self", deadline)
    data = table_of(object_of(heard), "data") if isinstance(heard, Answer) and heard.status == 200 else {}
    if data:
        yield from _who(data, login)
        yield from _life(data, login)
        return
    if not isinstance(heard, Answer):
        yield finding_of("who", heard)
        return
    # Whoever the server knows is answered here, also without the policy `default`.
    known = _ask(server, login, "GET", "/v1/sys/internal/ui/mounts", deadline)
    if isinstance(known, Answer) and known.status == 200:
        fix = "the policy `default` allows `auth/token/lookup-self`"
        yield Finding("who", "note", f"{login.who}, which may not look itself up", fix)
        return
    message = "the token is not accepted: it has expired, was revoked, was used up, or never was one"
    yield finding_of("who", Unauthenticated(message, hint="log in again"))


def _who(data: Mapping[str, object], login: Login) -> Iterator[Finding]:
    policies = [_name(one) for one in _list(data.get("policies"))]
    whole = f"{login.who}, known as `{_name(data.get('display_name'))}`, with {_policies(policies)}"
    if "root" in policies:
        yield Finding("who", "warning", whole, "a root token may do everything: take one with a policy of its own")
    else:
        yield Finding("who", "ok", whole)


def _life(data: Mapping[str, object], login: Login) -> Iterator[Finding]:
    seconds = float(number_of(data.get("ttl")))
    uses = number_of(data.get("num_uses"))
    if uses:
        message = f"it can be used {uses} times more" if uses > 1 else "it can be used once more"
        yield Finding("token", "warning", message, "a start takes several requests: give it no `num_uses`")
    if not seconds and not data.get("expire_time"):
        yield Finding("token", "note", "it never ends", "a login of its own for each start ends by itself")
    elif login.is_ours:
        yield Finding("token", "ok", f"it lives {span(seconds)}, and is given back")
    else:
        renewable = data.get("renewable") is True
        short = seconds < _SHORT
        fix = ("`vault token renew` makes it longer" if renewable else "log in again before that") if short else ""
        yield Finding("token", "warning" if short else "ok", f"it lives {span(seconds)} more", fix)


def _permissions(
    server: Server, login: Login, references: Sequence[Reference], deadline: Deadline
) -> Iterator[Finding]:
    """Ask once for each namespace what we may do with all paths. Nothing is read."""
    home = server.configuration.namespace
    targets = {reference: read_target(reference, home) for reference in references}
    for reference, target in targets.items():
        if isinstance(target, Malformed):
            yield finding_of("permission", target)._replace(message=f"`{reference}`: {target.message}")
    wanted = [target for target in targets.values() if isinstance(target, Target)]
    if not wanted:
        return
    located = locate(server, wanted, login.token.reveal(), deadline)
    places: dict[str, dict[str, None]] = {}
    for target in wanted:
        mount = target.guess(2) if located[target] is None else located[target]
        if isinstance(mount, Mount):
            places.setdefault(target.namespace, {})[target.place(mount)] = None
        elif isinstance(mount, AdapterError | DeadlineError):
            yield finding_of("permission", mount)
    for namespace, paths in places.items():
        yield from _capabilities(server, login, namespace, list(paths), deadline)


def _capabilities(
    server: Server, login: Login, namespace: str, paths: Sequence[str], deadline: Deadline
) -> Iterator[Finding]:
    from json import dumps

    body = dumps({"paths": paths}).encode()
    heard = _ask(server, login, "POST", "/v1/sys/capabilities-self", deadline, body=body, namespace=namespace)
    if not isinstance(heard, Answer):
        yield finding_of("permission", heard)
        return
    found = object_of(heard)
    if heard.status != 200:
        fix = "the policy `default` allows `sys/capabilities-self`; `confsvc check` finds out by reading"
        yield Finding("permission", "note", "what may be read cannot be asked", fix)
        return
    refused = [path for path in paths if not _ALLOWING & {str(one) for one in _list(found.get(path))}]
    for path in refused:
        yield finding_of("permission", denied(path, namespace, login.who))
    if not refused:
        what = f"`{paths[0]}`" if len(paths) == 1 else f"all {len(paths)} paths"
        yield Finding("permission", "ok", f"{what} may be read")


def _ask(  # noqa: PLR0913 - a request
    server: Server,
    login: Login,
    method: str,
    path: str,
    deadline: Deadline,
    *,
    body: bytes = b"",
    namespace: str | None = None,
) -> Answer | AdapterError | DeadlineError:
    where = server.configuration.namespace if namespace is None else namespace
    call = Call(method, path, headers_for(login.token.reveal(), where), body)
    return server.send([call], deadline=deadline, methods=frozenset({"GET", "POST"}))[0]


def _policies(names: Sequence[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names)
    return f"the policy {listed}" if len(names) == 1 else f"the policies {listed}" if names else "no policy"


def _name(value: object) -> str:
    """Return a name that the server says, as it may be printed."""
    text = str(value)[:100]
    return text if text.isprintable() else "?"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
