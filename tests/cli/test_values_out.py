"""`get`, `export`, `explain`, `completion`: values go where they may, and nothing else shows one."""

import json
import os
import pty
import stat
import subprocess

import pytest
import yaml

from confsvc.cli import ALIASES, COMMANDS
from confsvc.cli.completion import options_of
from running import CONFSVC, Project

MANIFEST = """
project = "shop"
[settings]
DATABASE_URL = { type = "url", secret = true, description = "the DSN" }
PORT = { type = "int", default = 8080, ge = 1 }
KEY = { type = "bytes", secret = true, required = false }
MAYBE = { required = false }
[environments.development]
sources = ["dotenv://.env"]
[environments.production]
extends = "development"
values = { PORT = "80" }
"""
DSN = "postgres://u:cnry-9f2b7c41d8@h/db"


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with a secret and a plain setting."""
    project.manifest(MANIFEST, env=f"DATABASE_URL={DSN}\nUNUSED=1\nKEY=/wA=\n")
    return project


ENV = ("-e", "development")


def test_get_prints_the_exact_bytes(shop: Project) -> None:
    assert shop.run("get", "DATABASE_URL", *ENV).raw == DSN.encode()
    assert shop.run("get", "KEY", *ENV).raw == b"\xff\x00"
    assert shop.run("get", "PORT", "-e", "production").out == "80"
    assert json.loads(shop.run("get", "PORT", *ENV, "--json").out) == {"name": "PORT", "value": "8080"}


def test_get_of_what_is_not_there(shop: Project) -> None:
    assert shop.run("get", "DATABASE_ULR", *ENV).err == (
        "error: no setting is called `DATABASE_ULR` (did you mean `DATABASE_URL`?)\n"
    )
    done = shop.run("get", "MAYBE", *ENV)
    assert (done.status, done.err.splitlines()[0]) == (65, "error: `MAYBE` has no value")


def test_values_go_to_a_file_of_their_owner(shop: Project) -> None:
    assert shop.run("export", "--format", "dotenv", "-o", "out.env", *ENV).out == ""
    file = shop.folder / "out.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"DATABASE_URL='{DSN}'" in file.read_text()


def on_a_terminal(project: Project, *argv: str) -> tuple[int, bytes]:
    """Run with a terminal as stdout. Returns the status and what was shown."""
    leader, follower = pty.openpty()
    with subprocess.Popen([CONFSVC, *argv], cwd=project.folder, env=project.environ, stdout=follower) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                chunk = os.read(leader, 4096)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
    os.close(leader)
    return process.returncode, shown


def test_secrets_are_not_shown_on_a_terminal(shop: Project) -> None:
    for argv in (("get", "DATABASE_URL"), ("export", "--format", "json"), ("export", "--format", "k8s-secret")):
        status, shown = on_a_terminal(shop, *argv, *ENV)
        assert (status, shown) == (64, b"")
    assert on_a_terminal(shop, "get", "DATABASE_URL", "--reveal", *ENV) == (0, DSN.encode())
    assert on_a_terminal(shop, "get", "PORT", *ENV) == (0, b"8080")


def test_kubernetes_objects_tell_secrets_from_plain_settings(shop: Project) -> None:
    secret = yaml.safe_load(shop.run("export", "--format", "k8s-secret", *ENV).out)
    plain = yaml.safe_load(shop.run("export", "--format", "k8s-configmap", "--name", "web", *ENV).out)
    assert set(secret["data"]) == {"DATABASE_URL", "KEY"}
    assert secret["data"]["KEY"] == "/wA="
    assert (plain["metadata"]["name"], plain["data"]) == ("web", {"PORT": "8080"})


def test_github_masks_and_hands_on(shop: Project) -> None:
    done = shop.run("export", "--format", "github", *ENV, env={"GITHUB_ENV": str(shop.folder / "github")})
    assert done.out.splitlines() == [f"::add-mask::{DSN}", "::add-mask::/wA="]
    assert "PORT<<confsvc_" in (shop.folder / "github").read_text()
    done = shop.run("export", "--format", "github", *ENV)
    assert "GITHUB_ENV is not set" in done.err
    assert DSN not in done.err


def test_explain_shows_layers_and_no_value(shop: Project) -> None:
    done = shop.run("explain", "-e", "production", env={"DATABASE_URL": DSN})
    lines = {line.split()[0]: " ".join(line.split()) for line in done.out.splitlines()}
    assert lines["DATABASE_URL"] == "DATABASE_URL environment env://DATABASE_URL source dotenv://.env"
    assert lines["PORT"] == "PORT values confsvc.toml:12 default"
    assert "cnry" not in done.out + done.err
    data = json.loads(shop.run("explain", "--json", *ENV).out)
    assert [setting["layer"] for setting in data["settings"]] == ["source", "default", "source"]


def test_explain_shows_what_is_wrong(shop: Project) -> None:
    shop.write({".env": "DATABASE_URL=cnry\n"})
    done = shop.run("explain", *ENV)
    assert (done.status, "invalid: is not a URL" in done.out) == (0, True)
    done = shop.run("explain", "DATABASE_URL", *ENV)
    assert (done.status, "invalid: is not a URL" in done.out) == (65, True)
    assert "cnry" not in done.out + done.err


def test_explain_of_one_setting(shop: Project) -> None:
    out = shop.run("explain", "DATABASE_URL", *ENV).out
    for text in ("the DSN", "url", "source dotenv://.env"):
        assert text in out
    assert "no setting is called `PORTT` (did you mean `PORT`?)" in shop.run("explain", "PORTT", *ENV).err
    assert shop.run("explain", "--order").out.split()[:2] == ["1", "default"]


def test_check_reports(shop: Project) -> None:
    done = shop.run("check", *ENV)
    assert done.out == "ok: 3 settings resolve and validate for development; 1 undeclared field ignored\n"
    done = shop.run("check", "--all", "--json")
    report = json.loads(done.out)
    assert [entry["ok"] for entry in report["environments"]] == [True, True]
    shop.write({".env": "KEY=!!\n"})
    done = shop.run("check", *ENV)
    assert (done.status, done.out) == (1, "")
    done = shop.run("check", *ENV, "--json")
    assert (done.status, done.err) == (1, "")
    problems = json.loads(done.out)["environments"][0]["problems"]
    assert [problem["name"] for problem in problems] == ["DATABASE_URL", "KEY"]


def completions(project: Project, *words: str) -> list[str]:
    """Return what bash offers for the last of `words`."""
    line = " ".join(f"'{word}'" for word in words)
    script = (
        f"source <(confsvc completion bash); COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _confsvc; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = project.shell(script)
    assert done.err == ""
    return done.out.split()


def test_bash_completes(shop: Project) -> None:
    assert completions(shop, "confsvc", "exp") == ["explain", "export"]
    assert completions(shop, "confsvc", "exec", "--pri") == ["--pristine"]
    assert completions(shop, "confsvc", "exec", "-e", "") == ["development", "production"]
    assert completions(shop, "confsvc", "export", "--format", "k8s") == ["k8s-secret", "k8s-configmap"]
    assert "true" in completions(shop, "confsvc", "exec", "--", "tru")
    assert completions(shop, "confsvc", "check", "-f", "confs") == ["confsvc.toml"]


def test_completion_is_quiet_without_a_manifest(project: Project) -> None:
    done = project.run("completion", "environments")
    assert (done.status, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_option(project: Project, shell: str) -> None:
    script = project.run("completion", shell).out
    for command in (*COMMANDS, *ALIASES):
        assert command in script
        for option in options_of(command):
            assert option.lstrip("-") in script


@pytest.mark.parametrize("command", [*COMMANDS, *ALIASES])
def test_every_command_has_help(project: Project, command: str) -> None:
    done = project.run(command, "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("usage: confsvc ")
    assert all(text for text in options_of(command).values())
