"""The agent over real stores: one read for all, what changes, what is silent, and what says no."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, SecretStr

import confsvc
from agents import Agent, run_agent
from aws import ENVIRON, REGION, Aws
from counting import Counting, run_counting
from gcp import PROJECT, Gcp
from openbao import ROOT, Bao, free_port, run_bao
from running import CONFSVC, Project
from supervised import until

MANIFEST = """
project = "shop"
default_environment = "production"
[settings]
PASSWORD = {{ type = "str", secret = true }}
POOL = {{ type = "int", ge = 1 }}
[backends.vault]
address = "{address}"
[environments.production]
sources = ["vault://secret/{path}"]
"""


class Settings(BaseModel):
    """The same settings, in code."""

    password: SecretStr
    pool: int


@pytest.fixture
def counting(bao: Bao) -> Iterator[Counting]:
    with run_counting(bao.address) as made:
        yield made


@pytest.fixture
def shop(project: Project, bao: Bao, counting: Counting, canary: str) -> Project:
    path = f"agent/{project.folder.name}"
    bao.put(path, {"password": canary, "pool": "5", "undeclared": "nobody asked for it"})
    project.manifest(MANIFEST.format(address=counting.address, path=path))
    return project


@pytest.fixture
def agent(shop: Project) -> Iterator[Agent]:
    with run_agent(shop, "--interval", "1s", env={"VAULT_TOKEN": ROOT}) as made:
        yield made


def reads(counting: Counting) -> int:
    return sum(count for what, count in counting.asked.items() if what.startswith("GET /v1/secret/data/agent/"))


def put(bao: Bao, shop: Project, **fields: str) -> None:
    bao.put(f"agent/{shop.folder.name}", fields)


def test_many_cold_starts_at_once_are_one_read_and_need_no_token(
    shop: Project, counting: Counting, canary: str
) -> None:
    with run_agent(shop, env={"VAULT_TOKEN": ROOT}, ready=False) as agent:
        until(agent.listens)
        starts = [
            subprocess.Popen(
                [CONFSVC, "exec", "--", "sh", "-c", "echo $PASSWORD $POOL"],
                cwd=shop.folder,
                env={**shop.environ, **agent.environ},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for _ in range(40)
        ]
        said = [one.communicate(timeout=180) for one in starts]
    assert {out for out, _ in said} == {f"{canary} 5\n".encode()}
    assert {err for _, err in said} == {b""}
    assert reads(counting) == 1


def test_nothing_but_declared_settings_is_handed_out(agent: Agent) -> None:
    for page in ("settings", "documents", "versions"):
        body = agent.get(f"/v1/{page}").body.decode()
        assert "undeclared" not in body
        assert "nobody asked for it" not in body


def test_what_takes_the_long_way_is_served_too(
    agent: Agent, shop: Project, counting: Counting, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = reads(counting)
    done = shop.run("exec", "--set", "POOL=9", "--", "sh", "-c", "echo $PASSWORD $POOL", env=agent.environ)
    assert (done.status, done.out, done.err) == (0, f"{canary} 9\n", "")
    done = shop.run("render", "--to", "out", env=agent.environ)
    assert (done.status, (shop.folder / "out" / "PASSWORD").read_text()) == (0, canary)
    done = shop.run("get", "PASSWORD", "--reveal", env=agent.environ)
    assert (done.status, done.out) == (0, canary)
    monkeypatch.setenv("CONFSVC_AGENT_SOCKET", agent.path)
    loaded = confsvc.load(Settings, file=str(shop.folder / "confsvc.toml"))
    assert (loaded.password.get_secret_value(), loaded.pool) == (canary, 5)
    resolution = confsvc.resolve(file=str(shop.folder / "confsvc.toml"))
    assert resolution["POOL"].origin.version == "1"
    assert reads(counting) == before


def test_who_declares_more_than_the_agent_serves_asks_the_store(
    agent: Agent, shop: Project, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    class More(Settings):
        undeclared: str

    before = reads(counting)
    monkeypatch.setenv("CONFSVC_AGENT_SOCKET", agent.path)
    monkeypatch.setenv("VAULT_TOKEN", ROOT)
    assert confsvc.load(More, file=str(shop.folder / "confsvc.toml")).undeclared == "nobody asked for it"
    assert reads(counting) == before + 1


def test_check_asks_the_store_itself(agent: Agent, shop: Project) -> None:
    assert shop.run("check", env=agent.environ).status == 77
    assert shop.run("check", env={**agent.environ, "VAULT_TOKEN": ROOT}).status == 0


def test_a_change_is_noticed_by_its_version_and_reaches_who_watches_through_the_agent(
    agent: Agent, shop: Project, bao: Bao, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFSVC_AGENT_SOCKET", agent.path)
    with confsvc.watch(Settings, file=str(shop.folder / "confsvc.toml"), interval=0.5, debounce=0.0) as live:
        assert live.current.pool == 5
        put(bao, shop, password="next", pool="6")
        until(lambda: live.current.pool == 6)
        assert live.current.password.get_secret_value() == "next"
        until(lambda: agent.events("changed") != [])
    assert agent.events("changed")[0]["versions"] == {"PASSWORD": "2", "POOL": "2"}
    assert reads(counting) == 2
    done = shop.run("exec", "--", "sh", "-c", "echo $POOL", env=agent.environ)
    assert (done.status, done.out) == (0, "6\n")


def test_who_asks_for_something_newer_gets_it(
    shop: Project, bao: Bao, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_agent(shop, "--interval", "1h", env={"VAULT_TOKEN": ROOT}) as agent:
        monkeypatch.setenv("CONFSVC_AGENT_SOCKET", agent.path)
        with confsvc.watch(Settings, file=str(shop.folder / "confsvc.toml"), interval=3600.0) as live:
            put(bao, shop, password="next", pool="7")
            assert live.current.pool == 5
            until(lambda: live.refresh().pool == 7)  # what was read less than a second ago is new enough
        assert reads(counting) == 2


def test_a_store_that_says_no_is_not_contradicted(agent: Agent, shop: Project, bao: Bao) -> None:
    bao.call("DELETE", f"secret/data/agent/{shop.folder.name}")
    agent.wait("/readyz", 503)
    assert agent.get("/v1/settings").data["error"]["code"] == "refused"
    done = shop.run("exec", "--", "true", env={**agent.environ, "VAULT_TOKEN": ROOT})
    assert (done.status, "deleted" in done.err or "not found" in done.err) == (65, True)
    put(bao, shop, password="back", pool="8")
    agent.wait("/readyz")
    done = shop.run("exec", "--", "sh", "-c", "echo $POOL", env=agent.environ)
    assert (done.status, done.out) == (0, "8\n")


def test_a_token_that_was_revoked_bites(shop: Project, bao: Bao) -> None:
    token = bao.token(bao.policy("agent", "secret/data/agent/* read", "secret/metadata/agent/* read"))
    with run_agent(shop, "--interval", "1s", env={"VAULT_TOKEN": token}) as agent:
        bao.call("POST", "auth/token/revoke", {"token": token})
        agent.wait("/readyz", 503)
        done = shop.run("exec", "--", "true", env={**agent.environ, "VAULT_TOKEN": token})
        assert done.status == 77


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A server that the test may stop."""
    with run_bao(tmp_path_factory.mktemp("own")) as server:
        yield server


