"""What the library costs inside a program: `load`, reading `live.current`, and how soon a change is there.

`python tests/benchmarks/library.py`. Floors are pydantic's own validation and a plain attribute, in the same run.
"""

import os
import statistics
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import create_model

import confsvc

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from racing import give_up_after

ROUNDS = 51
COUNT = 50
READS = 200_000
CHANGES = 9
READERS = 8
LIMIT_LOAD, LIMIT_READ, LIMIT_CHANGE = 10.0, 100.0, 2.0  # ms, ns, s


class Plain:
    """An object with an attribute that holds another one."""

    def __init__(self, current: object) -> None:
        self.current = current


def main() -> None:
    """Print the table."""
    give_up_after(1800)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        os.chdir(folder)
        fields = {f"setting_{number}": (int, ...) for number in range(COUNT)}
        model = create_model("Settings", **fields)  # type: ignore[call-overload]
        write(folder, 0)
        (folder / "confsvc.toml").write_text(
            "default_environment = 'one'\n[environments.one]\nsources = ['dotenv://.env']\n"
        )
        loading(model)
        reading(model)
        changing(model, folder)


def write(folder: Path, value: int) -> None:
    """Give every setting the same value."""
    (folder / "new").write_text("".join(f"SETTING_{number}={value}\n" for number in range(COUNT)))
    (folder / "new").rename(folder / ".env")


def loading(model: type[Any]) -> None:
    """Print what `load` takes once everything is imported: with the file read and parsed, and validation alone."""
    data = {f"setting_{number}": "0" for number in range(COUNT)}
    confsvc.load(model)
    ours, floor = interleaved(lambda: confsvc.load(model), lambda: model(**data))
    print(f"{f'confsvc.load, {COUNT} settings from a .env':48}{ours * 1e3:>9.2f} ms  (limit {LIMIT_LOAD:g})")
    print(f"{'the model alone':48}{floor * 1e3:>9.2f} ms")


def interleaved(*cases: Callable[[], object]) -> list[float]:
    """Return the median seconds of each, of this process's own time: what else the machine does is not ours."""
    times: list[list[float]] = [[] for _ in cases]
    for _ in range(ROUNDS):
        for case, found in zip(cases, times, strict=True):
            began = time.process_time()
            case()
            found.append(time.process_time() - began)
    return [statistics.median(found) for found in times]


def reading(model: type[Any]) -> None:
    """Print what reading a setting takes, beside the same attributes of plain objects."""
    with confsvc.watch(model) as live:
        plain = Plain(live.current)
        read = timeit.Timer("live.current.setting_7", globals={"live": live})
        floor = timeit.Timer("plain.current.setting_7", globals={"plain": plain})
        both = [(read.timeit(READS), floor.timeit(READS)) for _ in range(9)]
        ours, theirs = (statistics.median(times) / READS * 1e9 for times in zip(*both, strict=True))
    print(f"{'live.current.X':48}{ours:>9.1f} ns  (limit {LIMIT_READ:g} above a plain attribute)")
    print(f"{'plain.current.X':48}{theirs:>9.1f} ns")


def changing(model: type[Any], folder: Path) -> None:
    """Print how long it takes until a change of a file is seen by a thread, with the default interval and debounce."""
    with confsvc.watch(model) as live, confsvc.watch(model), confsvc.watch(model):
        names = [thread.name for thread in threading.enumerate()]
        times, spreads = [], []
        for value in range(1, CHANGES + 1):
            began = time.perf_counter()
            seen = readers(live, value)
            write(folder, value)
            times.append(seen[0].result() - began)
            spreads.append(max(one.result() for one in seen) - min(one.result() for one in seen))
    print(f"{'a changed file, until it is seen':48}{statistics.median(times):>9.2f} s   (limit {LIMIT_CHANGE:g})")
    spread, label = statistics.median(spreads) * 1e3, f"between the first and the last of {READERS} threads"
    print(f"{label:48}{spread:>9.2f} ms  (each looks every 2 ms)")
    print(f"{'threads of three watchers':48}{len(names) - 1:>9}      (limit 1)")


def readers(live: confsvc.Live[Any], value: int) -> list["Future[float]"]:
    """Return when each of several threads sees ``value``."""

    def wait() -> float:
        end = time.perf_counter() + 120
        while live.current.setting_7 != value:
            if time.perf_counter() > end:
                raise TimeoutError("a change is not seen")
            time.sleep(0.002)
        return time.perf_counter()

    pool = ThreadPoolExecutor(READERS)
    waiting = [pool.submit(wait) for _ in range(READERS)]
    pool.shutdown(wait=False)
    return waiting


if __name__ == "__main__":
    main()
