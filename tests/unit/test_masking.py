"""Masks: no secret gets through, whatever pieces it comes in, and nothing else is touched."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.supervise.masking import MASK, SHORTEST, Mask

SECRET = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="*"), min_size=6, max_size=30)


def covered(values: list[str], data: bytes, sizes: list[int]) -> bytes:
    """Return ``data`` masked, given in pieces of ``sizes``."""
    mask = Mask()
    mask.add(values)
    out, held = b"", b""
    for size in [*sizes, len(data)]:
        piece, data = data[:size], data[size:]
        masked, held = mask.cover(held + piece)
        out += masked
    return out + mask.cover(held, is_last=True)[0]


@given(SECRET, st.binary(max_size=40), st.binary(max_size=40), st.lists(st.integers(1, 20), max_size=12))
def test_a_secret_is_masked_in_any_pieces(secret: str, before: bytes, after: bytes, sizes: list[int]) -> None:
    data = before + secret.encode() + after
    out = covered([secret], data, sizes)
    assert MASK in out
    assert secret.encode() not in out
    assert out == covered([secret], data, [])


@given(st.lists(SECRET, min_size=1, max_size=4), st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=9))
def test_what_holds_no_secret_passes_as_it_is(secrets: list[str], data: bytes, sizes: list[int]) -> None:
    if covered(secrets, data, []) == data:
        assert covered(secrets, data, sizes) == data


@given(SECRET, st.integers(0, 2), st.lists(st.integers(1, 20), max_size=8))
def test_encodings_are_masked_too(secret: str, offset: int, sizes: list[int]) -> None:
    raw = secret.encode()
    for form in (base64.b64encode(b"x" * offset + raw + b"yyy"), quote(raw, safe="").encode()):
        out = covered([secret], b"<" + form + b">", sizes)
        assert form not in out
        assert MASK in out


@pytest.mark.parametrize("sizes", [[], [4], [4, 4], [1] * 20])
def test_a_short_secret_within_a_long_one_hides_the_long_one(sizes: list[int]) -> None:
    assert covered(["abcd", "abcdefgh"], b"<abcdefgh>", sizes) == b"<***>"
    assert covered(["cdef", "abcdefgh"], b"<abcdefgh>", sizes) == b"<***>"
    assert covered(["abcd", "cdefgh"], b"<abcdefgh>", sizes) == b"<***>"


def test_what_is_too_short_is_left_alone() -> None:
    assert covered(["a" * (SHORTEST - 1), ""], b"aaa banana", []) == b"aaa banana"


def test_what_was_a_secret_stays_one() -> None:
    mask = Mask()
    mask.add(["first-secret"])
    mask.add(["second-secret"])
    assert mask.cover(b"first-secret second-secret", is_last=True)[0] == b"*** ***"
