"""What a process uses."""

import os
from pathlib import Path

__all__ = ["resident", "used", "waited"]

_TICKS = os.sysconf("SC_CLK_TCK")


def used(pid: int) -> float:
    """Return the seconds of processor time that ``pid`` has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def waited(task: int | str = "thread-self") -> float:
    """Return for how many seconds a thread has waited for a processor: the first one of a process, or who asks.

    A process that has ended can be asked about until somebody has waited for it. Zero where the kernel does not count.
    """
    # https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat
    try:
        return int(Path(f"/proc/{task}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def resident(pid: int) -> float:
    """Return the resident memory of ``pid`` in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
