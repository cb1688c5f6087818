"""From places in a model to the names of settings: which one each fault is told of."""

from collections.abc import Collection, Iterable, Mapping

from confsvc.messages import Invalid
from confsvc.models.nodes import Node, walk
from confsvc.models.running import Fault

__all__ = ["Locator"]


class Locator:
    """Collects what is wrong, once for each setting, and by the name that somebody gave it a value under.

    ``given`` are those names, ``problems`` what is known already. ``across`` says that rules across fields count.
    """

    def __init__(
        self, nodes: tuple[Node, ...], given: Collection[str], problems: Mapping[str, Invalid], *, across: bool
    ) -> None:
        self._nodes = nodes
        self._given = given
        self._across = across
        self.problems = dict(problems)

    def add(self, faults: Iterable[Fault]) -> None:
        """Take ``faults`` in."""
        for fault in faults:
            trail, rest = self._trail(fault.location)
            if not trail:
                # A rule across fields says nothing where one of them is known to be wrong.
                if self._across and not self.problems:
                    self._tell("", f"invalid: {fault.message}")
            elif fault.code == "missing" and not rest:
                self._missing(trail)
            else:
                self._wrong(trail, rest, "lacks a field" if fault.code == "missing" else fault.message)

    def in_order(self, settings: Iterable[str]) -> list[Invalid]:
        """Return the problems in the order of ``settings``; what concerns them all comes last."""
        return [self.problems[name] for name in (*settings, "") if name in self.problems]

    def _trail(self, location: tuple[int | str, ...]) -> tuple[list[Node], tuple[int | str, ...]]:
        """Return the fields that ``location`` leads through, and what is left of it."""
        trail: list[Node] = []
        level = self._nodes
        for number, step in enumerate(location):
            node = next((n for n in level if step == n.field.attribute or step in n.field.keys), None)
            if node is None:
                return trail, location[number:]
            trail.append(node)
            level = node.children
        return trail, ()

    def _missing(self, trail: list[Node]) -> None:
        last = trail[-1]
        known = any(node.name in self.problems for node in (*trail, *walk(last.children)))
        if last.setting.required or known:  # where every layer was asked, the resolver tells it
            return
        instead = f"nor is it in `{trail[-2].name}`" if trail[1:] else "nor any part of it"
        if last.children:
            instead = f"nor any part of it, such as `{last.children[0].name}`"
        self._tell(last.name, f"missing: no layer has it, {instead}", "missing")

    def _wrong(self, trail: list[Node], rest: tuple[int | str, ...], message: str) -> None:
        depth = next((n for n in reversed(range(len(trail))) if trail[n].name in self._given), len(trail) - 1)
        below = ".".join(node.field.key for node in trail[depth + 1 :])
        where = f" in its field `{below}`" if below else ""
        # Of what is left only the numbers are told: a key of a dict is a part of the value.
        where += "".join(f" at item {step + 1}" for step in rest if isinstance(step, int))
        self._tell(trail[depth].name, f"invalid: {message}{where}")

    def _tell(self, name: str, message: str, code: str = "invalid") -> None:
        self.problems.setdefault(name, Invalid(name, code, message))
