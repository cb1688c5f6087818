"""Masking secret values in what a command prints, across the borders of the pieces that it comes in."""

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

from confsvc._encodings import encodings_of, to_bytes
from confsvc.resolution import Resolution, Value

__all__ = ["MASK", "SHORTEST", "Mask", "Pump", "secrets_of", "too_short"]

MASK = b"***"
SHORTEST = 4  # bytes: what is shorter stands in many places by chance
_LONG_LINE = 8  # bytes from which on a line of a longer value, such as a key's, is masked by itself too
_PIECE = 65_536
_PROBE = 8


class Mask:
    """The needles that are covered. They only become more: what was rotated away may still be printed."""

    def __init__(self) -> None:
        self.needles: tuple[bytes, ...] = ()

    def add(self, values: Iterable[str]) -> None:
        """Cover ``values`` too, in every form they can appear in. Those that are too short are left alone."""
        found = dict.fromkeys(self.needles)
        for value in values:
            if len(to_bytes(value)) >= SHORTEST:
                found.update(dict.fromkeys(n for n in encodings_of(value).values() if len(n) >= SHORTEST))
        self.needles = tuple(sorted(found, key=len, reverse=True))

    def cover(self, data: bytes, *, is_last: bool = False) -> tuple[bytes, bytes]:
        """Return ``data`` masked, and its end that may begin a secret: to stand before what comes next."""
        spans = _merged(span for needle in self.needles for span in _find_all(data, needle))
        cut = len(data)
        if not is_last:
            cut -= max((_overlap(data, needle) for needle in self.needles), default=0)
            cut = next((start for start, end in spans if start < cut < end), cut)
        pieces, position = [], 0
        for start, end in spans:
            if end <= cut:
                pieces += [data[position:start], MASK]
                position = end
        return b"".join((*pieces, data[position:cut])), data[cut:]


class Pump:
    """Passes what comes out of a pipe on to the descriptor ``to``, masked. Give ``entrance`` to the command."""

    def __init__(self, mask: Mask, to: int) -> None:
        self._mask = mask
        self._to = to
        self._exit, self.entrance = os.pipe()
        self._thread = threading.Thread(target=self._pass_on, name=f"confsvc-mask-{to}", daemon=True)
        self._thread.start()

    def close(self, timeout: float) -> None:
        """Pass on what is left. Waits ``timeout`` seconds for those who still hold the pipe."""
        os.close(self.entrance)
        self._thread.join(timeout)

    def _pass_on(self) -> None:
        held = b""
        try:
            while piece := os.read(self._exit, _PIECE):
                masked, held = self._mask.cover(held + piece)
                _write(self._to, masked)
            _write(self._to, self._mask.cover(held, is_last=True)[0])
        except OSError:  # whoever read our output is gone: the command hears so when it writes on
            os.close(self._exit)


def secrets_of(resolution: Resolution) -> Iterator[str]:
    """Yield what must not be seen of ``resolution``: its secrets, and the parts that programs take out of them."""
    for value in resolution.values():
        if value.secret:
            yield value.text
            yield value.data.decode(errors="surrogateescape")
            yield from _lines(value.text)
            yield from _parts(value)


def too_short(resolution: Resolution) -> list[str]:
    """Return the names of secrets that are too short to be masked."""
    return [name for name, value in resolution.items() if value.secret and 0 < len(to_bytes(value.text)) < SHORTEST]


def _lines(text: str) -> list[str]:
    lines = text.splitlines()
    return [line for line in lines if len(line) >= _LONG_LINE] if len(lines) > 1 else []


def _parts(value: Value) -> Iterator[str]:
    if value.kind == "url":
        try:
            password = urlsplit(value.text).password
        except ValueError:  # several hosts: then only the whole is known
            password = None
        yield from (password, unquote(password)) if password else ()
    yield from _leaves(value.reveal())


def _leaves(found: object) -> Iterator[str]:
    if isinstance(found, Mapping):
        for item in found.values():
            yield from _leaves(item)
    elif isinstance(found, list | tuple):
        for item in found:
            yield from _leaves(item)
    elif isinstance(found, str):
        yield found


def _find_all(data: bytes, needle: bytes) -> Iterator[tuple[int, int]]:
    position = data.find(needle)
    while position >= 0:
        yield position, position + len(needle)
        position = data.find(needle, position + 1)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _overlap(data: bytes, needle: bytes) -> int:
    """Return how many bytes at the end of ``data`` are how ``needle`` begins, of which more is to come."""
    start = max(0, len(data) - len(needle) + 1)
    probe = needle[:_PROBE]
    position = data.find(probe, start)
    while position >= 0:
        if needle.startswith(data[position:]):
            return len(data) - position
        position = data.find(probe, position + 1)
    for length in range(min(len(probe) - 1, len(data)), 0, -1):
        if needle.startswith(data[-length:]):
            return length
    return 0


def _write(to: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(to, view) :]
