"""What a real store says no with, each cause by a word of its own, and every oracle's judgement of the run."""

import time
import urllib.error
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

import pytest

from aws import Aws
from fault_proxy import run_proxy
from gcp import PROJECT, Gcp
from openbao import Bao, run_bao
from stores import approle_store, gcp_store, parameter_store, secrets_manager_store, vault_store
from trial import Store, Trial

Run = Callable[..., None]


@pytest.fixture
def start(tmp_path: Path) -> Run:
    """A function that starts a command whose SETTING_A is a reference, or whose process has other variables."""

    def run(store: Store, status: int, *words: str, reference: str = "", **environ: str) -> None:
        values = {**store.values, **({"SETTING_A": reference} if reference else {})}
        changed = store._replace(
            values=values,
            environ={**store.environ, **environ},
            secrets=[*store.secrets, *(text for text in environ.values() if text)],
        )
        with run_proxy(store.port) as proxy:
            trial = Trial(tmp_path / token_hex(4), changed, proxy)
            trial.check(status=status, words=words, requests=3 * store.requests + 4)

    return run


# The case, as the reference of one setting, the exit status, and what is said.
VAULT = {
    "B31 missing": ("vault://secret/{folder}/nothing#value", 65, "not found: "),
    "B31 deleted": ("vault://secret/{folder}/deleted#value", 65, "was deleted"),
    "B31 no mount": ("vault://nowhere/{folder}/x#value", 77, "nowhere/"),
    "B31 no namespace": ("vault://secret/{folder}/setting_a?namespace=nowhere#value", 65, "no namespace is called"),
    "B32 no such field": ("vault://secret/{folder}/setting_a#valeu", 65, "did you mean `value`"),
    "B33 destroyed": ("vault://secret/{folder}/destroyed?version=1#value", 65, "destroyed"),
    "B33 no such version": ("vault://secret/{folder}/setting_a?version=99#value", 65, "has no version 99"),
    "B29 denied": ("vault://secret/other-folder/x#value", 77, 'capabilities = ["read"]'),
}


@pytest.mark.parametrize("case", VAULT)
def test_vault_says_no(start: Run, bao: Bao, case: str) -> None:
    store = vault_store(bao)
    folder = store.values["SETTING_A"].split("/")[3]
    for name in ("deleted", "destroyed"):
        bao.put(f"{folder}/{name}", {"value": "x"})
    bao.call("DELETE", f"secret/data/{folder}/deleted")
    bao.call("PUT", f"secret/destroy/{folder}/destroyed", {"versions": [1]})
    reference, status, words = VAULT[case]
    start(store, status, words, reference=reference.format(folder=folder))


def test_version_1_spelt_as_version_2_is_the_same_secret(bao: Bao, tmp_path: Path) -> None:
    store = vault_store(bao)
    spelt = {name: text.replace("vault://secret/", "vault://secret/data/") for name, text in store.values.items()}
    with run_proxy(store.port) as proxy:
        Trial(tmp_path, store._replace(values=spelt), proxy).check(requests=3)


def spent(bao: Bao, folder: str) -> str:
    """Return a token that was used as often as it may."""
    token = bao.token(folder, num_uses=1)
    bao.call("GET", "auth/token/lookup-self", token=token)
    return token


def expired(bao: Bao, folder: str) -> str:
    """Return a token whose time is over."""
    token = bao.token(folder, ttl="1s")
    end = time.monotonic() + 20
    with suppress(urllib.error.HTTPError):
        while time.monotonic() < end:
            bao.call("GET", "auth/token/lookup-self", token=token)
            time.sleep(0.1)
    return token


def revoked(bao: Bao, folder: str) -> str:
    """Return a token that was given back."""
    token = bao.token(folder)
    bao.call("POST", "auth/token/revoke-self", token=token)
    return token


def wrong(_bao: Bao, _folder: str) -> str:
    """Return a token that never was one."""
    return "cnry-never-was-a-token-4711"


@pytest.mark.parametrize("make", [spent, expired, revoked, wrong])
def test_a_token_that_is_none_any_more_is_told_from_a_right_that_is_missing(
    start: Run, bao: Bao, make: Callable[[Bao, str], str]
) -> None:
    store = vault_store(bao)
    start(store, 77, "the token is not accepted", VAULT_TOKEN=make(bao, store.values["SETTING_A"].split("/")[3]))


