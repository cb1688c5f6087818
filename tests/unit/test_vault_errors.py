"""The table of errors: every status and every class that can come has its place in it."""

import inspect
from typing import Any

import hvac.exceptions
import pytest

from confsvc.errors import AdapterError, Unauthenticated, Unavailable
from confsvc_vault.errors import HVAC, STATUS, of_hvac, of_login, of_status

CANARY = "cnry-1f60ab22"
CLASSES = [
    found
    for _, found in inspect.getmembers(hvac.exceptions, inspect.isclass)
    if found.__module__ == hvac.exceptions.__name__
]


def raised(kind: Any) -> Exception:
    """Return an exception as hvac makes it, with everything in it that must not come out."""
    made: Exception = kind(CANARY, errors=[CANARY], method=CANARY, url=CANARY, text=CANARY, json=CANARY)
    return made


def test_every_exception_of_hvac_has_its_own_line() -> None:
    assert {found.__name__ for found in CLASSES} <= set(HVAC)
    assert len(CLASSES) > 10


@pytest.mark.parametrize("kind", CLASSES)
def test_an_exception_of_hvac_becomes_one_of_ours_without_its_text(kind: type[Exception]) -> None:
    for error in (of_hvac(raised(kind), "`secret/x`"), of_login(raised(kind), "the login")):
        assert isinstance(error, AdapterError)
        assert CANARY not in f"{error!r} {error} {error.hint} {vars(error)}"


@pytest.mark.parametrize("status", range(400, 405))
def test_hvac_raises_what_the_table_expects(status: int) -> None:
    made = hvac.exceptions.VaultError.from_status(status)
    assert HVAC[type(made).__name__] in {status, 0}


def test_a_class_that_hvac_adds_later_is_what_it_is_derived_from() -> None:
    class LoginRefused(hvac.exceptions.Forbidden):
        """Not there yet."""

    assert isinstance(of_login(LoginRefused(), "the login"), Unauthenticated)


def test_what_is_no_exception_of_hvac_is_unavailable_by_its_class() -> None:
    error = of_hvac(ValueError(CANARY), "`secret/x`")
    assert isinstance(error, Unavailable)
    assert "ValueError" in error.message
    assert CANARY not in error.message


@pytest.mark.parametrize("status", [*STATUS, 0, 299, 418, 599])
def test_no_status_is_without_an_error(status: int) -> None:
    error = of_status(status, "`secret/x`")
    assert "`secret/x`" in error.message
    assert error.exit_status in {65, 69, 75, 77}
