"""References: the grammar of section 3 of the design."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.errors import BadReferenceError
from confsvc.reference import Reference, check_remote_path, is_reference, parse_reference, quote

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NAMES = TEXT.filter(bool)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vault://secret/shop/db#password", Reference("vault", "secret/shop/db", (), "password")),
        (
            "vault://secret/db?version=3&namespace=team-a#password",
            Reference("vault", "secret/db", (("version", "3"), ("namespace", "team-a")), "password"),
        ),
        ("aws-ssm:///shop/prod/", Reference("aws-ssm", "/shop/prod/")),
        (
            "aws-sm://arn:aws:secretsmanager:eu-west-1:1:secret:A",
            Reference("aws-sm", "arn:aws:secretsmanager:eu-west-1:1:secret:A"),
        ),
        ("file:///run/secrets/X", Reference("file", "/run/secrets/X")),
        ("env://?prefix=SHOP_", Reference("env", "", (("prefix", "SHOP_"),))),
        ("billing://smtp#/credentials/password", Reference("billing", "smtp", (), "/credentials/password")),
        ("x://a%20b%2Fc?d=e%26f#g%23h", Reference("x", "a b/c", (("d", "e&f"),), "g#h")),
        ("x://a+b", Reference("x", "a+b")),
        ("x://A/B:8200", Reference("x", "A/B:8200")),
        ("dir://", Reference("dir", "")),
    ],
)
def test_references_are_split_in_the_order_of_the_rfc(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "plain", "Vault://x", "1x://y", "x://a#", "x://a?b", "x://a?=c", "x://a?b=1&b=2", "x://a%2", "x://%ff", "x://a%00",
     "x://a\tb", "x://a\nb", "x://a%zz", "://a"],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(BadReferenceError) as caught:
        parse_reference(text)
    assert caught.value.exit_status == 78
    assert caught.value.__context__ is None


@given(
    scheme=st.from_regex(r"[a-z][a-z0-9+.-]*", fullmatch=True),
    path=TEXT,
    parameters=st.dictionaries(NAMES, TEXT, max_size=3),
    fragment=st.none() | NAMES,
)
def test_what_is_written_is_read_back(scheme: str, path: str, parameters: dict[str, str], fragment: str | None) -> None:
    reference = Reference(scheme, path, tuple(parameters.items()), fragment)
    assert parse_reference(str(reference)) == reference


@given(TEXT)
def test_quoting_leaves_only_unreserved_characters(text: str) -> None:
    quoted = quote(text)
    assert all(char.isalnum() or char in "-._~%" for char in quoted)
    assert quoted.isascii()


@pytest.mark.parametrize("path", ["a/../b", "..", "a/./b", "a//b", "//a", "a//", "/a/../b"])
def test_remote_paths_have_no_dot_segments_and_no_empty_ones(path: str) -> None:
    assert check_remote_path(Reference("vault", path))


@pytest.mark.parametrize("path", ["a/b", "/a/b", "a/b/", "a..b/c", "", "/"])
def test_other_remote_paths_are_fine(path: str) -> None:
    assert check_remote_path(Reference("vault", path)) == ""


def test_the_document_is_the_reference_without_its_field() -> None:
    reference = parse_reference("vault://a/b?version=2#c")
    assert str(reference.document) == "vault://a/b?version=2"
    assert reference.document.document == reference.document


@pytest.mark.parametrize(("text", "expected"), [("a://b", True), ("a://", False), ("A://b", False), ("a:b", False)])
def test_the_shape_of_a_reference_is_told(text: str, expected: bool) -> None:
    assert is_reference(text) is expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("x://a%2520b", "a%20b"),
        ("x://a+b%2Bc", "a+b+c"),
        ("x://%7Bproject%7D", "{project}"),
        ("X://A".replace("X", "x"), "A"),
        ("x://user:pass@HOST:80/p", "user:pass@HOST:80/p"),
        ("x://[::1]/p;v=1", "[::1]/p;v=1"),
        ("x:////a", "//a"),
    ],
)
def test_the_path_is_decoded_once_and_otherwise_left_alone(text: str, path: str) -> None:
    assert parse_reference(text).path == path


def test_only_the_first_question_mark_and_the_first_hash_split() -> None:
    reference = parse_reference("x://a?b=c?d#e#f?g")
    assert reference == Reference("x", "a", (("b", "c?d"),), "e#f?g")


def test_parameters_are_looked_up_by_name() -> None:
    reference = parse_reference("x://a?version=3&empty=")
    assert (reference.parameter("version"), reference.parameter("empty", "d"), reference.parameter("no", "d")) == (
        "3",
        "",
        "d",
    )


@pytest.mark.parametrize(("text", "expected"), [("x://a/", True), ("x://", True), ("x://?p=1", True), ("x://a", False)])
def test_a_slash_at_the_end_asks_for_the_tree(text: str, expected: bool) -> None:
    assert parse_reference(text).is_tree is expected


@pytest.mark.parametrize("path", ["a/%2e%2e/b", "a/..%2Fb", "a%2F%2Fb", "%2e"])
def test_escapes_do_not_get_around_the_check_of_the_path(path: str) -> None:
    assert check_remote_path(parse_reference(f"vault://{path}"))


@given(st.text(max_size=30))
def test_no_text_breaks_the_parser_and_no_message_holds_it(text: str) -> None:
    try:
        parse_reference(f"x://{text}cnry{text}")
    except BadReferenceError as error:
        assert "cnry" not in f"{error.message}{error.hint}"


ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/prod-AbCdEf"


@pytest.mark.parametrize(
    ("suffix", "printed"),
    [
        ("", ""),
        (":password::", "#password"),
        ("::AWSPREVIOUS:", "?stage=AWSPREVIOUS"),
        (":password::9d4cb84b", "?version=9d4cb84b#password"),
        (":::", ""),
        (":a:b:c", "?stage=b&version=c#a"),
    ],
)
def test_the_suffix_of_amazon_ecs_is_taken_and_printed_as_ours(suffix: str, printed: str) -> None:
    assert str(parse_reference(f"aws-sm://{ARN}{suffix}")) == f"aws-sm://{ARN}{printed}"


@pytest.mark.parametrize("rest", [":a:b:c:d", ":a:b:c#d", ":a:b:c?stage=d"])
def test_a_suffix_with_more_behind_it_is_refused(rest: str) -> None:
    with pytest.raises(BadReferenceError):
        parse_reference(f"aws-sm://{ARN}{rest}")
