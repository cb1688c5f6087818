"""Addresses of backends: what is one, what is refused, and that refusing repeats none of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.errors import ManifestError
from confsvc.http import Origin, parse_origin

CANARY = "hunter2canary"
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://vault.example.com", Origin("https", "vault.example.com", 443)),
        ("https://vault.example.com/", Origin("https", "vault.example.com", 443)),
        ("HTTPS://Vault.Example.com:8200", Origin("https", "vault.example.com", 8200)),
        ("https://10.0.0.7:8200", Origin("https", "10.0.0.7", 8200)),
        ("https://[2001:db8::1]:8200", Origin("https", "2001:db8::1", 8200)),
        ("http://127.0.0.1:8200", Origin("http", "127.0.0.1", 8200)),
        ("http://127.9.9.9", Origin("http", "127.9.9.9", 80)),
        ("http://[::1]:8200", Origin("http", "::1", 8200)),
        ("http://localhost:8200", Origin("http", "localhost", 8200)),
    ],
)
def test_an_address_is_scheme_host_and_port(text: str, expected: Origin) -> None:
    assert parse_origin(text) == expected


@given(host=HOST, port=st.integers(1, 65535))
def test_whatever_names_a_host_and_a_port_is_read_as_written(host: str, port: int) -> None:
    assert parse_origin(f"https://{host}:{port}") == Origin("https", host, port)


@pytest.mark.parametrize(
    "text",
    [
        f"{CANARY}.example.com:8200",
        f"ftp://{CANARY}",
        f"https://user:{CANARY}@vault.example.com",
        f"https://{CANARY}@vault.example.com",
        f"https://vault.example.com/{CANARY}",
        f"https://vault.example.com?{CANARY}",
        f"https://vault.example.com#{CANARY}",
        f"https://vault.example.com\\@{CANARY}",
        f"https://vault.example.com:{CANARY}",
        "https://vault.example.com:",
        "https://vault.example.com:0",
        "https://vault.example.com:65536",
        "https://vault.example.com:١٢",
        "https://",
        "https://:8200",
        "https://a..b",
        "https://-a",
        "https://" + "a" * 64,
        "https://va ult",
        "https://va\nult",
        "https://va\tult",
        "https://bücher.example",
        "https://bac\u212aend",
        "https://2001:db8::1",
        "https://[2001:db8::1",
        "https://[fe80::1%eth0]",
        "https://[127.0.0.1]",
        "https://[::1]8200",
        "",
    ],
)
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_origin(text)
    error = caught.value
    assert error.exit_status == 78
    assert CANARY not in f"{error!r} {error} {error.hint} {error.args} {vars(error)}"
    assert error.__context__ is None


@pytest.mark.parametrize(
    "host", ["vault.example.com", "10.0.0.1", "0.0.0.0", "127.1", "2130706433", "0x7f.1", "localhost.example", "[::2]"]
)
def test_plain_http_to_another_machine_is_refused_unless_it_is_asked_for(host: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_origin(f"http://{host}:8200")
    assert caught.value.exit_status == 78
    assert "insecure = true" in caught.value.hint
    assert parse_origin(f"http://{host}:8200", insecure=True).scheme == "http"


@given(text=st.text(alphabet=st.sampled_from("htps:/[]@#?.-_0159a\\ %\n"), max_size=30))
def test_any_text_is_an_origin_or_a_manifest_error(text: str) -> None:
    try:
        origin = parse_origin(text)
    except ManifestError:
        return
    assert parse_origin(f"{origin.scheme}://{origin.place}") == origin


def test_the_port_is_in_the_host_header_only_where_it_is_not_the_schemes_own() -> None:
    assert Origin("https", "a.example", 443).authority == "a.example"
    assert Origin("https", "a.example", 8200).authority == "a.example:8200"
    assert Origin("http", "::1", 8200).authority == "[::1]:8200"
