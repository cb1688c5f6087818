"""What is wrong is a group: one error for each problem, each of its kind, and no value in any of them."""

import asyncio
import copy
import pickle
import traceback
from typing import cast

import pytest

import confsvc
from confsvc.errors import Problem, ResolutionError

DENIED = Problem("denied", "denied: role `shop` may not", "A", "v://x", "confsvc.toml:3", "grant it", 77)
MISSING = Problem("missing", "missing: no layer has it", "B", exit_status=65)
AWAY = Problem("unavailable", "unavailable: refused", "", "v://y", exit_status=69)


@pytest.fixture
def error() -> ResolutionError:
    return ResolutionError("3 of 7", [DENIED, MISSING, AWAY], hint="look")


def test_each_problem_is_an_error_of_its_kind(error: ResolutionError) -> None:
    assert [type(one) for one in error.exceptions] == [confsvc.Denied, confsvc.InvalidError, confsvc.Unavailable]
    errors = cast("tuple[confsvc.ConfsvcError, ...]", error.exceptions)
    assert [one.problems for one in errors] == [(DENIED,), (MISSING,), (AWAY,)]
    assert [one.exit_status for one in errors] == [77, 65, 69]
    assert str(error.exceptions[0]) == "A: denied: role `shop` may not"


def test_it_is_caught_as_what_it_is_and_as_a_group(error: ResolutionError) -> None:
    for kind in (ResolutionError, confsvc.ConfsvcError, ExceptionGroup):
        with pytest.raises(kind):
            raise error


def test_except_star_takes_one_kind_and_leaves_the_others(error: ResolutionError) -> None:
    taken: list[BaseException] = []

    def handle() -> None:
        try:
            raise error
        except* confsvc.Denied as group:
            taken.append(group)

    with pytest.raises(ResolutionError) as rest:
        handle()
    (denied,) = taken
    assert isinstance(denied, ResolutionError)
    assert (denied.problems, denied.exit_status, denied.hint) == ((DENIED,), 77, "look")
    assert (rest.value.problems, rest.value.exit_status) == ((MISSING, AWAY), 65)
    assert str(rest.value) == "3 of 7: B (missing), v://y (unavailable)"


def test_except_star_of_everything_leaves_nothing(error: ResolutionError) -> None:
    taken: list[BaseException] = []
    try:
        raise error
    except* confsvc.ConfsvcError as group:
        taken.append(group)
    assert taken == [error]


def test_subgroups_are_of_the_same_kind(error: ResolutionError) -> None:
    found = error.subgroup(lambda one: isinstance(one, confsvc.Unavailable))
    assert isinstance(found, ResolutionError)
    assert found.problems == (AWAY,)
    assert error.subgroup(confsvc.Throttled) is None


def test_str_is_one_line_and_repr_says_the_same() -> None:
    odd = Problem("denied", "denied", "A\nB\x1b[31m", exit_status=77)
    error = ResolutionError("1 of 1", [odd])
    assert str(error) == "1 of 1: A\\u000aB\\u001b[31m (denied)"
    assert repr(error) == f"ResolutionError({str(error)!r})"
    assert (error.summary, error.message) == ("1 of 1", str(error))


def test_a_wrong_manifest_is_told_in_one_line_too() -> None:
    two = [Problem("manifest", "unknown key", place="c.toml:1"), Problem("manifest", "a\nb", place="c.toml:2")]
    assert str(confsvc.ManifestError("2 problems", two)) == "2 problems: c.toml:1 unknown key; c.toml:2 a\\u000ab"
    assert str(confsvc.ManifestError("unknown key", two[:1])) == "c.toml:1 unknown key"
    assert str(confsvc.ManifestError("nothing is there")) == "nothing is there"


def test_what_a_lock_does_not_fit_is_told_by_its_name() -> None:
    found = [Problem("lock", "was added", "PORT"), Problem("lock", "was locked", reference="v://x")]
    assert str(confsvc.LockError("2 differences", found)) == "2 differences: PORT was added; v://x was locked"
    assert str(confsvc.LockError("1 difference", found[:1])) == "1 difference: PORT was added"


def test_it_goes_from_one_process_to_another(error: ResolutionError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - ours
        assert (str(other), other.problems, other.hint, other.exit_status) == (
            str(error),
            error.problems,
            error.hint,
            error.exit_status,
        )


def test_a_task_group_passes_it_on(error: ResolutionError) -> None:
    async def main() -> None:
        async def fail() -> None:
            raise error

        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    seen: list[object] = []

    def handle() -> None:
        try:
            asyncio.run(main())
        except* confsvc.InvalidError as group:
            seen.extend(map(str, group.exceptions))

    with pytest.raises(ExceptionGroup) as rest:
        handle()
    assert seen == ["3 of 7: B (missing)"]
    assert rest.value.subgroup(confsvc.Denied) is not None


def test_a_traceback_tells_all_of_them(error: ResolutionError) -> None:
    text = "".join(traceback.format_exception(error))
    assert "3 of 7: A (denied), B (missing), v://y (unavailable)" in text
    assert "Denied: A: denied: role `shop` may not" in text
