"""Timing whole processes in turn, so that ratios hold on a noisy machine."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

__all__ = ["distant", "give_up_after", "print_times", "race", "ratio"]


def give_up_after(seconds: int) -> None:
    """End this program with an error where it has not ended by itself by then, whatever it waits for."""

    def give_up(*_: object) -> None:
        sys.exit(f"this took more than {seconds} s, and is given up")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)


@contextmanager
def distant(port: int, seconds: float) -> Iterator[int]:
    """Run a proxy before ``port`` that adds ``seconds`` to every round trip. Yields its port."""
    command = [sys.executable, str(Path(__file__).with_name("distance.py")), str(port), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        try:
            yield int(proxy.stdout.readline() if proxy.stdout else 0)
        finally:
            proxy.terminate()


def race(
    cases: Mapping[str, Sequence[str]], environ: Mapping[str, str], folder: Path, runs: int
) -> dict[str, list[float]]:
    """Return the seconds of each case, run in turn ``runs`` times after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(runs + 1):
        for name, command in cases.items():
            start = time.perf_counter()
            subprocess.run(command, cwd=folder, env=environ, check=True, stderr=subprocess.DEVNULL)
            if number:
                times[name].append(time.perf_counter() - start)
    return times


def print_times(times: Mapping[str, list[float]], budget: str) -> None:
    """Print the medians, and their ratios to the case ``budget``."""
    for name, mine in times.items():
        print(f"{name:42} {median(mine) * 1000:8.1f} ms   {ratio(mine, times[budget]):6.2f} times the budget")


def ratio(mine: Sequence[float], other: Sequence[float]) -> float:
    """Return the median of the ratios of runs that stood next to each other."""
    return median(one / two for one, two in zip(mine, other, strict=True))
