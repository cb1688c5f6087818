"""What can happen while settings are watched."""

from typing import NamedTuple

from confsvc.errors import Problem
from confsvc.resolution import Resolution

__all__ = ["Changed", "Event", "Outage", "Recovered", "Rejected"]


class Changed(NamedTuple):
    """A new set of settings, complete and valid. ``names`` are those with another value, those added, those gone."""

    resolution: Resolution
    names: tuple[str, ...]


class Rejected(NamedTuple):
    """What was read is not a valid set; the last one stands. Told once for the same problems."""

    problems: tuple[Problem, ...]


class Outage(NamedTuple):
    """Something cannot be asked or read; the last set stands. Told once, when it begins."""

    problems: tuple[Problem, ...]


class Recovered(NamedTuple):
    """Everything can be read again. ``seconds`` is how long it could not."""

    seconds: float


Event = Changed | Rejected | Outage | Recovered
