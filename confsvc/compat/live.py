"""Whether a version fits what an environment really holds now."""

import os
import tempfile
from typing import NamedTuple

from confsvc.compat.git import Revision, export
from confsvc.compat.sides import Side
from confsvc.errors import ConfsvcError, Problem, UsageError
from confsvc.inject.environment import parent_environment
from confsvc.resolver import Request, resolve_request

__all__ = ["Stand", "stand_of"]


class Stand(NamedTuple):
    """One version in one environment. ``status`` is 0 where all settings resolve and fit, else that of the problems."""

    label: str
    environment: str
    status: int
    problems: tuple[Problem, ...] = ()


def stand_of(side: Side, environment: str, timeout: float) -> Stand:
    """Resolve the environment with the manifest and the schema of ``side``; the process environment decides nothing.

    Raises:
        UsageError: it is a model alone, which does not say where values are.

    """
    if side.manifest is None:
        raise UsageError(
            f"`{side.label}` is a model alone, which does not say what an environment reads",
            hint="name manifests, or revisions of one",
        )
    if side.revision is not None:
        return _of_old_code(side, side.revision, environment, timeout)
    request = Request(
        side.manifest,
        environment,
        side.schema,
        override=True,
        timeout=timeout,
        environ=parent_environment(),
        by="confsvc compat",
        cache=False,
    )
    failure: ConfsvcError | None = None
    try:
        resolve_request(request).unwrap()
    except ConfsvcError as error:
        failure = error
    if failure is None:
        return Stand(side.label, environment, 0)
    return Stand(side.label, environment, failure.exit_status, tuple(failure.problems))


def _of_old_code(side: Side, revision: Revision, environment: str, timeout: float) -> Stand:
    from confsvc.compat.elsewhere import check_elsewhere

    with tempfile.TemporaryDirectory(prefix="confsvc-") as folder:
        file = os.path.join(export(revision, folder), side.path)
        status, found = check_elsewhere(file, environment, timeout, side.label)
    known = Problem._fields
    problems = tuple(Problem(**{key: one[key] for key in known if key in one}) for one in found.get("problems", ()))
    return Stand(side.label, environment, status, problems)
