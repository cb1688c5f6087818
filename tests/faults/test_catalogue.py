"""The catalogue of cases is complete: each one has tests, which are there, or a reason why it cannot be shown here."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROW = re.compile(r"^\| ([BCS]\d\d) \| ([^|]+) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
REASON = re.compile(r"^not here: \w.{20,}$")

ROWS = [(one[1], one[3]) for one in ROW.finditer((TESTS / "faults" / "README.md").read_text())]


def cases() -> Iterator[str]:
    """Yield the numbers of the catalogue: 50 of backends, 12 of the cache, 20 of the agent, 14 of leaks."""
    for group, first, last in (("B", 1, 50), ("C", 1, 12), ("C", 20, 39), ("S", 1, 14)):
        yield from (f"{group}{number:02}" for number in range(first, last + 1))


def test_every_case_is_there_once_and_in_order() -> None:
    assert [number for number, _ in ROWS] == list(cases())


@pytest.mark.parametrize(("number", "shown"), ROWS)
def test_a_case_is_shown_by_tests_that_are_there(number: str, shown: str) -> None:
    named = TEST.findall(shown)
    assert named or REASON.match(shown), number
    for file, name in named:
        tree = ast.parse((TESTS / file).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file} has no {name}"


def test_a_case_without_a_test_is_noticed() -> None:
    """The control: neither a test that is not there nor an empty reason passes."""
    with pytest.raises(AssertionError, match="has no test_nothing"):
        test_a_case_is_shown_by_tests_that_are_there("B01", "`faults/test_catalogue.py::test_nothing`")
    with pytest.raises(AssertionError, match="B01"):
        test_a_case_is_shown_by_tests_that_are_there("B01", "not here: later")
