"""What staying beside a command costs: memory, processor, and what a mask takes. `python tests/benchmarks/staying.py`.

OpenBao's agent does the same work in the same run: one KV secret, looked at every second, in the child's environment.
"""

import os
import signal
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from openbao import ROOT, Bao, run_bao
from racing import give_up_after
from usage import resident, used

CONFSVC = str(Path(sysconfig.get_path("scripts")) / "confsvc")
REST = 20.0  # seconds of doing nothing
PRINTED = 32 * 1024 * 1024

MANIFEST = """
[settings]
PORT = {{ type = "int" }}
[environments.production]
sources = ["{source}"]
"""
AGENT = """
vault {{ address = "{address}" }}
auto_auth {{ method "token_file" {{ config = {{ token_file_path = "{folder}/token" }} }} }}
template_config {{ static_secret_render_interval = "1s" }}
env_template "PORT" {{ contents = "{{{{ with secret \\"secret/data/app\\" }}}}{{{{ .Data.data.PORT }}}}{{{{ end }}}}" }}
exec {{ command = ["sleep", "600"] }}
"""


def main() -> None:
    """Print the tables."""
    give_up_after(1800)
    with tempfile.TemporaryDirectory() as text, run_bao(Path(text)) as bao:
        folder = Path(text)
        resting(folder, bao)
        masking(folder)


def resting(folder: Path, bao: Bao) -> None:
    """Print what each parent keeps and uses while nothing happens."""
    bao.put("app", {"PORT": "80"})
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "VAULT_ADDR": bao.address, "VAULT_TOKEN": ROOT}
    (folder / "token").write_text(ROOT)
    (folder / "local.env").write_text("PORT=80\n")
    (folder / "local.toml").write_text(MANIFEST.format(source="dotenv://local.env"))
    (folder / "vault.toml").write_text(MANIFEST.format(source="vault://secret/app"))
    (folder / "agent.hcl").write_text(AGENT.format(address=bao.address, folder=folder))
    watch = [CONFSVC, "exec", "--watch=1s"]
    cases = {
        "confsvc exec --watch=1s, a file": [*watch, "-f", "local.toml", "--", "sleep", "600"],
        "confsvc exec --watch=1s, Vault": [*watch, "-f", "vault.toml", "--", "sleep", "600"],
        "confsvc exec --watch, Vault": [CONFSVC, "exec", "--watch", "-f", "vault.toml", "--", "sleep", "600"],
        "bao agent, as a process supervisor": ["bao", "agent", "-config=agent.hcl", "-log-level=error"],
    }
    print(f"At rest for {REST:g} s, parent alone; limits: 40 MiB with files, 65 MiB with Vault, 0.10% of a processor")
    print(f"{'':36}{'memory':>10}{'processor':>12}")
    with running(cases, folder, environ) as processes:
        time.sleep(5)
        before = {name: used(process.pid) for name, process in processes.items()}
        time.sleep(REST)
        for name, process in processes.items():
            share = (used(process.pid) - before[name]) / REST
            print(f"{name:36}{resident(process.pid):>6.1f} MiB{share:>12.3%}")


@contextmanager
def running(
    cases: dict[str, list[str]], folder: Path, environ: dict[str, str]
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run all of them at once, and end them."""
    path = f"{Path(CONFSVC).parent}:{environ['PATH']}"
    processes = {
        name: subprocess.Popen(
            command, cwd=folder, env={**environ, "PATH": path}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for name, command in cases.items()
    }
    try:
        yield processes
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            process.wait(60)


def masking(folder: Path) -> None:
    """Print what masking the output of a command costs, by how many secrets there are."""
    line = "2026-11-23T12:00:00Z INFO request served path=/orders status=200 duration=12ms\n"
    (folder / "log").write_text(line * (PRINTED // len(line)))
    print(f"\nPassing on {PRINTED >> 20} MiB of log, medians of 3")
    plain = median_of(["cat", "log"], folder)
    print(f"{'cat':36}{plain * 1000:>7.0f} ms")
    for count in (5, 50):
        names = [f"SECRET_{number}" for number in range(count)]
        settings = "".join(f"{name} = {{ secret = true }}\n" for name in names)
        (folder / "many.toml").write_text(
            f"[settings]\n{settings}[environments.production]\nsources = ['dotenv://many.env']\n"
        )
        (folder / "many.env").write_text("".join(f"{name}=v4lue-{name}-{'x' * 20}\n" for name in names))
        taken = median_of([CONFSVC, "exec", "--redact", "-f", "many.toml", "--", "cat", "log"], folder)
        rate = (PRINTED >> 20) / taken
        print(f"{f'confsvc exec --redact, {count} secrets':36}{taken * 1000:>7.0f} ms{rate:>8.0f} MiB/s")


def median_of(command: list[str], folder: Path) -> float:
    """Return the seconds that ``command`` takes, its output going into a pipe."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as process:
            while process.stdout and process.stdout.read(1 << 20):
                pass
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
