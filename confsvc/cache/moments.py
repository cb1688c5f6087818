"""How old something is, on clocks that can be set."""

import time
from typing import NamedTuple

from confsvc.adapter import lasting_clock

__all__ = ["Moment", "age_text", "now"]

_SKEW = 300.0  # seconds that two clocks, or one before and after it was set right, may be apart
_BOOT = "/proc/sys/kernel/random/boot_id"


class Moment(NamedTuple):
    """``wall`` is in seconds since the epoch; ``lasting`` on a clock that nobody can set, good for one ``boot``."""

    wall: float
    boot: str
    lasting: float

    def age(self) -> float | None:
        """Return how many seconds ago it was: the longest that any clock says. None where it lies in the future."""
        here = now()
        if self.wall > here.wall + _SKEW:
            return None
        same = bool(self.boot) and self.boot == here.boot
        return max(0.0, here.wall - self.wall, here.lasting - self.lasting if same else 0.0)


def now() -> Moment:
    """Return this moment."""
    try:
        with open(_BOOT, encoding="ascii") as file:
            boot = file.read(64).strip()
    except OSError:  # not Linux, or hidden: then the wall clock alone has to do
        boot = ""
    return Moment(time.time(), boot, lasting_clock())


def age_text(seconds: float) -> str:
    """Return a duration for people, in its two largest units: ``45 s``, ``12 min``, ``3 h 12 min``, ``2 d 4 h``."""
    whole = int(seconds)
    parts = ((whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    first = next((n for n, (number, _) in enumerate(parts) if number), 3)
    shown = parts[first : first + (2 if first < 2 else 1)]  # noqa: PLR2004 - of minutes, seconds say nothing
    return " ".join(f"{number} {unit}" for number, unit in shown if number) or "0 s"
