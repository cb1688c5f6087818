"""The whole story, with a real OpenBao and moto: check, lock, deploy, rotate, drift, a rename caught, and back."""

import json
import subprocess

import pytest

from aws import ENVIRON, Aws
from browser import Browser
from confsvc.testing import find_leaks, make_canary
from openbao import ROOT, Bao
from running import Done, Project

FIRST, SECOND, THIRD = (make_canary() for _ in range(3))

MANIFEST = """
project = "story"

[settings]
DATABASE_URL = { secret = true, description = "DSN of the orders database" }
STRIPE_KEY = { secret = true }
PORT = { type = "port", default = 8080 }
LOG_LEVEL = { type = "enum", choices = ["debug", "info", "warning"], default = "info" }

[environments.staging]
sources = ["vault://secret/{project}/{environment}", "aws-ssm:///{project}/{environment}/"]
[environments.staging.values]
STRIPE_KEY = "${aws-sm://{project}/{environment}/stripe#key}"

[environments.production]
extends = "staging"
"""
PROGRAM = 'echo "$DATABASE_URL $STRIPE_KEY $PORT $LOG_LEVEL"'


class Shop:
    """One app in two environments, whose releases are tags of its repository."""

    def __init__(self, project: Project, bao: Bao, aws: Aws) -> None:
        self.project, self.bao, self.aws = project, bao, aws
        project.environ |= {"VAULT_ADDR": bao.address, "VAULT_TOKEN": ROOT, "HOME": str(project.folder)}
        project.environ |= {**ENVIRON, "AWS_ENDPOINT_URL": aws.address, "GIT_CONFIG_NOSYSTEM": "1"}
        (project.folder / ".git").rmdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> None:
        """Run git in the project."""
        names = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *names, *words], cwd=self.project.folder, check=True, capture_output=True)

    def store(self, environment: str, secret: str, port: int) -> None:
        """Write an environment's values anew."""
        self.bao.put(f"story/{environment}", {"database_url": f"postgres://shop:{secret}@db/{environment}"})
        self.aws.put_secret(f"story/{environment}/stripe", json.dumps({"key": f"sk-{secret}"}))
        self.aws.put_parameter(f"/story/{environment}/port", str(port), "String")

    def release(self, tag: str) -> None:
        """Commit what lies there, and tag it."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", tag)
        self.git("tag", tag)

    def deploy(self, tag: str, environment: str) -> str:
        """Start a release as it was committed. Returns what the program got."""
        self.git("checkout", "-q", tag)
        done = self.project.run("exec", "-e", environment, "--locked", "--", "sh", "-c", PROGRAM)
        assert done.status == 0, done.err
        return done.out.strip()

    def run(self, *argv: str) -> Done:
        """Run a command, none of which may tell a secret."""
        done = self.project.run(*argv)
        assert [find_leaks(value, done.out, done.err) for value in (FIRST, SECOND, THIRD)] == [[], [], []]
        return done


@pytest.fixture
def shop(project: Project, bao: Bao, aws: Aws) -> Shop:
    """The app, its stores filled, and its manifest written."""
    made = Shop(project, bao, aws)
    for environment in ("staging", "production"):
        made.store(environment, FIRST, 80)
    project.manifest(MANIFEST)
    return made


def look(shop: Shop, browser: Browser) -> list[list[str]]:
    """Write a report, open it, and return the words of each row: the setting, and its state in each environment."""
    assert shop.run("report", "-o", "report.html", "--force").status == 0
    page = shop.project.folder / "report.html"
    assert [find_leaks(value, page.read_text()) for value in (FIRST, SECOND, THIRD)] == [[], [], []]
    browser.open(page.as_uri())
    rows = "return [...document.querySelectorAll('tbody tr')].map(row => row.innerText.split(/\\s+/))"
    found: list[list[str]] = browser.run(rows)
    return found


def test_a_release_goes_to_production_and_comes_back_with_its_configuration(shop: Shop, browser: Browser) -> None:
    assert shop.run("check", "--all").status == 0
    assert shop.run("lock", "--all", "--strict").status == 0
    assert find_leaks(FIRST, (shop.project.folder / "confsvc.lock").read_text()) == []
    shop.release("v1")
    released = f"postgres://shop:{FIRST}@db/production sk-{FIRST} 80 info"
    assert shop.deploy("v1", "production") == released

    # Everything rotates. The release that runs is what it was, and people see what moved.
    shop.store("production", SECOND, 81)
    assert shop.deploy("v1", "production") == released
    moved = shop.run("lock", "--check", "--all")
    assert (moved.status, "ok: staging is as it was locked" in moved.out) == (1, True)
    assert {line.split()[1] for line in moved.out.splitlines() if line.startswith("  moved")} == {
        "vault://secret/story/production",
        "aws-ssm:///story/production/port",
        "aws-sm://story/production/stripe",
    }
    assert shop.run("diff", "production", "confsvc.lock").status == 1
    assert shop.run("diff", "staging", "confsvc.lock").status == 0

    seen = look(shop, browser)
    assert [row[0] for row in seen] == ["DATABASE_URL", "STRIPE_KEY", "PORT", "LOG_LEVEL"]
    assert [row.count("present") for row in seen] == [2, 2, 2, 0]

    # The next release calls a setting by another name. That it would have broken both ways is seen before it does.
    shop.git("checkout", "-q", "main")
    shop.project.manifest(MANIFEST.replace("DATABASE_URL", "ORDERS_DSN"))
    compared = shop.run("compat", "v1")
    assert compared.status == 1
    assert "renamed  DATABASE_URL  seems to be `ORDERS_DSN` now" in compared.out
    refused = shop.project.run("exec", "-e", "production", "--locked", "--", "true")
    assert refused.status == 78
    assert "ORDERS_DSN" in refused.err
    assert "DATABASE_URL" in refused.err

    # So it reads both for one version, and both versions fit what production holds.
    added = "ORDERS_DSN = { secret = true, required = false }\n\n[environments.staging]"
    both = MANIFEST.replace("[environments.staging]", added)
    shop.project.manifest(both)
    assert shop.run("compat", "v1").status == 0
    assert shop.run("compat", "v1", "-e", "staging", "-e", "production").status == 0
    assert shop.run("lock", "-e", "production").status == 0
    shop.release("v2")
    assert shop.deploy("v2", "production") == f"postgres://shop:{SECOND}@db/production sk-{SECOND} 81 info"

    # Rolled back, whatever was written since: the old release reads what it was released with.
    shop.store("production", THIRD, 82)
    assert shop.deploy("v1", "production") == released
    assert shop.deploy("v1", "staging") == released.replace("production", "staging")
