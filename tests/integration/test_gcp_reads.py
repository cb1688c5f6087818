"""Reading Secret Manager on a real drongo server: the same that Google's own client reads."""

from typing import Any

import pytest

from confsvc.adapter import Deadline, Description, Document
from confsvc.errors import Malformed, ManifestError, NotFound
from confsvc.extract import extract, fields_of
from confsvc.reference import parse_reference
from confsvc.testing import find_leaks
from confsvc_gcp.adapter import SecretManagerAdapter
from gcp import PROJECT, Gcp, backend_for, fetch
from running import Project


def value(outcome: Any, text: str = "x://x") -> Any:
    assert isinstance(outcome, Document), outcome
    found, error = extract(outcome, parse_reference(text))
    assert error is None, error
    return found


def describe(gcp: Gcp, text: str) -> Any:
    adapter = SecretManagerAdapter(gcp.backend())
    reference = parse_reference(text)
    found = adapter.describe([reference], deadline=Deadline(60))[reference]
    adapter.close()
    return found


def store(gcp: Gcp, text: str, fields: dict[str, Any], expected: str | None = None) -> str:
    adapter = SecretManagerAdapter(gcp.backend())
    try:
        return adapter.store(parse_reference(text), fields, deadline=Deadline(60), expected=expected)
    finally:
        adapter.close()


def test_every_spelling_reads_what_googles_client_reads(gcp: Gcp) -> None:
    for text in (b"one", b"two", b'{"password": "p", "n": 1.10}'):
        gcp.put("spelled", text)
    theirs = gcp.client.access_secret_version(name=f"projects/{PROJECT}/secrets/spelled/versions/latest")
    texts = [
        f"gcp-sm://{PROJECT}/spelled",
        "gcp-sm:///spelled",
        f"gcp-sm://projects/{PROJECT}/secrets/spelled",
        f"gcp-sm:///projects/{PROJECT}/secrets/spelled/versions/latest",
        f"gcp-sm://{PROJECT}/spelled?version=3",
    ]
    found = fetch(gcp.backend(), texts)
    assert {value(one) for one in found} == {theirs.payload.data}
    assert {one.version for one in found} == {"3"}
    assert value(found[0], "x://x#password") == "p"
    assert value(found[0], "x://x#/n") == "1.10"
    assert value(fetch(gcp.backend(), [f"gcp-sm://projects/{PROJECT}/secrets/spelled/versions/1"])[0]) == b"one"


def test_a_hundred_secrets_are_read_side_by_side(gcp: Gcp) -> None:
    for number in range(30):
        gcp.put(f"many-{number}", str(number).encode())
    found = fetch(gcp.backend(), [f"gcp-sm:///many-{number}" for number in range(30)] + ["gcp-sm:///many-none"])
    assert [value(one) for one in found[:30]] == [str(number).encode() for number in range(30)]
    assert isinstance(found[30], NotFound)


def test_a_whole_project_is_a_source(gcp: Gcp) -> None:
    for name, text in (("shop-db-url", b"u"), ("shop-port", b"80"), ("other", b"x")):
        gcp.put(name, text, "whole")
    (tree,) = fetch(gcp.backend(), ["gcp-sm://whole/?prefix=shop-"])
    fields, error = fields_of(tree, parse_reference("gcp-sm://whole/"), verbatim=False)
    assert error is None
    assert fields is not None
    assert fields.values == {"SHOP_DB_URL": b"u", "SHOP_PORT": b"80"}
    (empty,) = fetch(gcp.backend(), ["gcp-sm://whole/?prefix=none-"])
    assert isinstance(empty, NotFound)


def test_the_version_of_a_project_moves_with_everything_in_it(gcp: Gcp) -> None:
    gcp.put("a", b"1", "moving")
    versions = [fetch(gcp.backend(), ["gcp-sm://moving/"])[0].version]
    gcp.put("a", b"2", "moving")
    versions.append(fetch(gcp.backend(), ["gcp-sm://moving/"])[0].version)
    gcp.put("b", b"1", "moving")
    versions.append(fetch(gcp.backend(), ["gcp-sm://moving/"])[0].version)
    assert len(set(versions)) == 3
    assert describe(gcp, "gcp-sm://moving/").version == versions[2]


def test_what_is_described_is_what_would_be_read(gcp: Gcp) -> None:
    gcp.put("described", b"one")
    gcp.put("described", b"two")
    for text in ("gcp-sm:///described", "gcp-sm:///described?version=1"):
        found = describe(gcp, text)
        assert isinstance(found, Description)
        assert found.version == fetch(gcp.backend(), [text])[0].version
        assert found.time.startswith("20")
    gcp.client.disable_secret_version(name=f"projects/{PROJECT}/secrets/described/versions/1")
    assert describe(gcp, "gcp-sm:///described?version=1").state == "disabled"
    assert isinstance(describe(gcp, "gcp-sm:///described-none"), NotFound)


