"""A watcher under gevent, whose patches turn threads into greenlets."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from openbao import missing

PROGRAM = """
from gevent import monkey
monkey.patch_all()

import os
import threading

import gevent
from pydantic import BaseModel

import confsvc
from confsvc import registry
from confsvc.testing import MemoryAdapter

registry.register("memory", MemoryAdapter)
store = MemoryAdapter.store
store.put("shop", {"port": "1"})

class Settings(BaseModel):
    port: int

ticks = []

def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.005)

gevent.spawn(tick)
with confsvc.watch(Settings, sources=["memory://shop"], interval=0.05, debounce=0.0) as live:
    told = []
    live.on_change(lambda change: told.append(change.settings.port))
    store.put("shop", {"port": "2"})
    with gevent.Timeout(30):
        while told != [2]:
            gevent.sleep(0.005)
    store.delay = 1.0  # a slow store holds up whoever asks, and nobody else
    store.put("shop", {"port": "3"})
    before = len(ticks)
    assert live.refresh().port == 3
    assert len(ticks) - before > 5, ticks
    store.delay = 0.0
    waiting = [gevent.spawn(live.refresh) for _ in range(8)]
    assert {one.port for one in gevent.joinall(waiting) and [one.value for one in waiting]} == {3}
    child = os.fork()
    if child == 0:
        store.put("shop", {"port": "4"})
        with gevent.Timeout(30):
            while live.current.port != 4:
                gevent.sleep(0.005)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert live.current.port == 3
print("done", [one.name for one in threading.enumerate() if one.name.startswith("confsvc")])
"""


def test_greenlets_go_on_while_a_store_is_slow(tmp_path: Path) -> None:
    if not find_spec("gevent"):
        missing("gevent", "pip install gevent")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("done []\n", 0), done.stderr
