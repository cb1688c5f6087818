"""Many processes that watch the same: started by themselves, forked from one, and what they ask of Vault."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from counting import Counting, run_counting
from openbao import ROOT, Bao
from supervised import until

WORKERS = 16

PROGRAM = """
import os, signal, sys, time
from pydantic import BaseModel
import confsvc

class Settings(BaseModel):
    level: str

def work(number):
    live = confsvc.watch(Settings, interval=1.0, debounce=0.0) if PRELOADED is None else PRELOADED
    last = ""
    while True:
        level = live.current.level
        if level != last:
            last = level
            with open(f"seen/{number}.new", "w") as stream:
                stream.write(level)
            os.rename(f"seen/{number}.new", f"seen/{number}")
        time.sleep(0.02)

PRELOADED = confsvc.watch(Settings, interval=1.0, debounce=0.0) if sys.argv[1] == "preload" else None
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
children = []
for number in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work(number)
    children.append(child)
try:
    while True:  # a signal that comes just before a sleep is handled after it
        time.sleep(0.1)
finally:
    for child in children:
        os.kill(child, signal.SIGTERM)
"""


@pytest.fixture
def counting(bao: Bao) -> Iterator[Counting]:
    with run_counting(bao.address) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "seen").mkdir()
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "confsvc.toml").write_text(
        'default_environment = "production"\n[environments.production]\nsources = ["vault://secret/workers"]\n'
    )
    return tmp_path


def levels(folder: Path) -> set[str]:
    """Return what the workers have seen last; nothing while one has seen nothing."""
    found = [path.read_text() for path in (folder / "seen").glob("?*") if path.suffix != ".new"]
    return set(found) if len(found) == WORKERS else set()


def has_seen(folder: Path, level: str) -> bool:
    return levels(folder) == {level}


@pytest.mark.parametrize("mode", ["preload", "alone"])
def test_sixteen_workers_make_one_read_per_change(mode: str, folder: Path, bao: Bao, counting: Counting) -> None:
    bao.put("workers", {"level": "info"})
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "VAULT_ADDR": counting.address,
        "VAULT_TOKEN": ROOT,
    }
    command = [sys.executable, "program.py", mode, str(WORKERS)]
    with subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: levels(folder) == {"info"}, lambda: json.dumps(counting.asked))
            first = counting.asked["GET /v1/secret/data/workers"]
            looks, began = counting.asked["GET /v1/secret/metadata/workers"], time.monotonic()
            time.sleep(2.5)  # several looks of each: nothing has changed
            assert counting.asked["GET /v1/secret/data/workers"] == first
            looks = counting.asked["GET /v1/secret/metadata/workers"] - looks
            assert looks <= 4 * (time.monotonic() - began) + 2, dict(counting.asked)  # 16 a second without sharing
            for level in ("debug", "warning"):
                before = counting.asked["GET /v1/secret/data/workers"]
                bao.put("workers", {"level": level})
                until(partial(has_seen, folder, level), lambda: json.dumps(counting.asked))
                assert counting.asked["GET /v1/secret/data/workers"] - before == 1
        finally:
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
    assert err == ""
