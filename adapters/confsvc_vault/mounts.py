"""Which secrets engine a path is in: the server is asked, as the vault command asks it.

``sys/internal/ui/mounts/PATH`` answers every token that may use anything in the mount. One request tells about all
paths in the same mount, so paths are grouped by their first segment, and what is not in the mount found by more.
"""

from collections.abc import Iterable, Mapping, Sequence

from confsvc.adapter import Deadline
from confsvc.errors import AdapterError, DeadlineError, Malformed
from confsvc.http import Answer, Call, object_of, table_of
from confsvc_vault.errors import of_status
from confsvc_vault.paths import Mount, Target, escape
from confsvc_vault.server import Heard, Server, headers_for

__all__ = ["Located", "expected_mount", "find_mounts", "fixed_mount", "looks_made"]

# Where a target is: its mount; None where the server does not tell; or why that could not be asked.
Located = Mount | AdapterError | DeadlineError | None

_ENDPOINT = "/v1/sys/internal/ui/mounts/"
# A token without a right in the mount gets 403, and so does one that asks about a mount that is not there.
_SILENT = frozenset({400, 403, 404, 405})
_ROUNDS = 3
# Where other engines than KV have what a read makes, database/creds/ROLE and its like; and those that nobody renames.
_MADE = frozenset({"creds", "static-creds"})
_OTHERS = frozenset({"cubbyhole", "identity", "pki", "sys"})


def looks_made(target: Target) -> bool:
    """Tell whether ``target`` most likely is in another engine than KV."""
    first, second = target.path.split("/")[:2]
    return second in _MADE or first in _OTHERS


def expected_mount(target: Target, version: int, path: str) -> Mount:
    """Return the mount of ``target`` as far as can be told without asking: KV version 2 unless another is said.

    ``version`` and ``path`` are what the backend says of its KV engines, zero and empty where it does not.
    """
    if not version and looks_made(target):
        return target.guess(0)._replace(kind="")
    return fixed_mount(target, version or 2, path)


def fixed_mount(target: Target, version: int, path: str) -> Mount:
    """Return the mount of ``target`` where the manifest says which version it has, and maybe where it is."""
    if not path:
        return target.guess(version)
    mount = Mount(path + "/", "kv", version)
    return mount if mount.holds(target.path) else target.guess(0)._replace(kind="")


def find_mounts(
    server: Server,
    targets: Iterable[Target],
    token: str,
    deadline: Deadline,
    *,
    expect: int,
    besides: Sequence[Call] = (),
) -> tuple[dict[Target, Located], list[Heard]]:
    """Return where each of ``targets`` is, and what was heard of ``besides``, calls that go with the first questions.

    ``expect`` is how many reads follow.
    """
    found: dict[Target, Located] = {}
    answers: list[Heard] = []
    pending = list(targets)
    for segments in range(1, _ROUNDS + 1):
        asked = list({target.start(segments): target for target in reversed(pending)}.values())
        if not asked:
            break
        calls = [*(_call(target, token) for target in asked), *(besides if segments == 1 else ())]
        outcomes = server.send(calls, deadline=deadline, expect=expect)
        answers += outcomes[len(asked) :]
        for target, heard in zip(asked, outcomes[: len(asked)], strict=True):
            located = _located(target, heard)
            found.update(dict.fromkeys(_alike(target, located, pending, segments), located))
        pending = [target for target in pending if target not in found]
    return found | dict.fromkeys(pending), answers


def _call(target: Target, token: str) -> Call:
    return Call("GET", _ENDPOINT + escape(target.path), headers_for(token, target.namespace))


def _alike(target: Target, located: Located, pending: Sequence[Target], segments: int) -> list[Target]:
    """Return those of ``pending`` for which the same holds as for ``target``."""
    if isinstance(located, Mount):
        return [one for one in pending if one.namespace == target.namespace and located.holds(one.path)]
    if located is None and segments == 1:
        return [target]  # there may be several mounts below this segment, and a right in another one of them
    start = target.start(segments)
    return [one for one in pending if one.start(segments) == start]


def _located(target: Target, heard: Heard) -> Located:
    if not isinstance(heard, Answer):
        return heard
    if heard.status == 404 and target.namespace:
        return Malformed(f"no namespace is called `{target.namespace}`", hint="bao namespace list")
    if heard.status in _SILENT:
        return None
    if heard.status != 200:
        return of_status(heard.status, f"asking which engine `{target.path}` is in")
    mount = _mount_of(heard)
    return mount if mount is not None and mount.holds(target.path) else None


def _mount_of(answer: Answer) -> Mount | None:
    data = _data_of(answer)
    path, kind = data.get("path"), data.get("type")
    if not isinstance(path, str) or not isinstance(kind, str) or not path.endswith("/"):
        return None
    if kind not in {"kv", "generic"}:
        return Mount(path, kind, 0)
    return Mount(path, "kv", 2 if str(table_of(data, "options").get("version")) == "2" else 1)


def _data_of(answer: object) -> Mapping[str, object]:
    """Return the ``data`` of a successful answer, empty for anything else."""
    if not isinstance(answer, Answer) or answer.status != 200:
        return {}
    return table_of(object_of(answer), "data")