def test_without_a_token_nothing_is_sent(tmp_path: Path, bao: Bao) -> None:
    store = vault_store(bao)
    with run_proxy(store.port) as proxy:
        trial = Trial(tmp_path, store._replace(environ={}), proxy)
        trial.check(status=77, words=["there is no token", "VAULT_TOKEN"], requests=0)


def test_a_login_that_is_refused(start: Run, bao: Bao) -> None:
    start(approle_store(bao), 77, "`secret_id`", VAULT_SECRET_ID="cnry-wrong-secret-id-99")


def test_a_wrapped_secret_id_that_was_used_is_suspicious(start: Run, bao: Bao) -> None:
    store = approle_store(bao)
    role = store.values["SETTING_A"].split("/")[3]
    made = bao.call("POST", f"auth/approle/role/{role}/secret-id", {}, headers={"X-Vault-Wrap-TTL": "60"})
    wrapping = made["wrap_info"]["token"]
    bao.call("POST", "sys/wrapping/unwrap", token=wrapping)
    wrapped = store._replace(backend=store.backend.replace('"approle"', '"approle", secret_id_wrapped = true'))
    start(wrapped, 77, "somebody else has the secret id", VAULT_SECRET_ID=wrapping)


def test_a_sealed_server_says_what_to_do(tmp_path: Path, start: Run) -> None:
    (tmp_path / "bao").mkdir()
    with run_bao(tmp_path / "bao", sealed=True) as server:
        values = {"SETTING_A": "vault://secret/a#value"}
        environ = {"VAULT_TOKEN": "cnry-token-of-nobody"}
        store = Store("vault", server.port, 'address = "http://127.0.0.1:{port}"', values, environ, [], 2, [{}])
        start(store._replace(generations=[dict.fromkeys(values, "cnry-no-value-at-all")]), 69, "not initialised")
        server.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        start(store._replace(generations=[dict.fromkeys(values, "cnry-no-value-at-all")]), 69, "is sealed", "unseal")


@pytest.mark.parametrize(
    ("end", "status", "words"),
    [("nothing", 65, "not found"), ("deleted", 65, "deletion"), ("setting_a?stage=AWSPENDING", 65, "AWSPENDING")],
)
def test_secrets_manager_says_no(start: Run, moto: Aws, end: str, status: int, words: str) -> None:
    store = secrets_manager_store(moto)
    folder = store.values["SETTING_A"].removeprefix("aws-sm://").rpartition("/")[0]
    moto.put_secret(f"{folder}/deleted", "x")
    moto.secrets.delete_secret(SecretId=f"{folder}/deleted")
    start(store, status, words, reference=f"aws-sm://{folder}/{end}")


@pytest.mark.parametrize("end", ["nothing", "setting_a?version=99"])
def test_parameter_store_says_no(start: Run, moto: Aws, end: str) -> None:
    store = parameter_store(moto)
    folder = store.values["SETTING_A"].removeprefix("aws-ssm://").rpartition("/")[0]
    start(store, 65, "not found", reference=f"aws-ssm://{folder}/{end}")


@pytest.mark.parametrize(
    ("end", "words"), [("nothing", "not found"), ("gone?version=1", "destroyed"), ("gone?version=2", "disabled")]
)
def test_secret_manager_says_no(start: Run, gcp: Gcp, end: str, words: str) -> None:
    store = gcp_store(gcp)
    name = store.values["SETTING_A"].rpartition("/")[2].removesuffix("setting_a")
    for change in (gcp.client.destroy_secret_version, gcp.client.disable_secret_version):
        version = gcp.put(f"{name}gone", b"x")
        change(name=f"projects/{PROJECT}/secrets/{name}gone/versions/{version}")
    start(store, 65, words, reference=f"gcp-sm://{PROJECT}/{name}{end}")


def test_what_is_wrong_in_several_ways_is_told_at_once_and_the_worst_decides(tmp_path: Path, bao: Bao) -> None:
    store = vault_store(bao)
    folder = store.values["SETTING_A"].split("/")[3]
    values = {
        "SETTING_A": f"vault://secret/{folder}/nothing#value",
        "SETTING_B": "vault://secret/other/x#value",
        "SETTING_C": f"vault://secret/{folder}/setting_a#nope",
    }
    generations = [{**store.generations[0], "SETTING_C": "cnry-no-such-value"}]
    with run_proxy(store.port) as proxy:
        trial = Trial(tmp_path, store._replace(values=values, generations=generations), proxy)
        trial.check(status=77, words=["3 of 3", "not found: ", "denied: ", "no field `nope`"], requests=12)
