"""The finder of leaks is worth what it finds: one control for every way in which a value can get out."""

import base64
import html
import json
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.secret import Secret
from confsvc.testing import encodings_of, find_leaks, make_canary

CANARY = make_canary()
BYTES = CANARY.encode()


def test_a_canary_stands_nowhere_else() -> None:
    assert make_canary() != make_canary()
    assert find_leaks(CANARY, make_canary(), sys.modules.keys(), "") == []


LEAKS = {
    "raw": f"cannot use {CANARY}!",
    "raw in bytes": b"\xff" + BYTES + b"\0",
    "json": json.dumps({"password": CANARY}),
    "json utf-8": json.dumps([CANARY], ensure_ascii=False),
    "repr": repr({"password": CANARY}),
    "ascii": ascii([CANARY]),
    "repr of bytes": repr([BYTES]),
    "html": f"<b>{html.escape(CANARY)}</b>",
    "url": f"https://user:{urllib.parse.quote(CANARY, safe='')}@example.com/",
    "lower-case url": re.sub("%..", lambda match: match[0].lower(), urllib.parse.quote(CANARY, safe="")),
    "url path": f"/v1/{urllib.parse.quote(CANARY)}",
    "form": urllib.parse.urlencode({"token": CANARY}),
    "hex": BYTES.hex(),
    "upper-case hex": f"0x{BYTES.hex().upper()}",
    **{f"base64 at {n}": base64.b64encode(b"abc"[:n] + BYTES + b":xyz").decode() for n in range(3)},
    **{f"url-safe base64 at {n}": base64.urlsafe_b64encode(b"abc"[:n] + BYTES + b":").decode() for n in range(3)},
}


@pytest.mark.parametrize("name", LEAKS)
def test_every_encoding_is_found(name: str) -> None:
    assert name.removesuffix(" in bytes") in find_leaks(CANARY, "before", LEAKS[name], "after")


def test_every_encoding_has_a_control() -> None:
    assert set(encodings_of(CANARY)) == set(LEAKS) - {"raw in bytes"}


@given(value=st.text(min_size=6), before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_a_value_within_base64_is_found_wherever_it_stands(value: str, before: bytes, after: bytes) -> None:
    data = before + value.encode(errors="surrogatepass") + after
    assert f"base64 at {len(before) % 3}" in find_leaks(value, base64.b64encode(data))


def test_an_empty_value_is_not_looked_for() -> None:
    with pytest.raises(ValueError, match="empty"):
        find_leaks("", "text")


class _Slotted(Exception):
    __slots__ = ("held",)

    held: str


class _Answer:
    """What a client library hands around: its repr says nothing, its attributes everything."""

    def __init__(self, body: object) -> None:
        self.body = body


def _attribute() -> Exception:
    error = OSError("no")
    vars(error)["answer"] = _Answer(_Answer({"data": [CANARY]}))
    return error


def _slot() -> Exception:
    error = _Slotted("no")
    error.held = CANARY
    return error


def _noted() -> Exception:
    error = OSError("no")
    error.add_note(CANARY)
    return error


def _caused() -> Exception:
    error = OSError("no")
    error.__cause__ = OSError("no")
    error.__cause__.__cause__ = KeyError(CANARY)
    return error


def _suppressed() -> Exception:
    error = OSError("no")
    error.__context__ = KeyError(CANARY)
    error.__suppress_context__ = True
    return error


def _group() -> Exception:
    return ExceptionGroup("no", [OSError("no"), ExceptionGroup("no", [KeyError(CANARY)])])


EXCEPTIONS: dict[str, Callable[[], Exception]] = {
    "an argument": lambda: KeyError("no", {"inner": [CANARY]}),
    "an attribute": _attribute,
    "a slot": _slot,
    "a note": _noted,
    "a cause": _caused,
    "a context that is not shown": _suppressed,
    "a group": _group,
}


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_an_exception_is_searched(name: str) -> None:
    assert find_leaks(CANARY, EXCEPTIONS[name]())
    assert find_leaks(CANARY, [EXCEPTIONS[name]()])


def _fail(token: str) -> None:
    del token
    local = CANARY
    raise OSError(len(local))


def test_the_frames_that_an_exception_went_through_are_searched() -> None:
    with pytest.raises(OSError, match="27") as caught:
        _fail("x")
    assert find_leaks(CANARY, caught.value)
    assert find_leaks(CANARY, caught.value.with_traceback(None)) == []


def test_the_frame_that_looks_for_the_value_is_not() -> None:
    canary = make_canary()
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    assert find_leaks(canary, caught.value) == []


def test_what_cannot_be_shown_in_a_frame_shows_nothing() -> None:
    class Half:
        def __init__(self) -> None:
            raise OSError("half done")

        def __repr__(self) -> str:
            return str(vars(self)["missing"])

    with pytest.raises(OSError, match="half") as caught:
        Half()
    assert find_leaks(CANARY, caught.value) == []


def test_a_secret_in_an_exception_is_no_leak() -> None:
    error = OSError("no")
    vars(error)["token"] = Secret(CANARY)
    assert find_leaks(CANARY, error) == []


def test_looking_for_leaks_needs_no_pytest() -> None:
    code = "import confsvc.testing as t, sys; t.find_leaks, t.MemoryAdapter; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
