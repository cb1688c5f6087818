"""An upstream that several processes have in common: one of them leads, and reads for all."""

import hashlib
import os
import socket
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

from confsvc.adapter import lasting_clock
from confsvc.errors import DeadlineError
from confsvc.fetching import Described, Fetched
from confsvc.live.sharing.cache import Cache
from confsvc.live.sharing.wire import Channel, WireError
from confsvc.meeting import Lead, Place, find_place
from confsvc.outcomes import decode, encode
from confsvc.plan import Plan
from confsvc.reference import Reference
from confsvc.registry import adapter_class
from confsvc.resolver import Request
from confsvc.watching import Upstream

__all__ = ["Shared", "share"]

_PATIENCE = 1.0  # seconds for somebody who connects to say what it wants
_ROUND = 16  # who are answered before our own turn: where there are always more, it would never come
_TRIES = 3  # where somebody leads who does not hear us out: on a busy machine it may only have been too early
# What differs between processes that were given the same environment, and says nothing about what they may read.
_PERSONAL = frozenset({"PWD", "OLDPWD", "SHLVL", "_"})

_Outcomes = dict[Reference, Any]


class Shared:
    """Asks whoever leads; leads, where nobody does; asks the backends itself, where neither can be.

    ``documents`` are those of the plan: whoever has the same ``key`` has the same ones, so their numbers will do.
    """

    def __init__(self, documents: Sequence[Reference], direct: Upstream, key: bytes, place: Place) -> None:
        self._documents = tuple(documents)
        self._numbers = {reference: number for number, reference in enumerate(self._documents)}
        self._direct = direct
        self._key = key
        self._place = place
        self._cache = Cache(direct)
        self._lead: Lead | None = None
        self._is_closed = False

    @property
    def listener(self) -> socket.socket | None:
        """What becomes readable when somebody asks us; None where nobody does. Then call `serve`."""
        return self._lead.listener if self._lead else None

    def fetch(self, references: Sequence[Reference], timeout: float, max_age: float) -> Fetched:
        """See `Upstream.fetch`."""
        found = self._ask("fetch", references, timeout, max_age)
        own = [reference for reference in references if found.get(reference) is None]
        return {**found, **self._direct.fetch(own, timeout, max_age)} if own else found

    def describe(self, references: Sequence[Reference], timeout: float, max_age: float) -> Described:
        """See `Upstream.describe`."""
        found = self._ask("describe", references, timeout, max_age)
        return {reference: outcome for reference, outcome in found.items() if outcome is not None}

    def serve(self) -> None:
        """Answer those who have asked, a few at a time: whoever leads has work of its own."""
        for _ in range(_ROUND):
            if self._lead is None:
                return
            try:
                connection, _ = self._lead.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(_PATIENCE)
                try:
                    self._answer(Channel.open(connection, self._key))
                except (WireError, ValueError, TypeError, LookupError):
                    continue  # it is gone, or knows our secret and talks nonsense

    def close(self) -> None:
        """Lead no longer: somebody else will."""
        self._is_closed = True
        if self._lead:
            self._lead.close(self._place.path)
            self._lead = None

    def abandon(self) -> None:
        """Let go of what a parent leads, in its child."""
        if self._lead:
            self._lead.close("")
            self._lead = None

    def _ask(self, what: str, references: Sequence[Reference], timeout: float, max_age: float) -> _Outcomes:
        since = lasting_clock() - max_age
        tries = 0 if self._is_closed else _TRIES
        while self._lead is None and tries:
            tries -= 1
            asked = self._ask_other(what, references, timeout, since)
            if asked is not None:
                return asked
            self._lead = self._place.lead()
        if self._lead is not None:
            return self._from_cache(what, references, timeout, since)
        ask = self._direct.describe if what == "describe" else self._direct.fetch
        return dict(ask(references, timeout, max_age))

    def _ask_other(self, what: str, references: Sequence[Reference], timeout: float, since: float) -> _Outcomes | None:
        """Ask whoever leads. Returns None where nobody does."""
        connection = self._place.connect(timeout)
        if connection is None:
            return None
        began = lasting_clock()
        with connection:
            try:
                channel = Channel.open(connection, self._key)
                channel.say([what, [self._numbers[reference] for reference in references], timeout, since])
                said = channel.hear()
                return {reference: decode(one) for reference, one in zip(references, said, strict=True)}
            except (WireError, ValueError, TypeError, LookupError):
                pass
        if lasting_clock() - began < timeout:
            return None
        return dict.fromkeys(references, DeadlineError(f"no answer within {timeout:g} s"))

    def _answer(self, channel: Channel) -> None:
        what, numbers, timeout, since = channel.hear()
        references = [self._documents[number] for number in numbers]
        asked = [reference for reference in references if not self._cache.is_leased(reference)]
        found = self._from_cache(what, asked, timeout, since)
        channel.connection.settimeout(_PATIENCE)
        channel.say([encode(found.get(reference)) for reference in references])

    def _from_cache(self, what: str, references: Sequence[Reference], timeout: float, since: float) -> _Outcomes:
        ask = self._cache.describe if what == "describe" else self._cache.fetch
        return dict(ask(references, timeout, since))


# What this process has of them, by its number: a child has its own.
_HERE: "WeakValueDictionary[tuple[int, bytes], Shared]" = WeakValueDictionary()


def share(request: Request, plan: Plan, direct: Upstream) -> Upstream:
    """Return what reads the documents of ``plan`` together with every process like this one.

    They are of the same user, with the same environment, and ask the same backends for the same. Where an adapter says
    that it is ``private``, or where there is no place to meet, ``direct`` is what they read with.
    """
    adapters = [adapter_class(plan.backends[reference.scheme].adapter) for reference in plan.documents]
    remote = [one for one in adapters if not one.local]
    if not remote or any(getattr(one, "private", False) for one in remote):
        return direct
    key = _key(request, plan)
    place = find_place(hashlib.sha256(b"name" + key).hexdigest()[:16])
    here = (os.getpid(), key)
    if place is None or here in _HERE:  # nobody can ask and answer at the same time
        return direct
    made = _HERE[here] = Shared(plan.documents, direct, key, place)
    return made


def _key(request: Request, plan: Plan) -> bytes:
    """Return a secret that whoever may read the same knows: it is made of everything that decides what is read."""
    environ = sorted((name, text) for name, text in request.environ.items() if name not in _PERSONAL)
    backends = [(one.name, one.adapter, sorted(map(repr, one.options.items()))) for one in plan.backends.values()]
    parts = [os.geteuid(), environ, sorted(backends), [repr(tuple(reference)) for reference in plan.documents]]
    return hashlib.sha256(repr(parts).encode(errors="surrogateescape")).digest()