def test_what_is_disabled_or_destroyed_says_so(gcp: Gcp) -> None:
    gcp.put("gone", b"one")
    gcp.put("gone", b"two")
    gcp.client.disable_secret_version(name=f"projects/{PROJECT}/secrets/gone/versions/1")
    gcp.client.destroy_secret_version(name=f"projects/{PROJECT}/secrets/gone/versions/2")
    for found in fetch(gcp.backend(), ["gcp-sm:///gone?version=1", "gcp-sm:///gone?version=2"]):
        assert isinstance(found, Malformed)
        assert "disabled or destroyed" in found.message


def test_a_secret_without_a_version_is_told_from_one_that_lacks_the_version(gcp: Gcp) -> None:
    automatic: dict[str, Any] = {"replication": {"automatic": {}}}
    gcp.client.create_secret(parent=f"projects/{PROJECT}", secret_id="bare", secret=automatic)
    gcp.put("versioned", b"one")
    bare, ninth = fetch(gcp.backend(), ["gcp-sm:///bare", "gcp-sm:///versioned?version=9"])
    assert isinstance(bare, NotFound)
    assert bare.message == f"`{PROJECT}/bare` is not there, or has no version"
    assert describe(gcp, "gcp-sm:///bare").message == bare.message
    assert isinstance(ninth, NotFound)
    assert ninth.message == f"`{PROJECT}/versioned version 9` is not there"
    assert store(gcp, "gcp-sm:///bare", {"a": 1}, expected="0") == "1"


def test_a_secret_is_stored_and_only_on_top_of_what_was_expected(gcp: Gcp) -> None:
    assert store(gcp, "gcp-sm:///stored", {"password": "p"}, expected="0") == "1"
    assert store(gcp, "gcp-sm:///stored", {"password": "q", "n": 2}, expected="1") == "2"
    assert value(fetch(gcp.backend(), ["gcp-sm:///stored"])[0], "x://x#password") == "q"
    with pytest.raises(Malformed, match="is at version 2"):
        store(gcp, "gcp-sm:///stored", {"password": "r"}, expected="1")
    with pytest.raises(Malformed):
        store(gcp, "gcp-sm:///stored?version=1", {"password": "r"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gcp-sm://just-a-name", "PROJECT/SECRET"),
        ("gcp-sm://p/a%20b", "no name of a secret"),
        ("gcp-sm://P%20/x", "no project"),
        ("gcp-sm://p/x?version=0", "a version is"),
        ("gcp-sm://p/x?version=-1", "a version is"),
        ("gcp-sm://p/?version=1", "no version"),
        ("gcp-sm://p/x?prefix=y", "whole projects"),
        ("gcp-sm://p/x?location=Paris!", "one region"),
        ("gcp-sm://projects/p/secrets/s/versions/1?version=2", "two versions"),
        ("gcp-sm://projects/p/locations/a/secrets/s?location=b", "one region"),
        ("gcp-sm://a/b/c", "no name of a secret"),
    ],
)
def test_references_that_name_nothing_are_refused(text: str, message: str, gcp: Gcp) -> None:
    (found,) = fetch(gcp.backend(), [text])
    assert isinstance(found, Malformed)
    assert message in found.message


def test_a_backend_without_a_project_says_so(gcp: Gcp) -> None:
    backend = backend_for(gcp.address)._replace(options={"endpoint": gcp.address, "auth": {"method": "anonymous"}})
    with pytest.raises(ManifestError, match="has no project"):
        fetch(backend, ["gcp-sm:///x"])
    environ = {"GOOGLE_CLOUD_PROJECT": PROJECT}
    gcp.put("by-variable", b"x")
    assert value(fetch(backend._replace(environ=environ), ["gcp-sm:///by-variable"])[0]) == b"x"


MANIFEST = """
[settings]
PORT = {{ type = "int" }}
PASSWORD = {{ secret = true }}
CERT = {{ type = "bytes" }}
[backends.gcp-sm]
endpoint = "{address}"
auth = {{ method = "anonymous" }}
[environments.production]
sources = ["gcp-sm://command-line/?prefix=p"]
[environments.production.values]
CERT = "${{gcp-sm://command-line/der}}"
"""


def test_the_command_line_takes_it_all(gcp: Gcp, project: Project, canary: str) -> None:
    gcp.put("port", b"80", "command-line")
    gcp.put("password", canary.encode(), "command-line")
    gcp.put("der", b"\x00\xff", "command-line")
    project.manifest(MANIFEST.format(address=gcp.address))
    assert project.run("exec", "--", "sh", "-c", "echo $PORT $PASSWORD $CERT").out == f"80 {canary} AP8=\n"
    for words in (["check", "-v"], ["explain"], ["check", "--json"]):
        done = project.run(*words)
        assert done.status == 0, done.err
        assert find_leaks(canary, done.out, done.err) == []
    gcp.put("password", b"\xff\xfe", "command-line")
    done = project.run("check")
    assert done.status == 1
    assert "UTF-8" in done.err
