"""Real stores that do not answer, or say no, and a start that has the last good settings to fall back on."""

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from certificates import Authority
from confsvc.testing import find_leaks
from fault_proxy import FaultProxy, run_proxy
from observing import watch_process
from openbao import Bao
from running import CONFSVC, Done, Project
from stores import STORES
from supervised import Running
from toxics import LimitData, ResetPeer, Timeout
from trial import Store

Serve = Callable[[Callable[[socket.socket, bytes], None]], tuple[int, list[bytes]]]

SHOW = ("exec", "--", "sh", "-c", 'printf "%s\\n" "$SETTING_A" "$SETTING_B"')
QUICK = 6.0  # seconds for a start that gives the network two and a half of them


class Shop:
    """A project that reads ``store`` through a proxy, with the cache switched on."""

    def __init__(self, project: Project, store: Store, port: int) -> None:
        self.project, self.store = project, store
        self.project.environ |= dict(store.environ)
        self.project.environ |= {
            "CONFSVC_CACHE_DIR": str(project.folder / "cache"),
            "XDG_STATE_HOME": str(project.folder / "state"),
        }
        values = "".join(f"{name} = {json.dumps('${' + text + '}')}\n" for name, text in store.values.items())
        project.manifest(
            "cache = true\n[settings]\n"
            + "".join(f"{name} = {{ secret = true }}\n" for name in store.values)
            + f"[backends.{store.name}]\n{store.backend.replace('{port}', str(port))}\n"
            + f"[environments.production.values]\n{values}"
        )

    @property
    def expected(self) -> str:
        """What the command prints when it has its settings."""
        return "".join(f"{text}\n" for text in self.store.generations[-1].values())

    def start(self, *options: str, env: Mapping[str, str] | None = None) -> Done:
        return self.project.run(SHOW[0], *options, *SHOW[1:], env=env)

    def answered(self, before: Callable[[], None] = lambda: None) -> Done:
        """Start where stores answer. What is kept is used where a busy machine lets that take too long: then again."""
        for _ in range(5):
            before()
            done = self.start()
            if "from the cache" not in done.err:
                return done
        pytest.fail("each time what is kept was used")

    def fallen_back(self) -> Done:
        """Start, and check that it did so with what was kept, in time, and said so; nothing shows a value."""
        seen = watch_process([CONFSVC, *SHOW], self.project.environ, self.project.folder)
        done = Done(seen.status, seen.out.decode(), seen.err.decode(), seen.out)
        assert (done.status, done.out) == (0, self.expected), done.err
        assert seen.end - seen.start - seen.waited < QUICK
        assert "warning: these settings are" in done.err
        assert "from the cache: " in done.err
        self.shows_nothing(done)
        return done

    def shows_nothing(self, done: Done) -> None:
        kept = b"".join(one.read_bytes() for one in self.project.folder.rglob("*") if one.is_file())
        for text in [*self.store.secrets, *self.store.generations[-1].values()]:
            assert find_leaks(text, done.err, kept) == []


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    """The store that the test is about; each test has one with secrets of its own."""
    server, make = STORES[getattr(request, "param", "vault")]
    return make(request.getfixturevalue(server))


@pytest.fixture
def proxy(store: Store) -> Iterator[FaultProxy]:
    with run_proxy(store.port) as made:
        yield made


@pytest.fixture
def shop(project: Project, store: Store, proxy: FaultProxy) -> Shop:
    """A shop that has started well once, and said nothing."""
    made = Shop(project, store, proxy.port)
    done = made.start()
    assert (done.status, done.out, done.err) == (0, made.expected, "")
    return made


