"""The pytest plugin: loaded in every run where confsvc is installed, so it must cost nothing and spoil nothing."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import confsvc
import confsvc.testing
from confsvc import registry
from confsvc.errors import Denied, Malformed, Throttled
from confsvc.testing import MemoryStore

MODULES = """
import sys

def test_modules():
    loaded = {name for name in sys.modules if name.partition(".")[0] in ("confsvc", "pydantic_core", "dotenv")}
    assert loaded == {"confsvc", "confsvc._version", "confsvc.testing", "confsvc.testing.plugin"}
"""

CONFTEST = "from confsvc.testing.contract import AdapterContract\n"

FAILING = """
from confsvc.adapter import Backend
from confsvc.testing import AdapterContract

class TestWrong(AdapterContract):
    def backend(self):
        return Backend("env", "env", {}, "/", {"A": "1"})
    def missing(self):
        return "env://A"
"""


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as anybody would who has confsvc installed."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *options],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_imports_nothing_of_the_core(tmp_path: Path) -> None:
    (tmp_path / "test_modules.py").write_text(MODULES)
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_assertions_of_the_contract_tell_what_they_compared(tmp_path: Path) -> None:
    """Also where a conftest.py imports the contract before any hook is called."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_wrong.py").write_text(FAILING)
    done = run_pytest(tmp_path, "-k", "what_is_missing")
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"^E +assert <class 'NoneType'> is <class 'confsvc.errors.NotFound'>", done.stdout, re.MULTILINE)


def test_every_public_name_is_there() -> None:
    for name in confsvc.testing.__all__:
        assert getattr(confsvc.testing, name) is not None
    assert dir(confsvc.testing) == confsvc.testing.__all__
    assert not hasattr(confsvc.testing, "nope")


@pytest.fixture
def resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], confsvc.Resolution]:
    """Resolve one setting from memory."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "confsvc.toml").write_text(
        '[settings]\nTOKEN = { secret = true }\n[environments.app]\nsources = ["memory://shop"]\n'
    )
    monkeypatch.chdir(tmp_path)
    return confsvc.resolve


Resolve = Callable[[], confsvc.Resolution]


def problem(resolve: Resolve) -> str:
    with pytest.raises(confsvc.ResolutionError) as caught:
        resolve()
    return caught.value.problems[0].code


def test_the_store_counts_what_is_read(confsvc_memory: MemoryStore, resolve: Resolve) -> None:
    confsvc_memory.put("shop", {"token": "x"})
    resolve()
    resolve()
    assert (confsvc_memory.reads, confsvc_memory.batches) == ({"shop": 2}, 2)


def test_the_store_fails_as_it_is_told_and_recovers(confsvc_memory: MemoryStore, resolve: Resolve) -> None:
    confsvc_memory.put("shop", {"token": "x"})
    confsvc_memory.fail("shop", Denied("not for you"))
    assert problem(resolve) == "denied"
    confsvc_memory.unavailable()
    assert problem(resolve) == "unavailable"
    confsvc_memory.recover()
    assert resolve()["TOKEN"].text == "x"
    confsvc_memory.fail("shop", Throttled("later"))
    confsvc_memory.put("shop", {"token": "y"})
    assert resolve()["TOKEN"].text == "y"
    confsvc_memory.remove("shop")
    assert problem(resolve) == "not_found"


def test_the_store_throttles_some_reads(confsvc_memory: MemoryStore, resolve: Resolve) -> None:
    confsvc_memory.put("shop", {"token": "x"})
    confsvc_memory.throttle(times=2)
    assert [problem(resolve), problem(resolve)] == ["throttled", "throttled"]
    assert resolve()["TOKEN"].text == "x"


def test_a_slow_store_meets_the_deadline(confsvc_memory: MemoryStore, resolve: Resolve) -> None:
    del resolve
    confsvc_memory.put("shop", {"token": "x"})
    confsvc_memory.delay = 60
    with pytest.raises(confsvc.ResolutionError) as caught:
        confsvc.resolve(timeout=0.1)
    assert caught.value.exit_status == 75


def test_a_failure_of_one_document_is_not_one_of_all(confsvc_memory: MemoryStore, resolve: Resolve) -> None:
    confsvc_memory.put("shop", {"token": "x"})
    confsvc_memory.fail("", Denied("the root is closed"))
    assert resolve()["TOKEN"].text == "x"


def test_settings_are_decided_for_one_test(
    confsvc_memory: MemoryStore, confsvc_settings: Callable[..., None], resolve: Resolve
) -> None:
    confsvc_settings(TOKEN="decided")
    assert resolve()["TOKEN"].text == "decided"
    assert confsvc_memory.batches == 0


def test_without_the_fixture_there_is_no_store() -> None:
    assert not registry.is_known("memory")


def test_a_failure_may_pass_after_some_reads(confsvc_memory: MemoryStore, resolve: Resolve) -> None:
    confsvc_memory.put("shop", {"token": "x"})
    confsvc_memory.fail("shop", Malformed("half written"), times=1)
    assert problem(resolve) == "malformed"
    assert resolve()["TOKEN"].text == "x"
    confsvc_memory.unavailable(times=2)
    assert [problem(resolve), problem(resolve)] == ["unavailable", "unavailable"]
    assert resolve()["TOKEN"].text == "x"


def test_the_store_stands_in_for_a_backend_of_the_services_own_manifest(
    confsvc_memory: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "confsvc.toml").write_text(
        "[settings]\nTOKEN = { secret = true }\n"
        "[backends.vault]\naddress = 'https://vault.example.com'\nauth = { method = 'approle', role_id = 'x' }\n"
        "[environments.app.values]\nTOKEN = '${vault://secret/shop?version=3#token}'\n"
    )
    monkeypatch.chdir(tmp_path)
    confsvc_memory.stand_in_for("vault", "aws-sm")
    confsvc_memory.put("secret/shop", {"token": "x"}, version="3")
    assert confsvc.resolve()["TOKEN"].text == "x"
    confsvc_memory.fail("secret/shop", Denied("not for you"))
    assert problem(confsvc.resolve) == "denied"
    confsvc_memory.close()
    assert not registry.is_registered("vault")


def test_settings_that_are_no_text_are_what_json_has_and_none_takes_one_away(
    confsvc_settings: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "x")
    confsvc_settings(PORT=80, DEBUG=True, TAGS=["a", 1], TOKEN=None, NOT_THERE=None)
    found = [os.environ.get(name) for name in ("PORT", "DEBUG", "TAGS", "TOKEN")]
    assert found == ["80", "true", '["a",1]', None]


REAL = """
import threading
import pytest
import confsvc
import confsvc.registry

