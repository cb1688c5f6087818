"""Guessing settings: careful, and never with a value in the manifest."""

import io
import tomllib

import dotenv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.cli.init import render_manifest
from confsvc.inference import Assignment, infer, is_likely_secret, read_assignments
from confsvc.schema import TableSchema


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DEBUG", "true", "bool"),
        ("DEBUG", "no", "bool"),
        ("WORKERS", "4", "int"),
        ("ZIP", "01234", "str"),
        ("PORT", "8080", "port"),
        ("HTTP_PORT", "443", "port"),
        ("HTTP_PORT", "99999", "int"),
        ("RATIO", "0.5", "float"),
        ("SITE", "https://example.com", "url"),
        ("SITES", "https://a.example,https://b.example", "str"),
        ("CACHE_TTL", "5m", "duration"),
        ("NAME", "5m", "str"),
        ("OPTIONS", '{"a": 1}', "json"),
        ("OPTIONS", "{not json", "str"),
        ("ADMIN_EMAIL", "a@example.com", "email"),
        ("PIN_PASSWORD", "123456", "str"),
        ("EMPTY", "", "str"),
        ("SPACED", " 4 ", "str"),
        ("VERSION", "1.2.3", "str"),
    ],
)
def test_types_are_guessed_with_care(name: str, value: str, expected: str) -> None:
    setting = infer(Assignment(name, value, ""))
    assert setting is not None
    assert str(setting.type) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DB_PASSWORD", "x", True),
        ("TEST_USER_PASSWORD", "x", True),
        ("STRIPE_API_KEY", "x", True),
        ("SECRET_KEY_BASE", "x", True),
        ("GITHUB_TOKEN", "", True),
        ("SENTRY_DSN", "x", True),
        ("DATABASE_URL", "postgres://u:p@h/db", True),
        ("DATABASE_URL", "postgres://h/db", False),
        ("STRIPE_PUBLISHABLE_KEY", "x", False),
        ("AWS_ACCESS_KEY_ID", "x", False),
        ("TOKEN_TTL", "5m", False),
        ("PASSWORD_LOGIN_ENABLED", "true", False),
        ("CERT", "-----BEGIN CERTIFICATE-----", True),
        ("NAME", "shop", False),
        ("BLOB", "9f2b7c41d8a5e6f0b3c2d1a4e7f80916", True),
        ("SITE", "https://example.com/a/long/path/of/words", False),
    ],
)
def test_secrets_are_recognised(name: str, value: str, expected: bool) -> None:
    assert is_likely_secret(name, value) is expected


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
LIKELY = st.sampled_from(["true", "1", "-0.5", "a://b", "5m", "[1]", "{}", "a@b.c", "٣", "1_000", "0x1", "\uff11"])


@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True), TEXT | LIKELY, TEXT)
def test_a_guess_accepts_its_value_and_the_manifest_is_toml(name: str, value: str, comment: str) -> None:
    setting = infer(Assignment(name, value, comment))
    assert setting is not None
    assert TableSchema([setting]).validate({name: value})[1] == []
    data = tomllib.loads(render_manifest("p", [setting], ".env"))
    assert data["settings"][name].get("description", "") == comment
    assert data["settings"][name]["type"] == str(setting.type)


def test_a_name_that_no_setting_can_have_is_left_out() -> None:
    assert infer(Assignment("a.b", "x", "")) is None


def test_comments_become_descriptions() -> None:
    text = (
        "# A heading\n\n# The DSN\n# of the database\nDSN=x\n#OLD=1\nA=1 # behind\n# far away\n\nB=2\n"
        "C='# no comment'\n"
        "#######\nD=4\n"
    )
    found = {a.name: a.comment for a in read_assignments(text, {})}
    assert found == {"DSN": "The DSN of the database", "A": "behind", "B": "", "C": "", "D": ""}


def test_the_last_assignment_counts_and_bare_keys_are_none() -> None:
    found = {a.name: a.value for a in read_assignments("A=1\nA=2\nB\nC=${A}\n", {})}
    assert found == {"A": "2", "B": None, "C": "2"}


@given(st.text(st.sampled_from("ABC=_'\"#\\ \n${}export:-"), max_size=60))
def test_values_are_read_as_python_dotenv_does(text: str) -> None:
    found = {a.name: a.value for a in read_assignments(text, {})}
    expected = dotenv.dotenv_values(stream=io.StringIO(text, newline=None), interpolate=True)
    assert found == {**expected} or "${" in text  # the process environment is python-dotenv's scope there