OUTAGES: Mapping[str, Callable[[FaultProxy], None]] = {
    "refused": FaultProxy.refuse,
    "a black hole": FaultProxy.stall,
    "silent": lambda proxy: proxy.use(Timeout()),
    "reset": lambda proxy: proxy.use(ResetPeer()),
    "cut short": lambda proxy: proxy.use(LimitData(count=20)),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_is_stood_in_for(shop: Shop, proxy: FaultProxy, outage: str) -> None:
    OUTAGES[outage](proxy)
    shop.fallen_back()
    control = shop.start("--no-cache", "--timeout", "500ms")
    assert control.status in {69, 75}
    assert control.out == ""


def test_what_a_second_try_mends_is_read_anew(shop: Shop, proxy: FaultProxy) -> None:
    done = shop.answered(lambda: proxy.use(ResetPeer(), times=1))
    assert (done.status, done.out, done.err) == (0, shop.expected, "")


@pytest.mark.parametrize("store", [name for name in STORES if name != "vault"], indirect=True)
def test_every_store_is_stood_in_for(shop: Shop, proxy: FaultProxy) -> None:
    proxy.refuse()
    shop.fallen_back()
    proxy.clear()
    assert shop.answered().err == ""


@pytest.mark.parametrize(("status", "headers"), [(500, ""), (503, ""), (429, "Retry-After: 60\r\n")])
def test_a_server_that_cannot_is_stood_in_for(
    shop: Shop, proxy: FaultProxy, serve: Serve, status: int, headers: str
) -> None:
    """Errors, a store that is sealed (503), and one that asks for more patience than there is."""
    port, _ = serve(
        lambda connection, _: connection.sendall(
            f"HTTP/1.1 {status} No\r\n{headers}Content-Length: 2\r\n\r\n{{}}".encode()
        )
    )
    proxy.refuse()
    proxy.target = port  # another server is there now
    proxy.clear()
    shop.fallen_back()


def test_a_certificate_that_is_not_trusted_is_silence(project: Project, bao: Bao, tmp_path: Path) -> None:
    store = STORES["vault"][1](bao)
    trusted = project.folder / "ca.pem"
    trusted.write_bytes(Path(bao.authority.file).read_bytes())
    table = f'address = "{bao.tls_address}"\nca_file = "ca.pem"'
    shop = Shop(project, store._replace(backend=table), 0)
    assert shop.start().out == shop.expected
    (tmp_path / "other").mkdir()
    trusted.write_bytes(Path(Authority(tmp_path / "other").file).read_bytes())
    assert "certificate" in shop.fallen_back().err


def revoked(bao: Bao, store: Store) -> int:
    bao.call("POST", "auth/token/revoke", {"token": store.environ["VAULT_TOKEN"]})
    return 77


def deleted(bao: Bao, store: Store) -> int:
    path = store.values["SETTING_A"].partition("secret/")[2].partition("#")[0]
    bao.call("DELETE", f"secret/metadata/{path}")
    return 65


def emptied(bao: Bao, store: Store) -> int:
    path = store.values["SETTING_A"].partition("secret/")[2].partition("#")[0]
    bao.put(path, {"another": "field"})
    return 65


def destroyed(bao: Bao, store: Store) -> int:
    path = store.values["SETTING_A"].partition("secret/")[2].partition("#")[0]
    bao.call("DELETE", f"secret/data/{path}")
    return 65


@pytest.mark.parametrize("answer", [revoked, deleted, emptied, destroyed])
def test_an_answer_is_never_contradicted_nor_takes_what_is_kept(
    shop: Shop, bao: Bao, proxy: FaultProxy, answer: Callable[[Bao, Store], int]
) -> None:
    kept = {path: path.read_bytes() for path in (shop.project.folder / "cache").iterdir()}
    status = answer(bao, shop.store)
    done = shop.answered()
    assert (done.status, done.out) == (status, ""), done.err
    assert "from the cache" not in done.err
    assert {path: path.read_bytes() for path in (shop.project.folder / "cache").iterdir()} == kept
    proxy.refuse()
    shop.fallen_back()  # C07: what is kept outlives an answer, as one alone may be a mistake


def test_a_start_offline_asks_nobody(shop: Shop, proxy: FaultProxy) -> None:
    proxy.forget()
    for options, env in ((["--offline"], {}), ([], {"CONFSVC_OFFLINE": "1"})):
        done = shop.start(*options, env=env)
        assert (done.status, done.out) == (0, shop.expected)
        assert "from the cache: offline" in done.err
    assert proxy.requests() == []


def test_a_start_offline_with_nothing_kept_says_so(project: Project, store: Store, proxy: FaultProxy) -> None:
    shop = Shop(project, store, proxy.port)
    done = shop.start("--offline")
    assert done.status == 75
    assert done.err.count("nothing is kept yet") == 2
    assert proxy.requests() == []


def test_what_is_too_old_is_not_used_and_that_is_said(shop: Shop, proxy: FaultProxy) -> None:
    manifest = shop.project.folder / "confsvc.toml"
    manifest.write_text(manifest.read_text().replace("cache = true", 'cache = { max_age = "50ms" }'))
    time.sleep(0.05)
    proxy.refuse()
    done = shop.start()
    assert (done.status, done.out) == (69, "")
    assert "the cache does not help: it is" in done.err


def test_a_setting_may_be_stricter_than_the_rest(shop: Shop, proxy: FaultProxy) -> None:
    manifest = shop.project.folder / "confsvc.toml"
    text = manifest.read_text().replace(
        "SETTING_A = { secret = true", 'SETTING_A = { secret = true, max_stale = "0s"', 1
    )
    manifest.write_text(text)
    assert shop.start().out == shop.expected
    proxy.refuse()
    assert shop.start().status == 69
    assert shop.start("--set", "SETTING_A=mine").status == 69  # it was never kept, as it never may be used


def test_a_cache_that_cannot_be_used_or_written_stops_nobody(shop: Shop) -> None:
    (shop.project.folder / "key").write_bytes(b"too short")
    done = shop.start(env={"CONFSVC_CACHE_KEY_FILE": str(shop.project.folder / "key")})
    assert (done.status, done.out) == (0, shop.expected)
    assert done.err.startswith("warning: the cache cannot be used: the key in ")
    (shop.project.folder / "file").write_text("")
    done = shop.start(env={"CONFSVC_CACHE_DIR": str(shop.project.folder / "file")})
    assert (done.status, done.out) == (0, shop.expected)
    assert done.err.count("warning: ") == 1


@pytest.mark.parametrize("command", [("get", "SETTING_A"), ("export", "--format", "json"), ("render", "--to", "out")])
def test_other_commands_fall_back_too(shop: Shop, proxy: FaultProxy, command: tuple[str, ...]) -> None:
    proxy.refuse()
    done = shop.project.run(*command)
    assert done.status == 0
    assert "from the cache" in done.err


def test_explain_says_what_is_from_the_cache(shop: Shop, proxy: FaultProxy) -> None:
    proxy.refuse()
    done = shop.project.run("explain")
    assert done.out.count(", from the cache") == 2
    settings = json.loads(shop.project.run("explain", "--json").out)["settings"]
    assert [one["cached"] for one in settings] == [True, True]
    assert "from the cache" in shop.project.run("explain", "SETTING_A").out


def test_a_check_tells_how_the_stores_are(shop: Shop, proxy: FaultProxy) -> None:
    proxy.refuse()
    assert shop.project.run("check").status == 69
    assert shop.project.run("check", "--offline").status == 0
    assert shop.project.run("check", "--offline", "--metadata").status == 64


def test_environments_are_compared_offline_by_what_was_kept(shop: Shop, proxy: FaultProxy) -> None:
    text = (shop.project.folder / "confsvc.toml").read_text()
    shop.project.manifest(text + '[environments.twin]\nextends = "production"\n')
    assert [shop.project.run("get", "SETTING_A", "-e", name).status for name in ("production", "twin")] == [0, 0]
    proxy.refuse()
    assert shop.project.run("diff", "production", "twin").status == 69
    done = shop.project.run("diff", "production", "twin", "--only", "SETTING_A", "--offline")
    assert (done.status, done.out) == (0, "ok: production and twin have 1 setting the same\n")


WATCH = 'echo up "$SETTING_A"; exec sleep 60'


def test_a_parent_that_watches_starts_from_it_and_recovers(shop: Shop, bao: Bao, proxy: FaultProxy) -> None:
    proxy.refuse()
    old, path = shop.store.generations[-1]["SETTING_A"], shop.store.values["SETTING_A"]
    bao.put(path.partition("secret/")[2].partition("#")[0], {"value": "newer"})
    options = ("--watch=100ms", "--debounce=10ms", "--min-interval=10ms", "--splay=0s", "--timeout=5s")
    running = Running(shop.project, ["exec", *options, "--", "sh", "-c", WATCH])
    try:
        running.says(f"up {old}")
        running.says("cannot be read")
        proxy.clear()
        running.says("can be read again")
        running.says("up newer")
        assert "from the cache" in running.err
    finally:
        running.close()
    proxy.refuse()
    assert shop.start().out.startswith("newer\n")  # the change was kept


def test_what_an_engine_makes_is_not_kept(project: Project, bao: Bao, proxy: FaultProxy, store: Store) -> None:
    """A code of TOTP has no lease, and is worth nothing a minute later."""
    bao.mount("totp", "totp")
    bao.call("POST", "totp/keys/app", {"generate": True, "issuer": "shop", "account_name": "app"})
    bao.call("POST", "kv1/first", {"value": "of version 1"})
    bao.policy("codes", "totp/code/app read", "kv1/first read")
    environ = {"VAULT_TOKEN": bao.token("codes")}
    values = {"SETTING_A": "vault://totp/code/app#code", "SETTING_B": "vault://kv1/first#value"}
    shop = Shop(project, store._replace(values=values, environ=environ), proxy.port)
    assert shop.start().status == 0
    proxy.refuse()
    assert shop.project.run("get", "SETTING_B").out == "of version 1"
    done = shop.start()
    assert (done.status, done.out) == (69, "")
    assert "the cache does not help: with it there would be no good value for `SETTING_A`" in done.err
