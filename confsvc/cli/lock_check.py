"""What ``confsvc lock --check`` says."""

import re
from collections.abc import Mapping, Sequence

from confsvc.adapter import Deadline
from confsvc.cli import output
from confsvc.errors import Problem
from confsvc.fetching import Described, Pool, describe_documents
from confsvc.locking import Lock, read_lock
from confsvc.locking.moving import Move, moves_since
from confsvc.locking.pinning import locked_environment
from confsvc.locking.references import differences
from confsvc.reference import Reference
from confsvc.resolver import Request, plan_request

__all__ = ["check"]

_TOLD = frozenset({"moved", "gone", "appeared", "failed"})
_CHANGED = 65  # as what is wrong with a setting, which commands for CI end with 1 for


def check(requests: Mapping[str, Request], file: str) -> int:
    """Tell what moved since the lock ``file`` was made. Returns the exit status.

    Raises:
        LockError: it cannot be used, or does not have one of the environments.

    """
    lock = read_lock(file, next(iter(requests.values())).manifest.project)
    for name in requests:
        locked_environment(lock, name)  # before anybody is asked
    statuses, reports = set(), []
    for name, request in requests.items():
        problems, moves = _survey(request, lock)
        output.end_progress()
        statuses |= {_status(move) for move in moves} | ({_CHANGED} if problems else set())
        reports.append(_data(name, problems, moves))
        if not output.is_json():
            _print(name, problems, moves)
    if output.is_json():
        output.write_json({"environments": reports})
    return output.verdict(statuses - {0})


def _survey(request: Request, lock: Lock) -> tuple[list[Problem], list[Move]]:
    plan = plan_request(request)
    deadline = Deadline(request.timeout)
    pool = Pool(keeps=True)

    def describe(documents: Sequence[Reference]) -> Described:
        return describe_documents(documents, plan.backends, deadline, pool)

    try:
        found = moves_since(plan, lock, describe)
    finally:
        pool.close()
    return differences(plan, locked_environment(lock, plan.environment)), found


def _status(move: Move) -> int:
    if move.error is not None:
        return move.error.exit_status
    return _CHANGED if move.change in _TOLD else 0


def _print(name: str, problems: Sequence[Problem], moves: Sequence[Move]) -> None:
    told = [move for move in moves if move.change in _TOLD]
    for move in moves:
        if move.change == "unknown":
            output.note(f"{name}: {move.reference}: not known: {move.why}")
    if not problems and not told:
        output.write(f"ok: {name} is as it was locked\n")
        return
    output.write(f"{name} is not as it was locked\n")
    if problems:
        output.write(output.table([(p.name or p.reference, p.message) for p in problems]) + "\n")
    if told:
        output.write(output.table([_row(move) for move in told]) + "\n")


def _row(move: Move) -> tuple[str, ...]:
    versions = f"{move.locked} → {move.current}" if move.locked and move.current else move.current or move.locked
    since = re.sub(r"\.[0-9]+", "", move.since)  # people want no fractions of a second
    return (move.change, move.reference, versions, since, ", ".join(move.names), move.why)


def _data(name: str, problems: Sequence[Problem], moves: Sequence[Move]) -> dict[str, object]:
    return {
        "environment": name,
        "ok": not problems and not any(move.change in _TOLD for move in moves),
        "differences": [problem._asdict() for problem in problems],
        "references": [
            {
                "reference": move.reference,
                "change": move.change or "none",
                "locked": move.locked,
                "current": move.current,
                "since": move.since,
                "why": move.why,
                "settings": list(move.names),
            }
            for move in moves
        ],
    }
