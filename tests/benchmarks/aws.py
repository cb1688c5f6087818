"""What reading from AWS costs: `python tests/benchmarks/aws.py [RUNS]`.

100 secrets and 100 parameters of a moto_server, with 20 ms added to every round trip, each way of reading them a whole
process that ends by becoming `/bin/true`; run in turn, so that the ratios hold on a noisy machine. The server closes
every connection after an answer, as AWS does not: that costs a loop a round trip for each read, so the ratio to it
flatters. Compare rows of one run only.
"""

import os
import sys
import sysconfig
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from aws import ENVIRON, Aws, run_moto
from racing import distant, give_up_after, print_times, race, ratio

COUNT = 100
DISTANCE = 0.02  # seconds

START = """
import os, boto3
client = boto3.client("{service}")
def read(number):
    return client.{read}
"""
READS = {
    "secretsmanager": 'get_secret_value(SecretId=f"bench/{number}")["SecretString"]',
    "ssm": 'get_parameter(Name=f"/bench/{number}", WithDecryption=True)["Parameter"]["Value"]',
}
BECOME = 'os.execve("/bin/true", ["true"], {**os.environ, **{f"S{n}": value for n, value in enumerate(values)}})\n'
REFERENCES = {"secretsmanager": "aws-sm://bench/{}", "ssm": "aws-ssm:///bench/{}"}


def main() -> None:
    """Print the tables."""
    give_up_after(1800)
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as text, run_moto(Path(text)) as server:
        folder = Path(text)
        prepare(server, folder)
        with distant(server.port, DISTANCE) as port:
            environ = {**ENVIRON, "PATH": os.environ["PATH"], "HOME": text, "AWS_DEFAULT_REGION": ENVIRON["AWS_REGION"]}
            for service in READS:
                compare(service, {**environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}, folder, runs)


def prepare(server: Aws, folder: Path) -> None:
    """Store the values, and write the manifests."""
    for number in range(COUNT):
        server.put_secret(f"bench/{number}", f"value {number}")
        server.put_parameter(f"/bench/{number}", f"value {number}")
    keys = (ENVIRON["AWS_ACCESS_KEY_ID"], ENVIRON["AWS_SECRET_ACCESS_KEY"])
    (folder / ".aws").mkdir()
    (folder / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n".format(*keys)
    )
    for service, reference in REFERENCES.items():
        settings = "".join(f'S{n} = {{ type = "str", secret = true }}\n' for n in range(COUNT))
        values = "".join(f'S{n} = "${{{reference.format(n)}}}"\n' for n in range(COUNT))
        (folder / f"{service}.toml").write_text(f"[settings]\n{settings}[environments.dev.values]\n{values}")


def compare(service: str, environ: dict[str, str], folder: Path, runs: int) -> None:
    """Run every way in turn, and print medians and ratios."""
    script = str(Path(sysconfig.get_path("scripts")) / "confsvc")
    start = START.replace("{service}", service).replace("{read}", READS[service])
    budget, ours, loop = "start, import of boto3, client, two reads", "confsvc exec", "boto3, one after the other"
    profile = "confsvc exec, credentials of a profile"
    exec_ = [script, "exec", "-f", f"{service}.toml", "--", "/bin/true"]
    cases = {
        budget: [sys.executable, "-c", f"{start}values = [read(0), read(1)]\n{BECOME}"],
        ours: exec_,
        profile: ["env", "-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_SECRET_ACCESS_KEY", *exec_],
        loop: [sys.executable, "-c", f"{start}values = [read(n) for n in range({COUNT})]\n{BECOME}"],
    }
    times = race(cases, environ, folder, runs)
    print(f"{COUNT} values of {service}, {DISTANCE * 1000:.0f} ms added to every round trip, {runs} runs")
    print_times(times, budget)
    print(f"confsvc exec is {ratio(times[loop], times[ours]):.1f} times faster than boto3 in a loop\n")


if __name__ == "__main__":
    main()
