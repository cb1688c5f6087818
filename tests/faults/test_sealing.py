"""What the cache seals: never twice with the same key and nonce, even where the machine's random numbers repeat."""

import os

import pytest

from confsvc.cache.keys import Key
from confsvc.cache.sealing import Header, Sealed, parse, seal
from confsvc.secret import Secret

KEY = Key(Secret(bytes(32)), "of the test")
HEADER = Header("p", "e", "m", "b", 0, "machine", 0.0, "boot", 0.0, "", "", "")


def sealed(body: bytes) -> Sealed:
    """Return ``body`` sealed."""
    found = parse(seal(HEADER, body, KEY))
    assert isinstance(found, Sealed)
    assert found.open(KEY) == body
    return found


def test_nothing_is_sealed_twice_with_the_same_key_and_nonce() -> None:
    every = [sealed(b"the same") for _ in range(2000)]
    assert len({(one.header.salt, one.header.nonce) for one in every}) == len(every)
    assert len({one.header.salt for one in every}) == len(every)
    assert len({one.rest for one in every}) == len(every)


def test_a_nonce_that_repeats_does_no_harm_where_the_salt_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's key is its own: what was sealed with another salt cannot be opened with its key."""
    monkeypatch.setattr("os.urandom", lambda n: bytes(n) if n == 12 else os.getrandom(n))
    one, other = sealed(b"the same"), sealed(b"the same")
    assert one.header.nonce == other.header.nonce
    assert one.rest != other.rest
    assert Sealed(other.header, one.clear, one.rest).open(KEY) is None
