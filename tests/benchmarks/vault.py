"""What reading from Vault costs: `python tests/benchmarks/vault.py [RUNS]`.

100 secrets in 100 paths of a real OpenBao, with 20 ms added to every round trip, each way of reading them a whole
process that logs in with AppRole and ends by becoming `/bin/true`; run in turn, so that the ratios hold on a noisy
machine. Then where the time goes with one secret and nothing added. Compare rows of one run only.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from statistics import median

SUPPORT = Path(__file__).resolve().parent.parent / "support"
sys.path.insert(0, str(SUPPORT))

from openbao import Bao, run_bao  # noqa: E402 - the tests' own server
from racing import distant, give_up_after, print_times, race, ratio  # noqa: E402

PATHS = 100
DISTANCE = 0.02  # seconds

LOGIN = """
import os, sys, hvac
client = hvac.Client(os.environ["VAULT_ADDR"])
client.auth.approle.login(os.environ["VAULT_ROLE_ID"], os.environ["VAULT_SECRET_ID"])
def read(number):
    found = client.secrets.kv.v2.read_secret_version(f"bench/{number}", raise_on_deleted_version=True)
    return found["data"]["data"]["value"]
"""
BECOME = 'os.execve("/bin/true", ["true"], {**os.environ, **{f"S{n}": value for n, value in enumerate(values)}})\n'
LOOP = LOGIN + f"values = [read(number) for number in range({PATHS})]\n" + BECOME
THREADS = LOGIN + (
    "from concurrent.futures import ThreadPoolExecutor\n"
    "client.session.adapters['http://']._pool_maxsize = 16\n"
    "with ThreadPoolExecutor(16) as pool:\n"
    f"    values = list(pool.map(read, range({PATHS})))\n"
) + BECOME  # fmt: skip
BUDGET = LOGIN + "values = [read(0), read(1)]\n" + BECOME

# Where a start goes: the clock is read at the ends of each part.
SPLIT = """
import sys, time
marks = [("start of Python", time.time())]
from confsvc.cli import run
import confsvc.fetching as fetching, confsvc.resolver as resolver, os
marks.append(("import of confsvc", time.time()))
fetch, become = fetching.fetch_documents, os.execve
def timed(*args, **kwargs):
    marks.append(("command line, manifest, plan", time.time()))
    found = fetch(*args, **kwargs)
    marks.append(("import of the adapter, connection, two round trips", time.time()))
    return found
def last(*args):
    marks.append(("validation, environment", time.time()))
    start = float(os.environ["STARTED"])
    for name, moment in marks:
        print(f"{name}\\t{moment - start}")
        start = moment
    sys.stdout.flush()
    become(*args)
resolver.fetch_documents, os.execve = timed, last
run(sys.argv[1:])
"""


def main() -> None:
    """Print the tables."""
    give_up_after(1800)
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    with tempfile.TemporaryDirectory() as text, run_bao(Path(text)) as bao:
        folder = Path(text)
        environ = prepare(bao, folder)
        with distant(bao.port, DISTANCE) as port:
            compare({**environ, "VAULT_ADDR": f"http://127.0.0.1:{port}"}, folder, runs)
        split({**environ, "VAULT_ADDR": bao.address}, folder, runs)


def prepare(bao: Bao, folder: Path) -> dict[str, str]:
    """Store the secrets, allow a role to read them, write the manifests. Returns the environment of the processes."""
    for number in range(PATHS):
        bao.put(f"bench/{number}", {"value": f"value {number}"})
    policy = bao.policy("bench", "secret/data/bench/* read")
    bao.enable("approle")
    bao.call("POST", "auth/approle/role/bench", {"token_policies": policy})
    role_id = bao.call("GET", "auth/approle/role/bench/role-id")["data"]["role_id"]
    secret_id = bao.call("POST", "auth/approle/role/bench/secret-id", {})["data"]["secret_id"]
    for name, auth, count in (
        ("approle", '[backends.vault]\nauth = { method = "approle" }\n', PATHS),
        ("token", "", PATHS),
        ("one", "", 1),
        ("one-approle", '[backends.vault]\nauth = { method = "approle" }\n', 1),
    ):
        settings = "".join(f'S{n} = {{ type = "str", secret = true }}\n' for n in range(count))
        values = "".join(f'S{n} = "${{vault://secret/bench/{n}#value}}"\n' for n in range(count))
        (folder / f"{name}.toml").write_text(f"{auth}[settings]\n{settings}[environments.dev.values]\n{values}")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "VAULT_ROLE_ID": role_id,
        "VAULT_SECRET_ID": secret_id,
        "VAULT_TOKEN": bao.token(policy),
    }


def compare(environ: dict[str, str], folder: Path, runs: int) -> None:
    """Run every way in turn, and print medians and ratios."""
    script = str(Path(sysconfig.get_path("scripts")) / "confsvc")
    budget = "start, import of hvac, login, two reads"
    cases = {
        budget: [sys.executable, "-c", BUDGET],
        "confsvc exec, approle": [script, "exec", "-f", "approle.toml", "--", "/bin/true"],
        "confsvc exec, token": [script, "exec", "-f", "token.toml", "--", "/bin/true"],
        "hvac, 16 threads": [sys.executable, "-c", THREADS],
        "hvac, one after the other": [sys.executable, "-c", LOOP],
    }
    times = race(cases, environ, folder, runs)
    print(f"{PATHS} secrets in {PATHS} paths, {DISTANCE * 1000:.0f} ms added to every round trip, {runs} runs")
    print_times(times, budget)
    loop = times["hvac, one after the other"]
    for name in ("confsvc exec, approle", "confsvc exec, token"):
        print(f"{name} is {ratio(loop, times[name]):.1f} times faster than hvac in a loop")


def split(environ: dict[str, str], folder: Path, runs: int) -> None:
    """Print where the time of a start with one secret goes, nothing added to the round trips."""
    for name in ("one", "one-approle"):
        parts: dict[str, list[float]] = {}
        for _ in range(runs):
            command = [sys.executable, "-c", SPLIT, "exec", "-f", f"{name}.toml", "--", shutil.which("true") or "true"]
            started = {**environ, "STARTED": repr(time.time())}
            done = subprocess.run(command, cwd=folder, env=started, check=True, capture_output=True, text=True)
            for line in done.stdout.splitlines():
                part, _, seconds = line.partition("\t")
                parts.setdefault(part, []).append(float(seconds))
        whole = sum(median(times) for times in parts.values())
        method = "approle" if "approle" in name else "token"
        print(f"\nconfsvc exec, {method}, one secret, nothing added: {whole * 1000:.1f} ms")
        for part, times in parts.items():
            print(f"  {part:52} {median(times) * 1000:7.1f} ms")


if __name__ == "__main__":
    main()
