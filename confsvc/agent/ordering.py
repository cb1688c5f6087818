"""What the agent was told to serve, as the manifest says it at one moment."""

import os
from typing import NamedTuple

from confsvc.agent.snapshot import Subject
from confsvc.discovery import display
from confsvc.errors import ConfsvcError, ManifestError
from confsvc.finding import make_request
from confsvc.plan import Plan
from confsvc.resolver import Request
from confsvc.thin.manifest import OVERLAY, identify
from confsvc.watching.files import Signature, signature

__all__ = ["Order", "Ordered", "read_manifest"]

_TRIES = 3  # to read a manifest that is being written


class Order(NamedTuple):
    """What was ordered: a manifest and an environment, as on every command line, and how often to look."""

    file: str = ""
    environment: str = ""
    timeout: float = 30.0
    interval: float = 30.0


class Ordered(NamedTuple):
    """A manifest that was read: what to resolve, its identity, and how its files looked."""

    request: Request
    identity: str
    seen: Signature | None

    def look(self) -> Signature | None:
        """Return how its files look now; None where they are so fresh that nobody can tell."""
        return signature(_files(self.request.manifest.file))

    def has_moved(self) -> bool:
        """Whether its files are others than those that were read."""
        now = self.look()
        return now is not None and now != self.seen

    def subject(self, plan: Plan) -> Subject:
        """Return whose settings those of ``plan`` are."""
        manifest = self.request.manifest
        default = ""
        try:
            default = manifest.choose("")
        except ConfsvcError:
            default = ""
        return Subject(manifest, plan, self.identity, default == plan.environment)


def read_manifest(order: Order) -> Ordered:
    """Return what is ordered.

    Raises:
        ManifestError: there is no manifest, it is wrong, or it does not stand still.
        UsageError: no environment was chosen.

    """
    file = make_request(environment=order.environment, file=order.file).manifest.file
    for _ in range(_TRIES):
        seen = signature(_files(file))
        before = _identity(file)
        request = make_request(environment=order.environment, file=file, override=True, timeout=order.timeout)
        if before and before == _identity(file):
            return Ordered(request._replace(alone=True, by="confsvc agent"), before, seen)
    raise ManifestError(f"`{display(file)}` changes while it is read")


def _files(file: str) -> list[str]:
    return [file, os.path.join(os.path.dirname(file), OVERLAY)]


def _identity(file: str) -> str:
    try:
        return identify(file)
    except (OSError, ValueError):
        return ""
