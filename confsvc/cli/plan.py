"""``confsvc plan``: what a start will ask of each backend, what to grant, and what it costs. Makes no call."""

import argparse
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from confsvc._suggest import did_you_mean
from confsvc.cli import output
from confsvc.cli.options import Parser, request_of
from confsvc.errors import ManifestError, ResolutionError, UsageError
from confsvc.overview.outlook import DAYS, Charge, Outlook, Share, charges_of, look_ahead
from confsvc.overview.prices import AS_OF, REGION
from confsvc.overview.survey import plan_all
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.resolver import Request, plan_request

__all__ = ["main", "parser"]

_STARTS = re.compile("([0-9]{1,12})(?:/(day|month))?")
_DEFAULT = "1000/day"
_PERIODS = {"day": DAYS, "month": 1, "": 1}
_UNCOUNTED = "free tiers, taxes, keys in KMS and what goes over the network are not counted"


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "plan",
        "Show what a start will ask of each backend, print the permissions that it needs, ready to be pasted, and\n"
        "estimate what it costs. No call is made, and no value read.",
        "[-e ENV | --all] [-f FILE] [--starts N] [--permissions BACKEND] [options]",
    )
    made.resolve_options()
    made.add_argument("--all", action="store_true", help="every environment of the manifest")
    group = made.add_argument_group("what to tell")
    group.add_argument("--starts", metavar="N", default=_DEFAULT, help=f"per month, or N/day; default {_DEFAULT}")
    group.add_argument("--permissions", metavar="BACKEND", help="print what it needs to be granted, and nothing else")
    return made


def main(argv: list[str]) -> int:
    """Print it."""
    args = parser().parse_args(argv)
    _check(args)
    starts = _starts(args.starts)
    request = request_of(args)
    names = (request.manifest.environments or ("",)) if args.all else (request.environment,)
    plans = plan_all(request, [request.manifest.choose(name) for name in names])
    outlooks = [look_ahead(plan) for plan in plans.values() if isinstance(plan, Plan)]
    unread = {one.environment: _undecided(request, one) for one in outlooks}
    if args.permissions is not None:
        output.write("".join(_permissions(args.permissions, outlook) for outlook in outlooks))
    elif output.is_json():
        output.write_json({"environments": [_data(one, starts, unread[one.environment]) for one in outlooks]})
    elif outlooks:
        output.write("\n\n".join("\n".join(_lines(one, starts, unread[one.environment])) for one in outlooks) + "\n")
    _raise([plan for plan in plans.values() if isinstance(plan, ManifestError)], outlooks)
    return 0


def _raise(wrong: Sequence[ManifestError], outlooks: Sequence[Outlook]) -> None:
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        problems = [problem for error in wrong for problem in error.problems]
        raise ManifestError(f"{output.count(len(wrong), 'environment')} cannot be planned", problems)
    problems = [problem for one in outlooks for problem in one.problems]
    if problems:
        raise ResolutionError(f"{output.count(len(problems), 'reference')} can never be read", problems)


def _check(args: argparse.Namespace) -> None:
    if args.all and args.env:
        raise UsageError("--all and --env exclude each other")
    if args.permissions is not None and args.all:
        raise UsageError("--permissions prints those of one environment", hint="-e ENV")
    if args.permissions is not None and output.is_json():
        raise UsageError("--permissions prints them as they are; --json has them all")


def _starts(text: str) -> int:
    found = _STARTS.fullmatch(text)
    if not found:
        raise UsageError(f"--starts takes a number for a month, or N/day, not `{text}`")
    return int(found[1]) * _PERIODS[found[2] or ""]


def _undecided(request: Request, outlook: Outlook) -> list[Reference]:
    """Return what is not read here, as the process environment decides what it would be read for."""
    whole = plan_request(request._replace(environment=outlook.environment, override=True))
    planned = {reference for share in outlook.shares for reference in share.documents}
    return [reference for reference in whole.documents if reference not in planned]


def _permissions(name: str, outlook: Outlook) -> str:
    share = next((share for share in outlook.shares if share.backend.name == name), None)
    if share is None:
        names = [share.backend.name for share in outlook.shares]
        raise UsageError(
            f"`{outlook.environment}` reads nothing from a backend `{name}`{did_you_mean(name, names)}",
            hint=f"it reads from: {', '.join(names) or 'none'}",
        )
    if share.needs is None or not share.needs.permissions:
        raise UsageError(f"nothing is to be granted for the backend `{name}`")
    return share.needs.permissions[0].text


