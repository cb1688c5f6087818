"""The tree of errors: what is drawn is what there is, and none of them can hold more than it says."""

import re

import pytest

import confsvc
from confsvc import errors
from confsvc.errors import (
    AdapterError,
    BadReferenceError,
    CommandError,
    ConfsvcError,
    Denied,
    InvalidError,
    ManifestError,
    NotFound,
    Problem,
    ResolutionError,
    UnknownEnvironmentError,
    exit_status_of,
)

DRAWN = {
    match[2]: (len(match[1]), match[3])
    for match in re.finditer(r"^    ([│├└─ ]*)(\w+)(?: +(\d+))?", errors.__doc__ or "", re.MULTILINE)
}
DEFINED = {
    name: found
    for name, found in vars(errors).items()
    if isinstance(found, type) and issubclass(found, ConfsvcError) and not name.startswith("_")
}


def test_the_drawing_has_every_error() -> None:
    assert set(DRAWN) == set(DEFINED)


@pytest.mark.parametrize("name", DEFINED)
def test_the_drawing_tells_the_truth(name: str) -> None:
    depth, status = DRAWN[name]
    assert depth == 4 * (len([base for base in DEFINED[name].__mro__ if base in DEFINED.values()]) - 1)
    if status and name != "CommandError":  # which says 126 or 127 each time
        assert DEFINED[name].exit_status == int(status)


def test_every_error_and_no_other_is_public() -> None:
    assert set(DEFINED) <= set(errors.__all__)
    public = {name for name in confsvc.__all__ if name in DEFINED}
    assert public | {
        "BadReferenceError",
        "CacheError",
        "CommandError",
        "InternalError",
        "OutputError",
        "UnknownEnvironmentError",
    } == set(DEFINED)


def test_codes_are_stable_and_tell_them_apart() -> None:
    codes = [
        found.code for found in DEFINED.values() if found not in {ConfsvcError, AdapterError, errors.InternalError}
    ]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_.]+", code) for code in codes)


def test_an_error_becomes_a_problem() -> None:
    error = Denied("role `shop` may not read it", hint="grant it")
    problem = error.problem(name="X", reference="vault://a#b", place="confsvc.toml:3")
    assert problem == Problem(
        "denied", "role `shop` may not read it", "X", "vault://a#b", "confsvc.toml:3", "grant it", 77
    )
    assert error.problems == (error.problem(),)


def test_collected_errors_have_their_problems_or_themselves() -> None:
    problems = [Problem("manifest", "one"), Problem("manifest", "two")]
    assert ManifestError("2 problems", problems).problems == tuple(problems)
    (alone,) = BadReferenceError("no scheme", hint="write one").problems
    assert (alone.code, alone.message, alone.hint, alone.exit_status) == (
        "manifest.reference",
        "no scheme",
        "write one",
        78,
    )


def test_a_resolution_error_names_settings_and_codes() -> None:
    error = ResolutionError(
        "2 of 3", [Problem("missing", "m", "A", exit_status=65), Problem("denied", "d", "", "v://x", exit_status=77)]
    )
    assert str(error) == "2 of 3: A (missing), v://x (denied)"
    assert error.exit_status == 77


def test_without_a_known_status_it_is_a_bug() -> None:
    assert exit_status_of([]) == 70
    assert exit_status_of([Problem("x", "x")]) == 70
    assert exit_status_of([Problem("x", "x"), Problem("x", "x", exit_status=75)]) == 75


@pytest.mark.parametrize("kind", [ManifestError, BadReferenceError, UnknownEnvironmentError])
def test_what_is_wrong_with_the_manifest_is_caught_at_once(kind: type[ManifestError]) -> None:
    with pytest.raises(ManifestError):
        raise kind("x")


def test_errors_hold_what_they_say_and_nothing_else() -> None:
    for error in (NotFound("gone", hint="look"), InvalidError("bad"), CommandError("no", exit_status=127)):
        assert set(vars(error)) <= {"message", "hint", "exit_status"}
        assert error.args == (error.message,)
