"""Name servers that are gone, silent or ignorant, in a network of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from confsvc.errors import ManifestError
from confsvc.testing.watching import watch
from fault_proxy import run_proxy
from namespaces import HOST, nameless
from trial import MODES, Store, Trial
from vaulting import backend_for, fetch_one

Named = Callable[[str], Trial]


@pytest.fixture
def named(tmp_path: Path, echo: int) -> Iterator[Named]:
    """A function that makes a project whose store has a name, where the name servers are as said."""
    generation = {"SETTING_A": "cnry-nobody-has-it"}
    table = f'address = "https://{HOST}"'
    environ = {"VAULT_TOKEN": "cnry-token-for-nobody"}
    store = Store("vault", echo, table, {"SETTING_A": "vault://secret/a#b"}, environ, [], 0, [generation])
    with run_proxy(echo) as proxy:
        yield lambda kind: Trial(tmp_path, store, proxy, prefix=nameless(kind))


@pytest.mark.parametrize(("kind", "words"), [("ignorant", "was not found"), ("gone", "could not be looked up")])
@pytest.mark.parametrize("mode", MODES)
def test_a_name_that_leads_nowhere_is_named(named: Named, kind: str, words: str, mode: str) -> None:
    named(kind).check(mode, status=69, words=[f"the name `{HOST}` {words}", "name servers"])


@pytest.mark.parametrize("mode", MODES)
def test_name_servers_that_never_answer_end_at_the_deadline(named: Named, mode: str) -> None:
    named("silent").check(mode, status=75, words=["within 1 s"], deadline=1.0)


def test_plain_http_to_another_machine_is_refused_before_a_byte_is_sent() -> None:
    with watch() as done:
        outcome = fetch_one(backend_for(f"http://{HOST}", {"VAULT_TOKEN": "x"}), "vault://secret/a")
    assert isinstance(outcome, ManifestError)
    assert "insecure = true" in f"{outcome.message} {outcome.hint}"
    assert [event for event in done if "socket" in event] == []


def test_what_does_io_is_seen(echo: int) -> None:
    """The control of the test above: where it is loopback, it connects."""
    with watch() as done:
        fetch_one(backend_for(f"http://127.0.0.1:{echo}", {"VAULT_TOKEN": "x"}), "vault://secret/a", seconds=0.3)
    assert "socket.connect" in done
