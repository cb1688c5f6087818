"""What must hold after every case, whatever the case is about. Each oracle says what it has against an observation."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from confsvc.testing import find_leaks
from observing import Entry, Seen

__all__ = ["ORACLES", "Case", "Observation", "judge"]

_TOLERANCE = 0.25  # seconds after the deadline
_STANDARD_FILES = 3
_MOST_HINTS = 3
_FOLDER = 0o4  # of what kind a path is


class Case(NamedTuple):
    """What is expected of a run: its ``status``, ``words`` in what it says, ``requests`` at most, and its ``deadline``.

    ``orphans`` is how many tokens it cannot know of, as the answers to its logins are lost on the way. ``generations``
    are the complete sets of settings there are; ``secrets`` is what must show nowhere. ``may_change`` is the folder
    that a run which worked may change.
    """

    status: int
    words: Sequence[str]
    requests: int
    deadline: float
    generations: Sequence[Mapping[str, str]]
    secrets: Sequence[str]
    orphans: int = 0
    may_change: str = ""


class Observation(NamedTuple):
    """What was seen: ``received`` is what the program got, None where it did not start.

    ``seconds`` is how long the run took from the first thing that the deadline holds for. ``files`` is how many
    descriptors the program was started with. ``before`` and ``after`` are the trees of all folders that it could write
    to, ``written`` what is in files that are new or another than before; ``leases`` is how many tokens there are more.
    """

    case: Case
    seen: Seen
    received: Mapping[str, str] | None
    seconds: float
    files: int
    before: Mapping[str, Entry]
    after: Mapping[str, Entry]
    written: bytes
    requests: int
    leases: int


def judge(observation: Observation) -> dict[str, list[str]]:
    """Return what each oracle that is not content says."""
    found = {name: oracle(observation) for name, oracle in ORACLES.items()}
    return {name: complaints for name, complaints in found.items() if complaints}


def all_or_nothing(one: Observation) -> list[str]:
    """O1: it starts with one whole generation, or not at all."""
    if one.received is None:
        return ["it says that all is well, and nothing started"] if one.seen.status == 0 else []
    if one.case.status:
        return ["it started"]
    return [] if dict(one.received) in [dict(g) for g in one.case.generations] else ["what it got is no generation"]


def bounded(one: Observation) -> list[str]:
    """O2: it ends by the deadline."""
    late = one.seconds - one.seen.waited - one.case.deadline
    return [f"it ended {late:.2f} s after the deadline"] if late > _TOLERANCE else []


def no_leak(one: Observation) -> list[str]:
    """O3: no secret in what is printed, in command lines or in files, in any encoding."""
    places = {"stdout": one.seen.out, "stderr": one.seen.err, "a file": one.written}
    places["a command line"] = b"\n".join(one.seen.commands)
    return [
        f"a secret is in {place} ({', '.join(forms)})"
        for secret in one.case.secrets
        for place, data in places.items()
        if (forms := find_leaks(secret, data))
    ]


def nothing_lost(one: Observation) -> list[str]:
    """O4: what was there is there, and is the same file with the same mode and bytes."""
    if not one.case.status and one.case.may_change:
        return []
    gone = [path for path, entry in one.before.items() if one.after.get(path) != entry and entry.kind != _FOLDER]
    return [f"{path} is not what it was" for path in gone]


def said_well(one: Observation) -> list[str]:
    """O5: the right status, and a short message that says where and what."""
    text = one.seen.err.decode(errors="replace")
    found = [f"{word!r} is not said" for word in one.case.words if word not in text]
    if one.seen.status != one.case.status:
        found.append(f"the status is {one.seen.status}, not {one.case.status}")
    if "Traceback" in text:
        found.append("a traceback")
    lines = [line for line in text.splitlines() if line.strip()]
    rows = [line for line in lines if line.startswith("  ")]
    hints = [line for line in lines if line.startswith("hint:")]
    if one.case.status and not re.search(r"^error: .", text, re.MULTILINE):
        found.append("no error is told")
    if len(hints) > _MOST_HINTS or len(lines) > len(rows) + len(hints) + 1 or len(rows) > len(one.case.generations[0]):
        found.append(f"{len(lines)} lines")
    return found


def upstream_safe(one: Observation) -> list[str]:
    """O6: no more requests than planned."""
    return [f"{one.requests} requests"] if one.requests > one.case.requests else []


def clean(one: Observation) -> list[str]:
    """O7: no new file, process, descriptor, token or lease."""
    may = one.case.may_change
    new = [f"{path} is new" for path in one.after if path not in one.before and not (may and path.startswith(may))]
    new += [f"{one.files} descriptors"] if one.files > _STANDARD_FILES else []
    new += [f"{one.leases} tokens"] if one.leases > one.case.orphans else []
    return [*new, *one.seen.left]


ORACLES: Mapping[str, Callable[[Observation], list[str]]] = {
    "O1": all_or_nothing,
    "O2": bounded,
    "O3": no_leak,
    "O4": nothing_lost,
    "O5": said_well,
    "O6": upstream_safe,
    "O7": clean,
}
