"""Counts and states in Prometheus' text format. No setting's name is in them, and no value."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator

from confsvc.adapter import lasting_clock
from confsvc.agent.engine import Engine
from confsvc.cache import counts

__all__ = ["Metrics"]


class Metrics:
    """What was counted. One thread counts."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, int]] = Counter()
        self._refusals: Counter[str] = Counter()
        self._began = time.time()
        self.connections = 0
        self.open = 0

    def answered(self, page: str, status: int) -> None:
        """Count an answer."""
        self._answers[page, status] += 1

    def refused(self, reason: str) -> None:
        """Count somebody who got no answer."""
        self._refusals[reason] += 1

    def text(self, engine: Engine) -> str:
        """Return everything."""
        return "\n".join(line for family in self._families(engine) for line in family) + "\n"

    def _families(self, engine: Engine) -> Iterator[Iterable[str]]:
        state = engine.state
        snapshot = state.snapshot
        age = lasting_clock() - state.read_at if snapshot else -1.0
        answers = {f'page="{page}",status="{status}"': n for (page, status), n in sorted(self._answers.items())}
        yield _family("requests_total", "counter", "Answers about settings.", answers)
        refusals = {f'reason="{reason}"': n for reason, n in sorted(self._refusals.items())}
        yield _family("refused_total", "counter", "Connections that were closed without an answer.", refusals)
        yield _family("connections_total", "counter", "Connections taken.", {"": self.connections})
        yield _family("connections", "gauge", "Connections open now.", {"": self.open})
        is_ready = bool(snapshot) and not state.refusal
        yield _family("ready", "gauge", "Whether settings can be served.", {"": int(is_ready)})
        yield _family("outage", "gauge", "Whether stores do not answer.", {"": int(state.outage)})
        yield _family("refused", "gauge", "Whether a store says no.", {"": int(state.refusal == "refused")})
        yield _family("settings", "gauge", "Settings that have a value.", {"": snapshot.size if snapshot else 0})
        generation = snapshot.generation if snapshot else 0
        yield _family("generation", "gauge", "How many sets there have been.", {"": generation})
        yield _family("age_seconds", "gauge", "Since everything was seen last; -1 for never.", {"": round(age, 3)})
        kept = {f'what="{what}"': count for what, count in sorted(counts.items())}
        yield _family("cache_total", "counter", "Times that the last good settings were used, written, or not.", kept)
        reloads = {f'result="{result}"': n for result, n in engine.reloads.items()}
        yield _family("reloads_total", "counter", "Times that the manifest was read anew.", reloads)
        breakers = {f'backend="{name}"': breaker for name, breaker in sorted(engine.breakers.items())}
        asked = {label: breaker.reads for label, breaker in breakers.items()}
        yield _family("backend_requests_total", "counter", "Questions to a backend, each for many documents.", asked)
        is_open = {label: int(breaker.is_open) for label, breaker in breakers.items()}
        yield _family("backend_left_alone", "gauge", "Whether a backend is not asked for a while.", is_open)
        yield _family("start_time_seconds", "gauge", "When the agent began.", {"": round(self._began, 3)})


def _family(name: str, kind: str, about: str, samples: dict[str, int] | dict[str, float]) -> Iterator[str]:
    full = f"confsvc_agent_{name}"
    yield f"# HELP {full} {about}"
    yield f"# TYPE {full} {kind}"
    for labels, value in samples.items():
        yield f"{full}{{{labels}}} {value}" if labels else f"{full} {value}"
