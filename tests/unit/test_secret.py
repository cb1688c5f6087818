"""A secret shows nowhere; an error has no field for one."""

import copy
import dataclasses
import json
import logging
import pickle
from collections.abc import Callable

import pytest

import confsvc.errors
from confsvc import Secret
from confsvc.errors import AdapterError, ConfsvcError, Problem, ResolutionError, exit_status_of
from confsvc.testing import find_leaks, make_canary

CANARY = make_canary()


@dataclasses.dataclass
class Holder:
    password: Secret[str]


SHOWN: dict[str, Callable[[Secret[str]], object]] = {
    "str": str,
    "repr": repr,
    "format": lambda s: f"{s} {s!r} {s:>40}",
    "percent": lambda s: "%s %r" % (s, s),  # noqa: UP031
    "list": lambda s: repr([s]),
    "dict": lambda s: repr({"a": s}),
    "dataclass": lambda s: repr(Holder(s)),
    "json": lambda s: json.dumps({"a": s}, default=repr),
    "vars": lambda s: repr(getattr(s, "__dict__", "")),
    "copies": lambda s: repr([copy.copy(s), copy.deepcopy(s)]),
    "exception": lambda s: repr(ValueError(s)),
    "log": lambda s: logging.LogRecord("x", 10, "x", 1, "%s %r", (s, s), None).getMessage(),
}


@pytest.mark.parametrize("channel", SHOWN)
def test_it_shows_nowhere(channel: str) -> None:
    assert find_leaks(CANARY, str(SHOWN[channel](Secret(CANARY)))) == []


def test_it_is_given_back_only_when_asked() -> None:
    assert Secret(CANARY).reveal() == CANARY
    assert not isinstance(Secret("x"), str)
    with pytest.raises(TypeError):
        pickle.dumps(Secret(CANARY))
    with pytest.raises(TypeError):
        json.dumps(Secret(CANARY))
    with pytest.raises(TypeError):
        hash(Secret(CANARY))
    with pytest.raises(TypeError):
        "" + Secret(CANARY)  # type: ignore[operator]


def test_secrets_are_compared_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("\udcff") == Secret("\udcff")
    assert Secret(b"a") == Secret(b"a")
    assert Secret({"a": 1}) == Secret({"a": 1})
    assert Secret("a") != "a"
    assert bool(Secret(""))


def test_the_finder_finds() -> None:
    """A check that cannot fail proves nothing."""
    import base64
    import urllib.parse

    data = CANARY.encode()
    for text in (CANARY, repr(CANARY), json.dumps(CANARY), urllib.parse.quote(CANARY), data.hex(), repr(data)):
        assert find_leaks(CANARY, f"<{text}>")
    for offset in range(4):
        assert find_leaks(CANARY, base64.b64encode(b"x" * offset + data + b"yy"))
    error = ValueError("nothing here")
    assert find_leaks(CANARY, error) == []
    error.__cause__ = KeyError(CANARY)
    assert find_leaks(CANARY, error)
    assert find_leaks(CANARY, ExceptionGroup("x", [ValueError(CANARY)]))
    with pytest.raises(ZeroDivisionError) as caught:
        _divide(CANARY)
    assert find_leaks(CANARY, caught.value)  # in the locals of a frame


def _divide(held: str) -> float:
    return len(held) / 0


ERRORS = [
    found
    for name in confsvc.errors.__all__
    if isinstance(found := getattr(confsvc.errors, name), type) and issubclass(found, ConfsvcError)
]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_has_a_code_a_hint_and_a_status(kind: type[ConfsvcError]) -> None:
    extra = {"exit_status": 126} if kind.__name__ == "CommandError" else {}
    error = kind("message", [], hint="do that") if kind is ResolutionError else kind("message", hint="do that", **extra)
    assert kind.code
    assert error.hint == "do that"
    assert error.exit_status in {64, 65, 69, 70, 73, 75, 77, 78, 126}
    assert isinstance(error.problems, tuple)


def test_what_a_backend_can_say_is_closed() -> None:
    kinds = [kind for kind in ERRORS if issubclass(kind, AdapterError) and kind is not AdapterError]
    assert {kind.__name__: kind.exit_status for kind in kinds} == {
        "NotFound": 65,
        "Malformed": 65,
        "Denied": 77,
        "Unauthenticated": 77,
        "Unavailable": 69,
        "Throttled": 75,
    }
    assert len({kind.code for kind in kinds}) == 6


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [((65, 69), 65), ((75, 69), 69), ((77, 65, 69), 77), ((78, 77), 78), ((75,), 75), ((70,), 70)],
)
def test_the_highest_ranking_problem_decides(statuses: tuple[int, ...], expected: int) -> None:
    assert exit_status_of(Problem("x", "x", exit_status=status) for status in statuses) == expected
