"""What the client may load: it is on the way of every start that reads from a backend."""

import json
import subprocess
import sys

HEAVY = {
    "asyncio",
    "concurrent",
    "email",
    "hashlib",
    "http",
    "logging",
    "random",
    "requests",
    "socket",
    "ssl",
    "urllib",
}

REPORT = """
import json, sys
before = set(sys.modules)
from confsvc.adapter import Deadline
from confsvc.http import Call, Client, parse_origin
client = Client(parse_origin("http://127.0.0.1:9"))
client.send([Call("GET", "/")], deadline=Deadline(1))
client.close()
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def test_a_plain_call_loads_neither_tls_nor_another_client() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", REPORT], capture_output=True, check=True)
    assert not HEAVY.intersection(json.loads(done.stdout))
