"""Reading secrets and parameters of a real moto_server: versions, groups, trees, and what may not be read."""

import json
import time
from typing import Any

import pytest

from aws import REGION, Aws, fetch
from confsvc.adapter import Backend, Deadline, Description, Document
from confsvc.errors import AdapterError, Denied, Malformed, ManifestError, NotFound, Unauthenticated, Unavailable
from confsvc.extract import extract, fields_of
from confsvc.http import Client
from confsvc.reference import parse_reference
from confsvc.registry import adapter_class
from confsvc.testing import find_leaks, make_canary
from openbao import free_port


def value(outcome: Any, text: str = "x://x") -> Any:
    """Return what a reference with the fragment of ``text`` gets of a document."""
    assert isinstance(outcome, Document), outcome
    found, error = extract(outcome, parse_reference(text))
    assert error is None, error
    return found


def read(aws: Aws, text: str, environ: dict[str, str] | None = None) -> Any:
    return fetch(aws.backend(text.partition("://")[0], environ), [text])[0]


def describe(backend: Backend, text: str) -> Any:
    adapter: Any = adapter_class(backend.adapter)(backend)
    reference = parse_reference(text)
    found = adapter.describe([reference], deadline=Deadline(60))[reference]
    adapter.close()
    return found


def store(backend: Backend, text: str, fields: dict[str, Any], expected: str | None = None) -> str:
    adapter: Any = adapter_class(backend.adapter)(backend)
    try:
        return str(adapter.store(parse_reference(text), fields, deadline=Deadline(60), expected=expected))
    finally:
        adapter.close()


@pytest.mark.parametrize(
    ("stored", "fragment", "found"),
    [
        ('{"password": "p", "port": 5432, "ratio": 1.10}', "#password", "p"),
        ('{"password": "p", "port": 5432, "ratio": 1.10}', "#ratio", "1.10"),
        ('{"credentials": {"password": "deep"}}', "#/credentials/password", "deep"),
        ("0012345", "", "0012345"),
        ('"quoted"', "", '"quoted"'),
        ("plain text\n", "", "plain text\n"),
        (b"\x00\xff\n", "", b"\x00\xff\n"),
    ],
)
def test_a_secret_arrives_as_it_is(stored: str | bytes, fragment: str, found: object, aws: Aws) -> None:
    name = f"as-it-is-{free_port()}"
    aws.put_secret(name, stored)
    assert value(read(aws, f"aws-sm://{name}"), f"x://x{fragment}") == found


def test_documents_tell_when_their_version_was_made(aws: Aws) -> None:
    before = time.time()
    aws.put_secret("dated", "x")
    aws.put_parameter("/dated/one", "x")
    for text in ("aws-sm://dated", "aws-ssm:///dated/one", "aws-ssm:///dated/"):
        found = read(aws, text)
        assert found.made_at is not None
        assert before - 2 <= found.made_at <= time.time() + 2


def test_stages_and_versions_are_read(aws: Aws) -> None:
    aws.put_secret("staged", "one")
    first = read(aws, "aws-sm://staged")
    aws.put_secret("staged", "two")
    texts = ["aws-sm://staged", "aws-sm://staged?stage=AWSPREVIOUS", f"aws-sm://staged?version={first.version}"]
    now, before, pinned = fetch(aws.backend("aws-sm"), texts)
    assert [value(one) for one in (now, before, pinned)] == ["two", "one", "one"]
    assert before.version == pinned.version == first.version != now.version
    missing = read(aws, "aws-sm://staged?stage=NONE")
    assert isinstance(missing, NotFound)
    assert "stage `NONE`" in missing.message


def test_an_arn_is_read_in_its_own_region(aws: Aws) -> None:
    there = aws.put_secret("elsewhere", "in us-east-1", region="us-east-1")
    here = aws.put_secret("elsewhere", "in eu-west-1")
    assert f":{REGION}:" in here
    texts = [f"aws-sm://{there}", f"aws-sm://{here}", "aws-sm://elsewhere", f"aws-sm://{there[:-7]}"]
    found = fetch(aws.backend("aws-sm"), texts)
    assert [value(one) for one in found] == ["in us-east-1", "in eu-west-1", "in eu-west-1", "in us-east-1"]


