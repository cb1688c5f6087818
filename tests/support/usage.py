"""What a process uses."""

import os
from pathlib import Path

__all__ = ["resident", "used"]

_TICKS = os.sysconf("SC_CLK_TCK")


def used(pid: int) -> float:
    """Return the seconds of processor time that ``pid`` has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident(pid: int) -> float:
    """Return the resident memory of ``pid`` in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
