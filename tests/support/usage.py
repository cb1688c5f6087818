"""What a process uses."""

import time
from pathlib import Path

__all__ = ["resident", "used", "waited"]

_SCHEDULED = 2  # CPUCLOCK_SCHED, which makes the number of a process's clock: <linux/posix-timers.h>


def used(pid: int) -> float:
    """Return the seconds of processor time that ``pid`` has used: to the nanosecond, where /proc counts hundredths."""
    return time.clock_gettime(~pid << 3 | _SCHEDULED)


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