def test_one_region_has_one_client_however_it_is_said(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    here = aws.put_secret("said", "x")
    made = []

    def count(*args: Any, **kwargs: Any) -> Client:
        made.append(args)
        return Client(*args, **kwargs)

    monkeypatch.setattr("confsvc_aws.api.Client", count)
    found = fetch(aws.backend("aws-sm"), ["aws-sm://said", f"aws-sm://{here}"])
    assert [value(one) for one in found] == ["x", "x"]
    assert len(made) == 1


def test_many_secrets_are_read_in_groups_and_told_apart(aws: Aws) -> None:
    for number in range(45):
        aws.put_secret(f"many/{number}", f"value {number}")
    aws.put_secret("many/deleted", "x")
    aws.secrets.delete_secret(SecretId="many/deleted")
    texts = [f"aws-sm://many/{number}" for number in range(45)] + ["aws-sm://many/nothing", "aws-sm://many/deleted"]
    found = fetch(aws.backend("aws-sm"), texts)
    assert [value(one) for one in found[:45]] == [f"value {number}" for number in range(45)]
    assert isinstance(found[45], NotFound)
    assert isinstance(found[46], Malformed)
    assert "scheduled for deletion" in found[46].message


def test_where_groups_are_denied_secrets_are_read_one_by_one(aws: Aws) -> None:
    for name in ("single/a", "single/b", "single/c"):
        aws.put_secret(name, name)
    arn = f"arn:aws:secretsmanager:{REGION}:*:secret:single/"
    user = aws.user(
        "singles",
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": [f"{arn}a-*", f"{arn}b-*"]},
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"},
    )
    aws.guard()
    found = fetch(aws.backend("aws-sm", user), ["aws-sm://single/a", "aws-sm://single/b", "aws-sm://single/none"])
    assert [value(one) for one in found[:2]] == ["single/a", "single/b"]
    assert isinstance(found[2], NotFound)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("aws-sm://guarded", "secretsmanager:GetSecretValue"),
        ("aws-ssm:///guarded/one", "ssm:GetParameters"),
        ("aws-ssm:///guarded/", "ssm:GetParametersByPath"),
    ],
)
def test_what_is_denied_says_what_would_allow_it(text: str, action: str, aws: Aws) -> None:
    aws.put_secret("guarded", "x")
    aws.put_parameter("/guarded/one", "x")
    user = aws.user(f"nobody-{free_port()}", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    aws.guard()
    denied = read(aws, text, user)
    assert isinstance(denied, Denied)
    assert action in denied.message
    statement = json.loads(denied.hint[denied.hint.index("{") : denied.hint.index("}") + 1])
    assert statement["Action"] == action
    assert statement["Resource"].startswith("arn:aws:")


@pytest.mark.parametrize("text", ["aws-sm://guarded", "aws-ssm:///guarded/one"])
def test_wrong_credentials_are_not_authenticated(text: str, aws: Aws) -> None:
    aws.put_secret("guarded", "x")
    user = aws.user(f"wrong-{free_port()}", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    aws.guard()
    canary = make_canary()
    wrong_secret = read(aws, text, {**user, "AWS_SECRET_ACCESS_KEY": canary})
    assert isinstance(wrong_secret, Unauthenticated)
    assert find_leaks(canary, wrong_secret) == []
    assert isinstance(read(aws, text, {**user, "AWS_ACCESS_KEY_ID": "AKIANOBODY"}), Unauthenticated)
    assert isinstance(read(aws, text, user), Document | NotFound)


def test_parameters_of_every_kind_are_read(aws: Aws) -> None:
    aws.put_parameter("/kinds/secure", "s3cret")
    aws.put_parameter("/kinds/plain", "8080", "String")
    aws.put_parameter("/kinds/list", "a,b,,c", "StringList")
    aws.put_parameter("no-hierarchy", "x", "String")
    names = ["/kinds/secure", "/kinds/plain", "/kinds/list", "no-hierarchy", "/kinds/nothing"]
    found = fetch(aws.backend("aws-ssm"), [f"aws-ssm://{name}" for name in names])
    assert [value(one) for one in found[:4]] == ["s3cret", "8080", "a,b,,c", "x"]
    assert [one.secret for one in found[:4]] == [True, False, False, False]
    assert isinstance(found[4], NotFound)


def test_versions_and_labels_of_parameters_are_read(aws: Aws) -> None:
    for text in ("one", "two", "three"):
        aws.put_parameter("/versions/x", text)
    aws.parameters.label_parameter_version(Name="/versions/x", ParameterVersion=2, Labels=["good"])
    texts = [f"aws-ssm:///versions/x{selector}" for selector in ("", "?version=1", "?label=good", "?version=9")]
    found = fetch(aws.backend("aws-ssm"), texts)
    assert [value(one) for one in found[:3]] == ["three", "one", "two"]
    assert [one.version for one in found[:3]] == ["3", "1", "2"]
    assert isinstance(found[3], NotFound)
    assert "`9`" in found[3].message


def test_a_parameter_is_read_by_its_arn(aws: Aws) -> None:
    aws.put_parameter("/by/arn", "x")
    arn = aws.parameters.get_parameter(Name="/by/arn")["Parameter"]["ARN"]
    assert value(read(aws, f"aws-ssm://{arn}")) == "x"


def test_a_tree_is_read_whole_and_named_by_the_rule(aws: Aws) -> None:
    for number in range(23):
        aws.put_parameter(f"/tree/prod/key-{number}", str(number), "String")
    aws.put_parameter("/tree/prod/deep/url", "below")
    aws.put_parameter("/tree/production", "another")
    flat, deep = fetch(aws.backend("aws-ssm"), ["aws-ssm:///tree/prod/", "aws-ssm:///tree/prod/?recursive=true"])
    fields, error = fields_of(flat, parse_reference("aws-ssm:///tree/prod/"), verbatim=False)
    assert error is None
    assert fields is not None
    assert fields.values == {f"KEY_{number}": str(number) for number in range(23)}
    assert not flat.secret
    assert deep.secret
    assert value(deep, "x://x#deep/url") == "below"


def test_two_names_of_a_tree_that_collide_are_both_named(aws: Aws) -> None:
    aws.put_parameter("/collide/a/url", "1")
    aws.put_parameter("/collide/b/url", "2")
    tree = read(aws, "aws-ssm:///collide/?recursive=true")
    fields, _ = fields_of(tree, parse_reference("aws-ssm:///collide/"), verbatim=False)
    assert fields is not None
    assert fields.collisions == {"URL": ("a/url", "b/url")}


def test_a_tree_with_nothing_in_it_is_not_found(aws: Aws) -> None:
    empty = read(aws, "aws-ssm:///empty/tree/")
    assert isinstance(empty, NotFound)
    assert "recursive=true" in empty.hint


def test_a_parameter_with_a_slash_too_much_is_told_apart(aws: Aws) -> None:
    aws.put_parameter("/slash/url", "x")
    found = read(aws, "aws-ssm:///slash/url/")
    assert isinstance(found, Malformed)
    assert "is a parameter, not a tree" in found.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("aws-sm://arn:aws:ssm:eu-west-1:123456789012:parameter/x", "an ARN of `ssm`"),
        ("aws-ssm://arn:aws:secretsmanager:eu-west-1:123456789012:secret:x", "an ARN of `secretsmanager`"),
        ("aws-sm://arn:aws:secretsmanager", "not whole"),
        ("aws-sm://a%20b", "no name of a secret"),
        ("aws-ssm:///a%20b", "no name of a parameter"),
        ("aws-ssm:///x?version=one", "is a number"),
        ("aws-ssm:///x?version=1&label=y", "exclude each other"),
        ("aws-ssm:///x/?version=1", "a tree has no version"),
        ("aws-ssm:///x?recursive=true", "for trees"),
        ("aws-ssm:///x/?recursive=maybe", "`true` or `false`"),
        ("aws-ssm://x/", "is no tree"),
    ],
)
def test_references_that_name_nothing_are_refused(text: str, message: str, aws: Aws) -> None:
    found = read(aws, text)
    assert isinstance(found, Malformed)
    assert message in found.message


