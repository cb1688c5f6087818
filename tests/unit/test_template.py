"""Templates: `${…}` in values, `{project}` and `{environment}` in references."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.errors import BadReferenceError
from confsvc.template import FILTERS, Fill, fill_placeholders, parse_template


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", ["plain"]),
        ("", [""]),
        ("${NAME}", [Fill("NAME", ())]),
        ("a${x://y#z|urlencode}b", ["a", Fill("x://y#z", ("urlencode",)), "b"]),
        ("${x://{project}/y}", [Fill("x://{project}/y", ())]),
        ("${A}${B | trim | base64}", [Fill("A", ()), Fill("B", ("trim", "base64"))]),
        ("$${A}", ["${A}"]),
        ("$$${A}", ["$", "${A}"]),
        ("$A $ {A} 5$", ["$A $ {A} 5$"]),
    ],
)
def test_templates_are_split(text: str, expected: list[object]) -> None:
    parts = parse_template(text)
    joined = ["".join(map(str, parts))] if all(isinstance(p, str) for p in parts) else parts
    assert joined == (["".join(map(str, expected))] if all(isinstance(p, str) for p in expected) else expected)


@pytest.mark.parametrize("text", ["${", "${A", "${}", "${A|nope}", "${a b}", "${x://{project}", "${A|}"])
def test_broken_templates_are_refused(text: str) -> None:
    with pytest.raises(BadReferenceError):
        parse_template(text)


@given(st.text().filter(lambda text: "$" not in text))
def test_a_literal_dollar_brace_is_escaped_once(text: str) -> None:
    assert parse_template(f"$${{{text}") == ["${" + text]


def test_filters_work_on_bytes() -> None:
    assert FILTERS["urlencode"]("a b/ü?-._~".encode()) == b"a%20b%2F%C3%BC%3F-._~"
    assert FILTERS["base64"](b"\xff\x00") == b"/wA="
    assert FILTERS["trim"](b"  a \n") == b"a"


def test_placeholders_are_filled() -> None:
    assert fill_placeholders("x://{project}/{environment}/", project="p", environment="e") == "x://p/e/"


@pytest.mark.parametrize("text", ["x://{projet}", "x://{}", "x://{a b}"])
def test_any_other_word_is_an_error(text: str) -> None:
    with pytest.raises(BadReferenceError):
        fill_placeholders(text, project="p", environment="e")


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(BadReferenceError, match="project"):
        fill_placeholders("x://{project}", project="", environment="e")


@given(st.text(st.sampled_from("${}|:/ab"), max_size=30))
def test_what_is_escaped_is_literal(text: str) -> None:
    parts = parse_template(text.replace("${", "$${"))
    assert "".join(part for part in parts if isinstance(part, str)) == text
    assert all(isinstance(part, str) for part in parts)


@given(st.text(max_size=30))
def test_any_template_is_split_or_refused(text: str) -> None:
    try:
        parts = parse_template(text)
    except BadReferenceError as error:
        assert error.__context__ is None
    else:
        assert parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${A|urlencod}", "unknown filter `urlencod` (did you mean `urlencode`?)"),
        ("${A", "a `${` is not closed"),
        ("${}", "`${}` names nothing"),
        ("${ |trim}", "`${}` names nothing"),
        ("${a-b}", "`a-b` is neither a reference (`scheme://path`) nor a setting's name"),
    ],
)
def test_what_is_wrong_with_a_template_is_told(text: str, message: str) -> None:
    with pytest.raises(BadReferenceError) as caught:
        parse_template(text)
    assert caught.value.message == message


@given(st.binary())
def test_urlencode_leaves_unreserved_characters_alone_and_no_others(data: bytes) -> None:
    from urllib.parse import quote_from_bytes

    assert FILTERS["urlencode"](data) == quote_from_bytes(data, safe="").encode()


def test_placeholders_are_filled_once() -> None:
    assert fill_placeholders("x://{project}", project="{environment}", environment="e") == "x://{environment}"


@pytest.mark.parametrize(("word", "near"), [("projct", "project"), ("enviroment", "environment")])
def test_a_misspelt_placeholder_is_guessed(word: str, near: str) -> None:
    with pytest.raises(BadReferenceError, match=rf"did you mean `{near}`\?"):
        fill_placeholders(f"x://{{{word}}}", project="p", environment="e")
