"""`confsvc exec --redact`: what the command prints to pipes and files, without its secrets."""

import os
import pty
import subprocess
import sys
from contextlib import suppress

import pytest

from running import CONFSVC, Project

MANIFEST = """
[settings]
DATABASE_URL = { type = "url", secret = true }
API = { type = "json", secret = true }
KEY = { secret = true }
PIN = { secret = true, default = "123" }
PLAIN = { default = "in-the-open" }
[environments.development]
sources = ["dotenv://.env"]
"""
ENV = """
DATABASE_URL=postgres://shop:p%40ss-w0rd!@db/shop
API={"user":"joe","token":"tok-4711-abc"}
KEY="-----BEGIN KEY-----
bGluZS1vbmU=
bGluZS10d28=
-----END KEY-----"
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with secrets of several kinds."""
    project.manifest(MANIFEST, env=ENV)
    return project


def printed(project: Project, script: str, *options: str) -> str:
    done = project.run("exec", "--redact", *options, "--", "sh", "-c", script)
    assert done.status == 0, done.err
    return done.out


def test_secrets_are_masked_and_the_rest_is_not(shop: Project) -> None:
    assert printed(shop, 'echo "url=$DATABASE_URL api=$API plain=$PLAIN"') == "url=*** api=*** plain=in-the-open\n"


def test_parts_that_programs_take_out_are_masked(shop: Project) -> None:
    out = printed(shop, "echo 'p@ss-w0rd! p%40ss-w0rd! tok-4711-abc'; echo \"$KEY\" | sed 's/^/> /'")
    assert out == "*** *** ***\n> ***\n> ***\n> ***\n> ***\n"


def test_pieces_and_encodings_are_masked(shop: Project) -> None:
    script = "printf tok-; sleep 0.1; printf '4711-abc '; printf x-tok-4711-abc-y | base64"
    out = printed(shop, script)
    assert "tok" not in out
    assert "4711" not in out
    assert "dG9rLTQ3MTEt" not in out


def test_stderr_is_masked_too(shop: Project) -> None:
    done = shop.run("exec", "--redact", "--", "sh", "-c", 'echo "$DATABASE_URL" >&2')
    assert "***\n" in done.err
    assert "w0rd" not in done.err


def test_how_to_treat_the_command_may_be_said_without_watching(shop: Project) -> None:
    options = ("--stop-timeout=5s", "--group", "--die-with-parent")
    assert shop.run("exec", "--redact", *options, "--", "sh", "-c", "exit 3").status == 3


def test_what_is_too_short_is_told(shop: Project) -> None:
    done = shop.run("exec", "--redact", "--", "true")
    assert "`PIN` is too short to be masked" in done.err


def test_a_great_deal_of_output_arrives_whole(shop: Project) -> None:
    out = printed(shop, f"{sys.executable} -c \"import os; os.write(1, b'line of text\\n' * 5)\"; seq 200000")
    assert out.count("line of text") == 5
    assert out.endswith("\n199999\n200000\n")
    assert len(out.splitlines()) == 200005


def test_the_status_passes_and_a_closed_pipe_ends_the_command(shop: Project) -> None:
    assert shop.run("exec", "--redact", "--", "sh", "-c", "echo $KEY; exit 6").status == 6
    done = shop.shell("confsvc exec --redact -- yes | head -1")
    assert done.out == "y\n"


def test_a_terminal_is_not_masked(shop: Project) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [CONFSVC, "exec", "--redact", "--", "sh", "-c", "test -t 1 && echo $API"],
        cwd=shop.folder,
        env=shop.environ,
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # how Linux says that the other end is closed
        while found := os.read(ours, 10_000):
            shown += found
    os.close(ours)
    assert process.wait(40) == 0
    assert b"tok-4711-abc" in shown