SOURCES = {"sources": ["vault://secret/shop"], "timeout": 0.5}

def test_refused():
    confsvc.resolve(**SOURCES)

def test_swallowed():
    try:
        confsvc.resolve(**SOURCES)
    except BaseException:
        pass

def test_in_a_thread():
    def run():
        try:
            confsvc.resolve(**SOURCES)
        except confsvc.ConfsvcError:
            pass
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

@pytest.fixture
def settings():
    return confsvc.resolve(**SOURCES)

def test_in_a_fixture(settings):
    pass

@pytest.mark.confsvc_real_backends("vault")
def test_allowed():
    with pytest.raises(confsvc.ResolutionError):
        confsvc.resolve(**SOURCES)

@pytest.mark.confsvc_real_backends
def test_all_are_allowed():
    with pytest.raises(confsvc.ResolutionError):
        confsvc.resolve(**SOURCES)

@pytest.mark.confsvc_real_backends("aws-sm")
def test_another_is_allowed():
    confsvc.resolve(**SOURCES)

def test_files_are_no_backends(tmp_path):
    (tmp_path / "a.env").write_text("A=1")
    assert confsvc.resolve(sources=[f"dotenv://{tmp_path}/a.env"])["A"].text == "1"

def test_a_stand_in_is_not_real(confsvc_memory):
    confsvc_memory.stand_in_for("vault")
    confsvc_memory.put("secret/shop", {"a": "1"})
    assert confsvc.resolve(**SOURCES)["A"].text == "1"
"""


def test_a_test_that_reaches_a_real_backend_fails(tmp_path: Path) -> None:
    (tmp_path / "test_real.py").write_text(REAL)
    done = run_pytest(tmp_path, "-rA", "--strict-markers", "-p", "no:cacheprovider")
    words = re.findall(r"^(PASSED|FAILED|ERROR) test_real.py::(\w+)", done.stdout, re.MULTILINE)
    found = {name: word for word, name in words}
    assert found == {
        "test_refused": "FAILED",
        "test_swallowed": "FAILED",
        "test_in_a_thread": "FAILED",
        "test_in_a_fixture": "ERROR",
        "test_allowed": "PASSED",
        "test_all_are_allowed": "PASSED",
        "test_another_is_allowed": "FAILED",
        "test_files_are_no_backends": "PASSED",
        "test_a_stand_in_is_not_real": "PASSED",
    }
    assert "this test would reach the backend `vault` for real" in done.stdout
    assert "Traceback" not in done.stdout


def test_what_may_be_reached_is_configured(tmp_path: Path) -> None:
    (tmp_path / "test_real.py").write_text(REAL)
    (tmp_path / "pytest.ini").write_text("[pytest]\nconfsvc_real_backends = gcp-sm vault\n")
    done = run_pytest(tmp_path, "-k", "refused or in_a_fixture")
    assert "ResolutionError" in done.stdout
    assert "would reach" not in done.stdout


def test_modules_that_reach_one_when_they_are_imported_are_refused_too(tmp_path: Path) -> None:
    (tmp_path / "test_early.py").write_text("import confsvc\nconfsvc.resolve(sources=['vault://secret/shop'])\n")
    done = run_pytest(tmp_path)
    assert done.returncode == 2
    assert "would reach the backend `vault`" in done.stdout
