"""What is known about a secret without reading it: KV version 2 keeps that apart, and policies may allow it alone."""

from collections.abc import Mapping, Sequence

from confsvc.adapter import Deadline, Description, Undescribed
from confsvc.errors import AdapterError, DeadlineError, Denied, Malformed, NotFound
from confsvc.http import Answer, Call, number_of, object_of, table_of
from confsvc_vault.documents import denied
from confsvc_vault.errors import of_status
from confsvc_vault.login import Login
from confsvc_vault.paths import Mount, Target, escape
from confsvc_vault.reading import locate
from confsvc_vault.server import Heard, Server, headers_for

__all__ = ["Described", "describe_targets"]

Described = Description | AdapterError | DeadlineError

_NO = (NotFound, Denied, Malformed)  # what is said of a secret, and not for want of an answer


def describe_targets(
    server: Server, targets: Sequence[Target], login: Login, deadline: Deadline
) -> dict[Target, Described]:
    """Return the description of every one of ``targets``. No value is asked for.

    Where a secret was described before, its mount is not asked for again: that halves the requests of who watches.
    """
    known = {target: server.described[target] for target in targets if target in server.described}
    found = _describe(server, known, login, deadline)
    for target in [target for target, one in found.items() if isinstance(one, _NO)]:
        del server.described[target], found[target]  # another engine may be mounted there by now
    others = [target for target in targets if target not in found]
    located = locate(server, others, login.token.reveal(), deadline) if others else {}
    mounts: dict[Target, Mount] = {}
    for target, place in located.items():
        mount = target.guess(2) if place is None else place
        if not isinstance(mount, Mount):
            found[target] = mount
        elif mount.version != 2:
            found[target] = Undescribed(f"nothing is kept about `{target.path}`: only KV engines of version 2 do that")
        else:
            mounts[target] = mount
    return found | _describe(server, mounts, login, deadline)


def _describe(
    server: Server, mounts: Mapping[Target, Mount], login: Login, deadline: Deadline
) -> dict[Target, Described]:
    """Return the descriptions of secrets in KV engines of version 2."""
    token = login.token.reveal()
    places = {target: target.place(mount, "metadata") for target, mount in mounts.items()}
    calls = [Call("GET", "/v1/" + escape(place), headers_for(token, t.namespace)) for t, place in places.items()]
    heard = server.send(calls, deadline=deadline) if calls else []
    found = {
        target: _description(answer, target, places[target], login.who)
        for target, answer in zip(mounts, heard, strict=True)
    }
    server.described |= {target: mounts[target] for target, one in found.items() if isinstance(one, Description)}
    return found


def _description(answer: Heard, target: Target, place: str, who: str) -> Described:
    if not isinstance(answer, Answer):
        return answer
    if answer.status == 403:
        return denied(place, target.namespace, who)
    if answer.status == 404:
        return NotFound(f"`{place}` is not there")
    data = table_of(object_of(answer), "data")
    if answer.status != 200 or not data:
        return of_status(answer.status, f"`{place}`")
    version = target.version or str(number_of(data.get("current_version")))
    entry = table_of(table_of(data, "versions"), version)
    if not entry:
        return NotFound(f"`{place}` has no version {version}")
    return Description(version, _time(entry.get("created_time")), _state(entry), _custom(data))


def _state(entry: Mapping[str, object]) -> str:
    if entry.get("destroyed") is True:
        return "destroyed"
    return "deleted" if entry.get("deletion_time") else ""


def _custom(data: Mapping[str, object]) -> dict[str, str]:
    return {str(name): str(text) for name, text in table_of(data, "custom_metadata").items()}


def _time(value: object) -> str:
    """Return a time as the server writes it, empty where it is none: it will be printed."""
    text = str(value)
    return text if len(text) < 40 and set(text) <= set("0123456789-:.TZ+") else ""