def _lines(outlook: Outlook, starts: int, unread: Sequence[Reference]) -> Iterator[str]:
    documents = output.count(sum(len(share.documents) for share in outlook.shares), "document")
    calls = output.count(sum(share.calls for share in outlook.shares), "call")
    is_open = any(share.is_open for share in outlook.shares)
    yield f"{outlook.environment or 'plan'}: {documents}, {'at least ' * is_open}{calls} for each start"
    for share in outlook.shares:
        yield ""
        yield from _share_lines(share)
    charges = list(charges_of(outlook.shares, starts))
    if charges:
        yield ""
        yield from _charge_lines(charges, starts, is_open=is_open)
    if unread:
        yield ""
        yield "not read here, as the process environment decides (--override plans without it):"
        yield output.table([(str(reference),) for reference in unread])


def _share_lines(share: Share) -> Iterator[str]:
    backend = share.backend
    yield backend.name if backend.adapter == backend.name else f"{backend.name} ({backend.adapter})"
    if share.needs is None:
        yield f"  the adapter `{backend.adapter}` does not tell what reading takes"
        return
    rows = []
    for calls in share.needs.calls:
        several = output.count(calls.documents, "document") if calls.documents > 1 else ""
        remark = "; ".join(filter(None, (several, calls.more)))
        rows.append((f"{calls.number}{'+' if calls.more else ''}", calls.what, remark))
    if rows:
        yield output.table(rows)
    for note in share.needs.notes:
        yield f"  note: {output.printable(note)}"
    for permission in share.needs.permissions:
        yield f"\n  {permission.title}:\n"
        yield from (f"    {output.printable(line)}".rstrip() for line in permission.text.splitlines())


def _charge_lines(charges: Sequence[Charge], starts: int, *, is_open: bool) -> Iterator[str]:
    yield f"cost of a month with {starts:,} starts, at list prices of {AS_OF} ({REGION}):"
    rows = [
        (one.backend, f"{one.quantity:,}", one.price.what, f"at {_money(one.price.dollars)}{_per(one)}", _money(sum_))
        for one, sum_ in ((one, one.dollars) for one in charges)
    ]
    yield output.table([*rows, ("together", "", "", "", _money(_total(charges)))])
    yield f"  {_UNCOUNTED}"
    if is_open:
        yield "  calls with a `+` are counted once"


def _per(charge: Charge) -> str:
    return f" for {charge.price.per:,}" if charge.price.per > 1 else ""


def _money(dollars: Decimal) -> str:
    return "<$0.01" if 0 < dollars < Decimal("0.01") else f"${dollars:,.2f}"


def _total(charges: Sequence[Charge]) -> Decimal:
    return sum((one.dollars for one in charges), Decimal(0))


def _data(outlook: Outlook, starts: int, unread: Sequence[Reference]) -> dict[str, object]:
    charges = list(charges_of(outlook.shares, starts))
    return {
        "environment": outlook.environment,
        "calls": sum(share.calls for share in outlook.shares),
        "at_least": any(share.is_open for share in outlook.shares),
        "backends": [_share_data(share) for share in outlook.shares],
        "not_read_here": [str(reference) for reference in unread],
        "cost": {
            "starts_per_month": starts,
            "prices": {"as_of": AS_OF, "region": REGION},
            "charges": [
                {
                    "backend": one.backend,
                    "what": one.price.what,
                    "quantity": one.quantity,
                    "price": float(one.price.dollars),
                    "per": one.price.per,
                    "source": one.price.source,
                    "dollars": round(float(one.dollars), 4),
                }
                for one in charges
            ],
            "dollars": round(float(_total(charges)), 4),
        },
        "problems": [problem._asdict() for problem in outlook.problems],
    }


def _share_data(share: Share) -> dict[str, object]:
    needs = share.needs
    return {
        "backend": share.backend.name,
        "adapter": share.backend.adapter,
        "documents": [str(reference) for reference in share.documents],
        "tells": needs is not None,
        "calls": [calls._asdict() for calls in needs.calls] if needs else [],
        "permissions": [permission._asdict() for permission in needs.permissions] if needs else [],
        "notes": list(needs.notes) if needs else [],
    }