def test_a_list_has_no_fields(aws: Aws) -> None:
    aws.put_secret("a-list", "[1, 2]")
    _, error = extract(read(aws, "aws-sm://a-list"), parse_reference("aws-sm://a-list#x"))
    assert isinstance(error, Malformed)


def test_nobody_there_is_unavailable(aws: Aws) -> None:
    backend = aws.backend("aws-sm", endpoint_url=f"http://127.0.0.1:{free_port()}")
    (found,) = fetch(backend, ["aws-sm://x"])
    assert isinstance(found, Unavailable)


def test_a_backend_without_a_region_says_so(aws: Aws) -> None:
    backend = aws.backend("aws-sm", {"AWS_REGION": ""})._replace(options={"endpoint_url": aws.address})
    with pytest.raises(ManifestError, match="has no region"):
        fetch(backend, ["aws-sm://x"])


def test_what_is_described_is_what_would_be_read(aws: Aws) -> None:
    aws.put_secret("described", "one")
    aws.put_secret("described", "two")
    for text in ("aws-sm://described", "aws-sm://described?stage=AWSPREVIOUS"):
        assert describe(aws.backend("aws-sm"), text).version == read(aws, text).version
    pinned = f"aws-sm://described?version={read(aws, 'aws-sm://described').version}"
    assert describe(aws.backend("aws-sm"), pinned).version == read(aws, pinned).version
    for number in range(3):
        aws.put_parameter(f"/described/{number}", "x")
    aws.put_parameter("/described/0", "y")
    for text in ("aws-ssm:///described/0", "aws-ssm:///described/0?version=1", "aws-ssm:///described/"):
        found = describe(aws.backend("aws-ssm"), text)
        assert isinstance(found, Description)
        assert found.version == read(aws, text).version


