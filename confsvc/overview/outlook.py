"""What a start will ask of each backend, what has to be granted for it, and what it costs. Nothing is asked for it."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from confsvc.adapter import Backend
from confsvc.errors import ConfsvcError, Problem
from confsvc.fetching import make_adapter
from confsvc.needs import Needs
from confsvc.overview.prices import PRICES, Price
from confsvc.plan import Plan
from confsvc.reference import Reference

__all__ = ["DAYS", "Charge", "Outlook", "Share", "charges_of", "look_ahead"]

DAYS = 30  # of a month


class Share(NamedTuple):
    """What one backend is asked for. ``needs`` is None where its adapter does not tell."""

    backend: Backend
    is_local: bool
    documents: tuple[Reference, ...]
    needs: Needs | None

    @property
    def calls(self) -> int:
        """How many calls are made at least; opening a file is none."""
        return 0 if self.is_local or self.needs is None else sum(calls.number for calls in self.needs.calls)

    @property
    def is_open(self) -> bool:
        """Whether there may be more of them."""
        return not self.is_local and (self.needs is None or any(calls.more for calls in self.needs.calls))


class Outlook(NamedTuple):
    """What a start in ``environment`` takes, backend by backend; ``problems`` are references that cannot be read."""

    environment: str
    shares: tuple[Share, ...]
    problems: tuple[Problem, ...]


class Charge(NamedTuple):
    """What one backend costs in a month: ``quantity`` at ``price``."""

    backend: str
    quantity: int
    price: Price

    @property
    def dollars(self) -> Decimal:
        """The sum, not rounded."""
        return self.quantity * self.price.dollars / self.price.per


def look_ahead(plan: Plan) -> Outlook:
    """Return what carrying out ``plan`` takes. Makes no call.

    Raises:
        ManifestError: a backend's table cannot be used.

    """
    shares = tuple(_share(backend, plan) for backend in plan.backends.values())
    problems = [
        error.problem(reference=str(reference))
        for share in shares
        for reference, error in (share.needs.errors if share.needs else {}).items()
    ]
    return Outlook(plan.environment, shares, tuple(problems))


def _share(backend: Backend, plan: Plan) -> Share:
    documents = tuple(reference for reference in plan.documents if reference.scheme == backend.name)
    adapter = make_adapter(backend)
    tell = getattr(adapter, "needs", None)
    failure: ConfsvcError | None = None
    needs: Needs | None = None
    try:
        needs = tell(documents) if callable(tell) else None
    except ConfsvcError as error:
        failure = error
    if failure is not None:
        failure.__cause__ = failure.__context__ = None
        raise failure.with_traceback(None)
    return Share(backend, adapter.local, documents, needs)


def charges_of(shares: Sequence[Share], starts: int) -> Iterator[Charge]:
    """Yield what each backend costs at ``starts`` starts in a month: for keeping, then for calls."""
    for share in shares:
        if share.needs is None:
            continue
        called: dict[str, int] = {}
        for calls in share.needs.calls:
            if calls.price:
                called[calls.price] = called.get(calls.price, 0) + calls.number * starts
        for name, quantity in _known({**share.needs.kept, **called}):
            yield Charge(share.backend.name, quantity, PRICES[name])


def _known(quantities: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    return ((name, quantity) for name, quantity in quantities.items() if quantity and name in PRICES)
