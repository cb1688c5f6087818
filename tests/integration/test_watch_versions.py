"""`exec --watch` over real stores: versions are looked at, and a value is read again only when its version moved."""

import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from aws import ENVIRON, REGION, Aws
from counting import Counting, run_counting
from gcp import PROJECT, Gcp
from openbao import ROOT, Bao
from running import Project
from supervised import Running, until

MANIFEST = """
[settings]
A = {{ secret = true }}
B = {{ secret = true }}
C = {{ secret = true }}
D = {{ secret = true }}
[backends.vault]
address = "{vault}"
[backends.aws-sm]
region = "{region}"
endpoint_url = "{amazon}"
[backends.aws-ssm]
region = "{region}"
endpoint_url = "{amazon}"
[backends.gcp-sm]
endpoint = "{google}"
project = "{project}"
auth = {{ method = "anonymous" }}
[environments.production.values]
A = "${{vault://secret/watch/versions#value}}"
B = "${{aws-sm://watch/versions}}"
C = "${{aws-ssm:///watch/versions}}"
D = "${{gcp-sm://{project}/watch-versions}}"
"""
OPTIONS = ("--watch=200ms", "--debounce=0s", "--min-interval=0s", "--splay=0s")

Count = Callable[[], int]


def paths(counting: Counting, part: str, *, ending: str = "") -> int:
    """Return how often what has ``part`` in its path, and ends so, was asked for."""
    with counting.lock:
        return sum(count for path, count in counting.asked.items() if part in path and path.endswith(ending))


def operations(counting: Counting, *names: str) -> int:
    """Return how often operations of AWS were asked for."""
    with counting.lock:
        return sum(counting.operations[name] for name in names)


def store(bao: Bao, aws: Aws, gcp: Gcp, text: str) -> None:
    """Store ``text`` everywhere."""
    bao.put("watch/versions", {"value": text})
    aws.put_secret("watch/versions", text)
    aws.put_parameter("/watch/versions", text)
    gcp.put("watch-versions", text.encode())


def settled(running: Running, text: str, looks: Mapping[str, Count], reads: Mapping[str, Count]) -> dict[str, int]:
    """Wait until the command has ``text`` everywhere, and three more looks; return how often values were read."""
    running.says(f"up {text} {text} {text} {text}\n")
    before = {name: count() for name, count in looks.items()}
    until(lambda: all(count() >= before[name] + 3 for name, count in looks.items()))
    return {name: count() for name, count in reads.items()}


def test_values_are_read_once_and_again_only_when_their_versions_moved(
    project: Project, bao: Bao, aws: Aws, gcp: Gcp
) -> None:
    store(bao, aws, gcp, "one")
    with ExitStack() as stack:
        vault, amazon, google = (stack.enter_context(run_counting(one.address)) for one in (bao, aws, gcp))
        looks: Mapping[str, Count] = {
            "vault": partial(paths, vault, "/secret/metadata/"),
            "aws-sm": partial(operations, amazon, "DescribeSecret"),
            "aws-ssm": partial(operations, amazon, "DescribeParameters"),
            "gcp-sm": partial(paths, google, "/watch-versions/", ending="/latest"),
        }
        reads: Mapping[str, Count] = {
            "vault": partial(paths, vault, "/secret/data/"),
            "aws-sm": partial(operations, amazon, "GetSecretValue", "BatchGetSecretValue"),
            "aws-ssm": partial(operations, amazon, "GetParameters"),
            "gcp-sm": partial(paths, google, "/watch-versions/", ending=":access"),
        }
        project.environ |= {**ENVIRON, "VAULT_TOKEN": ROOT, "HOME": str(project.folder)}
        addresses = {"vault": vault.address, "amazon": amazon.address, "google": google.address}
        project.manifest(MANIFEST.format(region=REGION, project=PROJECT, **addresses))
        running = Running(project, ["exec", *OPTIONS, "--", "sh", "-c", "echo up $A $B $C $D; exec sleep 600"])
        stack.callback(running.close)
        assert settled(running, "one", looks, reads) == dict.fromkeys(reads, 1), running.err
        store(bao, aws, gcp, "two")
        assert settled(running, "two", looks, reads) == dict.fromkeys(reads, 2), running.err
        running.send(signal.SIGTERM)
        assert running.status() == 128 + signal.SIGTERM