def test_the_version_of_a_tree_moves_with_everything_in_it(aws: Aws) -> None:
    aws.put_parameter("/moving/a", "1")
    versions = [read(aws, "aws-ssm:///moving/").version]
    aws.put_parameter("/moving/a", "2")
    versions.append(read(aws, "aws-ssm:///moving/").version)
    aws.put_parameter("/moving/b", "1")
    versions.append(read(aws, "aws-ssm:///moving/").version)
    assert len(set(versions)) == 3


@pytest.mark.parametrize("text", ["aws-sm://nothing", "aws-ssm:///nothing", "aws-ssm:///nothing/"])
def test_what_is_missing_is_described_as_that(text: str, aws: Aws) -> None:
    assert isinstance(describe(aws.backend(text.partition("://")[0]), text), NotFound)


def test_what_waits_for_its_deletion_is_described_as_that(aws: Aws) -> None:
    name = f"waiting-{free_port()}"
    aws.put_secret(name, "x")
    aws.secrets.delete_secret(SecretId=name)
    assert describe(aws.backend("aws-sm"), f"aws-sm://{name}").state == "scheduled for deletion"


def test_a_secret_is_stored_and_only_on_top_of_what_was_expected(aws: Aws) -> None:
    backend, text = aws.backend("aws-sm"), f"aws-sm://stored-{free_port()}"
    first = store(backend, text, {"password": "p", "n": 1}, expected="0")
    assert value(read(aws, text), "x://x#password") == "p"
    assert read(aws, text).version == first
    second = store(backend, text, {"password": "q"}, expected=first)
    assert read(aws, text).version == second
    with pytest.raises(Malformed, match="is at version"):
        store(backend, text, {"password": "r"}, expected=first)
    with pytest.raises(AdapterError):
        store(backend, text, {"password": "r"}, expected="0")
    assert value(read(aws, text), "x://x#password") == "q"


def test_a_parameter_and_a_tree_are_stored(aws: Aws) -> None:
    backend, name = aws.backend("aws-ssm"), f"/stored-{free_port()}"
    version = store(backend, f"aws-ssm://{name}/", {"url": "u", "port": 80})
    tree = read(aws, f"aws-ssm://{name}/")
    assert tree.version == version
    assert tree.content.reveal() == {"port": "80", "url": "u"}
    assert store(backend, f"aws-ssm://{name}/one", {"a": 1}, expected="0") == "1"
    assert store(backend, f"aws-ssm://{name}/one", {"a": 2}, expected="1") == "2"
    with pytest.raises(Malformed):
        store(backend, f"aws-ssm://{name}/one", {"a": 3}, expected="1")


def test_a_version_without_a_stage_is_described(aws: Aws) -> None:
    name = f"unlabelled-{free_port()}"
    for text in ("one", "two", "three"):
        aws.put_secret(name, text)
    versions = aws.secrets.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
    for version in versions:
        text = f"aws-sm://{name}?version={version['VersionId']}"
        found = describe(aws.backend("aws-sm"), text)
        assert found.version == version["VersionId"]
    missing = describe(aws.backend("aws-sm"), f"aws-sm://{name}?version=11111111-1111-1111-1111-111111111111")
    assert isinstance(missing, NotFound)


def test_what_is_written_again_keeps_its_type(aws: Aws) -> None:
    name = f"/typed-{free_port()}"
    aws.put_parameter(f"{name}/port", "80", "String")
    store(aws.backend("aws-ssm"), f"aws-ssm://{name}/", {"port": "81", "password": "p"})
    kinds = {p["Name"]: p["Type"] for p in aws.parameters.get_parameters_by_path(Path=name)["Parameters"]}
    assert kinds == {f"{name}/port": "String", f"{name}/password": "SecureString"}


def test_a_region_that_is_none_spoils_no_other_reference(aws: Aws) -> None:
    aws.put_secret("fine", "v")
    texts = ["aws-sm://arn:aws:secretsmanager:nowhere:123456789012:secret:x", "aws-sm://fine"]
    wrong, fine = fetch(aws.backend("aws-sm"), texts)
    assert isinstance(wrong, Malformed)
    assert value(fine) == "v"
