"""Reading documents, all of a batch side by side, each one once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from confsvc.adapter import Deadline, Outcome
from confsvc.errors import AdapterError, DeadlineError, Malformed
from confsvc.http import Call
from confsvc_vault.documents import denied, document_of, guessed_document
from confsvc_vault.login import Login
from confsvc_vault.mounts import Located, find_mounts, fixed_mount
from confsvc_vault.paths import Mount, Target, escape
from confsvc_vault.server import Heard, Server, headers_for

__all__ = ["Found", "checked_mount", "locate", "read_targets"]

Found = Outcome | DeadlineError

# Engines whose every read gives the same. Of others it may make a credential, which must not be made twice.
_REPEATABLE = frozenset({"kv", "cubbyhole", "identity", "pki", "system"})

# The names that engines of this version are given by default, and by most who mount one.
_USUAL = frozenset({"secret", "kv"})


class _Read(NamedTuple):
    """One request to make."""

    path: str
    namespace: str
    repeatable: bool


def read_targets(
    server: Server, targets: Iterable[Target], login: Login, deadline: Deadline, *, is_alive: Callable[[], bool]
) -> dict[Target, Found]:
    """Return the outcome of every one of ``targets``.

    ``is_alive`` tells whether the token is still good, and is asked where nothing at all is visible with it: a token
    that has ended is not tried on every path.
    """
    wanted, token = list(dict.fromkeys(targets)), login.token.reveal()
    likely = [_read(target, target.guess(2)) for target in wanted if login.is_ours and _is_likely(server, target)]
    calls = [_call(read, token) for read in likely]
    located, heard = _locate(server, wanted, token, deadline, calls)
    if all(place is None for place in located.values()) and not is_alive():
        return {target: denied(target.path, target.namespace, login.who) for target in wanted}
    reads = {target: _reads(target, located[target]) for target in wanted}
    needed = dict.fromkeys(read for several in reads.values() for read in several)
    answers = dict(zip(likely, heard, strict=True))
    answers |= _ask(server, [read for read in needed if read not in answers], token, deadline)
    return {
        target: _outcome(target, located[target], [answers[read] for read in reads[target]], login.who)
        for target in wanted
    }


def locate(server: Server, targets: Sequence[Target], token: str, deadline: Deadline) -> Mapping[Target, Located]:
    """Return where each of ``targets`` is, as the manifest says, or else the server."""
    return _locate(server, targets, token, deadline, [])[0]


def _locate(
    server: Server, targets: Sequence[Target], token: str, deadline: Deadline, besides: Sequence[Call]
) -> tuple[Mapping[Target, Located], Sequence[Heard]]:
    settings = server.configuration
    heard: Sequence[Heard] = []
    if settings.kv_version:
        found: Mapping[Target, Located] = {
            target: fixed_mount(target, settings.kv_version, settings.kv_mount) for target in targets
        }
    else:
        found, heard = find_mounts(server, targets, token, deadline, expect=len(targets), besides=besides)
    return {target: checked_mount(target, found[target]) for target in targets}, heard


def _is_likely(server: Server, target: Target) -> bool:
    """Tell whether ``target`` is most likely in a KV engine of version 2 under its first segment.

    Then it is read as if it were, while the server is asked: that saves a round trip where it is true, and where it is
    not, the answer is not looked at.
    """
    return not server.configuration.kv_version and target.path.partition("/")[0] in _USUAL


def checked_mount(target: Target, located: Located) -> Located:
    """Refuse what makes no sense before it is read: reading may make something."""
    if not isinstance(located, Mount):
        return located
    if not target.key(located):
        return Malformed(f"`{target.path}` is the mount of an engine, not something in it")
    if target.version and located.version != 2:
        return Malformed(f"`{target.path}` has no versions: only KV engines of version 2 keep them")
    return located


def _reads(target: Target, located: Located) -> list[_Read]:
    """Return what to ask for: both ways to read it where its mount is unknown."""
    if isinstance(located, Mount):
        return [_read(target, located)]
    if located is not None:
        return []
    return [_read(target, target.guess(2)), _read(target, target.guess(0)._replace(kind=""))]


def _read(target: Target, mount: Mount) -> _Read:
    path = "/v1/" + escape(target.place(mount))
    if target.version and mount.version == 2:
        path += f"?version={target.version}"
    return _Read(path, target.namespace, mount.kind in _REPEATABLE)


def _call(read: _Read, token: str) -> Call:
    return Call("GET", read.path, headers_for(token, read.namespace), alone=not read.repeatable)


def _ask(server: Server, reads: Sequence[_Read], token: str, deadline: Deadline) -> dict[_Read, Heard]:
    answers: dict[_Read, Heard] = {}
    for repeatable in (True, False):
        batch = [read for read in reads if read.repeatable is repeatable]
        if batch:
            methods = frozenset({"GET"}) if repeatable else frozenset[str]()
            heard = server.send([_call(read, token) for read in batch], deadline=deadline, methods=methods)
            answers.update(zip(batch, heard, strict=True))
    return answers


def _outcome(target: Target, located: Located, answers: Sequence[Heard], who: str) -> Found:
    if isinstance(located, Mount):
        return document_of(answers[0], target, located, who)
    if isinstance(located, AdapterError | DeadlineError):
        return located
    return guessed_document(answers[0], answers[1], target, who)