def test_a_store_that_is_gone_is_stood_in_for_and_every_start_says_so(
    project: Project, own: Bao, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.put("agent/outage", {"password": canary, "pool": "5"})
    project.manifest(MANIFEST.format(address=own.address, path="agent/outage"))
    with run_agent(project, "--interval", "1s", "--timeout", "5s", env={"VAULT_TOKEN": ROOT}) as agent:
        own.stop()
        agent.until("outage")
        assert agent.get("/readyz").data == {"status": "ready", "outage": True, "refused": False}
        said = agent.get("/v1/settings")
        assert (said.status, int(said.fields["confsvc-outage"]) >= 0) == (200, True)
        done = project.run("exec", "--", "sh", "-c", "echo $PASSWORD", env=agent.environ)
        assert (done.status, done.out) == (0, f"{canary}\n")
        assert done.err.endswith("s old: a store does not answer it\n")
        assert done.err.count("\n") == 1
        done = project.run("exec", "--set", "POOL=1", "--", "sh", "-c", "echo $PASSWORD", env=agent.environ)
        assert (done.status, done.out, done.err.count("\n")) == (0, f"{canary}\n", 1)
        done = project.run("exec", "--no-cache", "--timeout", "3s", "--", "true", env=agent.environ)
        assert done.status in {69, 77}  # it wants no stand-in, and has no token
        monkeypatch.setenv("CONFSVC_AGENT_SOCKET", agent.path)
        with pytest.warns(confsvc.ConfsvcWarning, match="old: a store does not answer it"):
            confsvc.load(Settings, file=str(project.folder / "confsvc.toml"))


def test_an_agent_that_starts_while_nobody_answers_has_what_was_kept(project: Project, own: Bao, canary: str) -> None:
    own.put("agent/cold", {"password": canary, "pool": "5"})
    project.manifest(MANIFEST.format(address=own.address, path="agent/cold"))
    environ = {"VAULT_TOKEN": ROOT, "CONFSVC_CACHE_DIR": str(project.folder / "cache"), "HOME": str(project.folder)}
    with run_agent(project, env=environ) as agent:
        assert agent.stop() == 0
    own.stop()
    began = time.monotonic()
    with run_agent(project, "--timeout", "90s", env=environ) as agent:
        assert time.monotonic() - began < 60
        done = project.run("exec", "--", "sh", "-c", "echo $PASSWORD", env=agent.environ)
        assert (done.status, done.out) == (0, f"{canary}\n")
        assert "old: a store does not answer it" in done.err
        assert agent.get("/readyz").data["outage"] is True


def test_an_agent_that_never_had_anything_sends_clients_on_and_goes_on_trying(project: Project) -> None:
    port = free_port()
    project.manifest(MANIFEST.format(address=f"http://127.0.0.1:{port}", path="agent/none"))
    with run_agent(project, "--timeout", "2s", env={"VAULT_TOKEN": ROOT}, ready=False) as agent:
        agent.until("unavailable")
        assert agent.get("/v1/settings").data["error"]["code"] == "unavailable"
        assert agent.get("/healthz").status == 200
        done = project.run("exec", "--timeout", "1s", "--", "true", env={**agent.environ, "VAULT_TOKEN": ROOT})
        assert done.status in {69, 75}


def test_a_manifest_that_is_mended_is_taken_while_no_store_answers_and_one_that_leads_nowhere_later(
    project: Project, bao: Bao, canary: str
) -> None:
    bao.put("agent/mended", {"password": canary, "pool": "5"})
    good = MANIFEST.format(address=bao.address, path="agent/mended")
    nowhere = MANIFEST.format(address=f"http://127.0.0.1:{free_port()}", path="agent/mended")
    project.manifest(nowhere)
    with run_agent(project, "--timeout", "2s", env={"VAULT_TOKEN": ROOT}, ready=False) as agent:
        agent.until("unavailable")
        project.manifest(good)
        agent.wait()
        project.manifest(nowhere)
        agent.until("not reloaded")
        assert agent.get("/v1/settings").status == 200
        project.manifest(good.replace("ge = 1", "ge = 2"))
        agent.until("ready", 2)


STORES = """
project = "shop"
[settings]
PASSWORD = {{ secret = true }}
KEY = {{ secret = true }}
TOKEN = {{ secret = true }}
PLAIN = {{}}
[backends.vault]
address = "{bao}"
[backends.aws-sm]
region = "{region}"
endpoint_url = "{moto}"
[backends.gcp-sm]
endpoint = "{drongo}"
project = "{gcp}"
auth = {{ method = "anonymous" }}
[environments.production]
sources = ["dotenv://.env"]
[environments.production.values]
PASSWORD = "${{vault://secret/agent/three#password}}"
KEY = "${{aws-sm://agent/three#key}}"
TOKEN = "${{gcp-sm://{gcp}/agent-three}}"
"""


def test_three_stores_and_a_file_are_one_set(project: Project, bao: Bao, aws: Aws, gcp: Gcp, canary: str) -> None:
    bao.put("agent/three", {"password": f"{canary}-1"})
    aws.put_secret("agent/three", json.dumps({"key": f"{canary}-2", "other": "hidden"}))
    gcp.put("agent-three", f"{canary}-3".encode())
    project.manifest(
        STORES.format(bao=bao.address, region=REGION, moto=aws.address, drongo=gcp.address, gcp=PROJECT),
        env="PLAIN=x\n",
    )
    with run_agent(project, env={"VAULT_TOKEN": ROOT, **ENVIRON}) as agent:
        script = "echo $PASSWORD $KEY $TOKEN $PLAIN"
        done = project.run("exec", "--", "sh", "-c", script, env=agent.environ)
        assert (done.status, done.out, done.err) == (0, f"{canary}-1 {canary}-2 {canary}-3 x\n", "")
        done = project.run("exec", "--set", "PLAIN=y", "--", "sh", "-c", script, env=agent.environ)
        assert (done.status, done.out, done.err) == (0, f"{canary}-1 {canary}-2 {canary}-3 y\n", "")
        assert "hidden" not in agent.get("/v1/documents").body.decode()
        asked = agent.get("/metrics").body.decode()
        for name in ("vault", "aws-sm", "gcp-sm"):
            assert f'backend_requests_total{{backend="{name}"}} 1' in asked
        assert canary not in json.dumps(agent.log) + asked
        agent.stop()


def test_a_schema_in_code_is_validated_by_who_asks(project: Project, bao: Bao, counting: Counting, canary: str) -> None:
    bao.put("agent/code", {"password": canary, "pool": "5"})
    project.manifest(
        'project = "shop"\nschema = "shop_settings:Settings"\n[backends.vault]\n'
        f'address = "{counting.address}"\n[environments.production]\nsources = ["vault://secret/agent/code"]\n'
    )
    code = "from pydantic import BaseModel\nclass Settings(BaseModel):\n    password: str\n    pool: int\n"
    project.write({"shop_settings.py": code})
    with run_agent(project, env={"VAULT_TOKEN": ROOT}) as agent:
        done = project.run("exec", "--", "sh", "-c", "echo $POOL", env=agent.environ)
        assert (done.status, done.out) == (0, "5\n")
        project.write({"shop_settings.py": code.replace("pool: int", "pool: bool")})
        done = project.run("exec", "--", "true", env=agent.environ)
        assert (done.status, "POOL" in done.err) == (65, True)
    assert reads(counting) == 1


def test_workers_of_one_host_share_the_agent(agent: Agent, shop: Project, counting: Counting) -> None:
    code = (
        "import os, sys, confsvc\nfrom pydantic import BaseModel\n"
        "class Settings(BaseModel):\n    pool: int\n    password: str\n"
        "live = confsvc.watch(Settings)\n"
        "if os.fork(): os.wait()\nprint(live.current.pool, flush=True); live.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=shop.folder,
        env={**os.environ, **shop.environ, **agent.environ},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"5\n5\n"
    assert reads(counting) == 1
