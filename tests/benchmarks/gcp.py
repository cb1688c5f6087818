"""What reading from Secret Manager costs: `python tests/benchmarks/gcp.py [RUNS]`.

100 secrets of a drongo server, with 20 ms added to every round trip, each way of reading them a whole process that ends
by becoming `/bin/true`; run in turn, so that the ratios hold on a noisy machine. Compare rows of one run only.
"""

import os
import sys
import sysconfig
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from gcp import PROJECT, run_drongo
from racing import distant, give_up_after, print_times, race, ratio

COUNT = 100
DISTANCE = 0.02  # seconds

START = f"""
import os
from google.auth.credentials import AnonymousCredentials
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceRestTransport
way = SecretManagerServiceRestTransport(host=os.environ["HOST"], url_scheme="http", credentials=AnonymousCredentials())
client = SecretManagerServiceClient(transport=way)
def read(number):
    name = f"projects/{PROJECT}/secrets/bench-{{number}}/versions/latest"
    return client.access_secret_version(name=name).payload.data.decode()
"""
BECOME = 'os.execve("/bin/true", ["true"], {**os.environ, **{f"S{n}": value for n, value in enumerate(values)}})\n'
POOL = (
    "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(16) as pool:\n"
    f"    values = list(pool.map(read, range({COUNT})))\n"
)


def main() -> None:
    """Print the table."""
    give_up_after(1800)
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as text, run_drongo(Path(text)) as server:
        folder = Path(text)
        for number in range(COUNT):
            server.put(f"bench-{number}", f"value {number}".encode())
        with distant(server.port, DISTANCE) as port:
            prepare(folder, f"127.0.0.1:{port}")
            compare({"PATH": os.environ["PATH"], "HOME": text, "HOST": f"127.0.0.1:{port}"}, folder, runs)


def prepare(folder: Path, host: str) -> None:
    """Write the manifest."""
    settings = "".join(f'S{n} = {{ type = "str", secret = true }}\n' for n in range(COUNT))
    values = "".join(f'S{n} = "${{gcp-sm://{PROJECT}/bench-{n}}}"\n' for n in range(COUNT))
    backend = f'[backends.gcp-sm]\nendpoint = "http://{host}"\nauth = {{ method = "anonymous" }}\n'
    (folder / "rest.toml").write_text(f"{backend}[settings]\n{settings}[environments.dev.values]\n{values}")


def compare(environ: dict[str, str], folder: Path, runs: int) -> None:
    """Run every way in turn, and print medians and ratios."""
    script = str(Path(sysconfig.get_path("scripts")) / "confsvc")
    budget, ours, loop = (
        "start, import of the client, two reads",
        "confsvc exec",
        "Google's client, one after the other",
    )
    cases = {
        budget: [sys.executable, "-c", f"{START}values = [read(0), read(1)]\n{BECOME}"],
        ours: [script, "exec", "-f", "rest.toml", "--", "/bin/true"],
        "Google's client, 16 threads": [sys.executable, "-c", START + POOL + BECOME],
        loop: [sys.executable, "-c", f"{START}values = [read(n) for n in range({COUNT})]\n{BECOME}"],
    }
    times = race(cases, environ, folder, runs)
    print(f"{COUNT} secrets, {DISTANCE * 1000:.0f} ms added to every round trip, {runs} runs")
    print_times(times, budget)
    print(f"confsvc exec is {ratio(times[loop], times[ours]):.1f} times faster than Google's client in a loop\n")


if __name__ == "__main__":
    main()
