"""What ``confsvc diff`` found, as people and programs see it."""

from collections.abc import Iterator, Mapping, Sequence

from confsvc.cli import output
from confsvc.overview.comparing import Column, Difference, Side
from confsvc.overview.survey import PROBLEMS

__all__ = ["data_of", "tell"]

_MARKS = {"differs": "!", "alike": "!", "unknown": "?", "expected": "", "same": "="}


def tell(one: Column, other: Column, found: Sequence[Difference]) -> None:
    """Show what differs: first what should not, then what should and does not, what is unknown, and what may."""
    order = [name for name in _MARKS if name != "same" or output.is_verbose()]
    rows = [_row(item) for verdict in order for item in found if item.verdict == verdict]
    if rows:
        output.write(output.table([("", "setting", "differs in", one.name, other.name), *rows]) + "\n\n")
    output.write(_summary(one, other, found) + "\n")


def _row(item: Difference) -> tuple[str, ...]:
    aspects = ", ".join(item.differs)
    what = {
        "differs": aspects,
        "alike": "nothing, and should" if not aspects else f"{aspects}; not in value, and should",
        "unknown": "unknown",
        "expected": f"{aspects} (expected)",
        "same": "",
    }[item.verdict]
    return (_MARKS[item.verdict], item.name, what, _cell(item.one), _cell(item.other))


def _cell(side: Side) -> str:
    standing = side.standing
    if not standing.layer:
        return standing.state
    names = {"overridden": "--set", "default": "default"}
    text = names.get(standing.state, f"{standing.layer} {standing.reference}".strip())
    text += f" (version {standing.version})" if standing.version else ""
    return f"{side.shown} ({text})" if side.shown else text


def _summary(one: Column, other: Column, found: Sequence[Difference]) -> str:
    counts = {verdict: sum(item.verdict == verdict for item in found) for verdict in _MARKS}
    parts = list(_parts(counts))
    if not counts["differs"] and not counts["alike"] and not counts["unknown"]:
        parts = [f"{output.count(counts['same'], 'setting')} the same"]
        parts += [f"{counts['expected']} different, as expected"] if counts["expected"] else []
        return f"ok: {one.name} and {other.name} have {' and '.join(parts)}"
    return f"{one.name} and {other.name}, {output.count(len(found), 'setting')}: {'; '.join(parts)}"


def _parts(counts: Mapping[str, int]) -> Iterator[str]:
    for verdict, singular, plural in (
        ("differs", "differs", "differ"),
        ("alike", "should differ and does not", "should differ and do not"),
        ("unknown", "is unknown", "are unknown"),
        ("expected", "differs as expected", "differ as expected"),
        ("same", "is the same", "are the same"),
    ):
        if counts[verdict]:
            yield f"{counts[verdict]} {singular if counts[verdict] == 1 else plural}"


def data_of(one: Column, other: Column, found: Sequence[Difference], *, reveal: bool) -> dict[str, object]:
    """Return the comparison for ``--json``; with ``reveal`` it has the values that are no secret."""
    return {
        "ok": all(item.verdict in {"same", "expected"} for item in found) and not (one.error or other.error),
        "sides": [
            {"name": side.name, "problems": [p._asdict() for p in side.error.problems] if side.error else []}
            for side in (one, other)
        ],
        "settings": [
            {
                "name": item.name,
                "verdict": item.verdict,
                "differs": list(item.differs),
                "sides": [_side_data(side, reveal=reveal) for side in (item.one, item.other)],
            }
            for item in found
        ],
    }


def _side_data(side: Side, *, reveal: bool) -> dict[str, object]:
    standing = side.standing
    data: dict[str, object] = {
        "state": standing.state,
        "type": standing.kind,
        "secret": standing.secret,
        "layer": standing.layer,
        "reference": standing.reference,
        "version": standing.version,
    }
    if reveal and not standing.secret and standing.state not in PROBLEMS and standing.state != "absent":
        data["value"] = side.shown
    return data
