"""What can happen to bytes on their way: a toxic lets those of one direction through, late, in part or not at all."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["After", "Bandwidth", "Latency", "LimitData", "Link", "ResetPeer", "Slicer", "SlowClose", "Timeout", "Toxic"]


class Link(Protocol):
    """One direction of one connection: how many bytes have left it, and how to end the connection."""

    passed: int

    async def until_changed(self, seconds: float | None) -> bool:
        """Wait until the toxics of the proxy are others, for ``seconds`` at most. Returns whether they are."""
        ...

    def close(self) -> None:
        """Close the connection on both sides."""
        ...

    def reset(self) -> None:
        """Close the connection on both sides with a TCP reset."""
        ...


@dataclass(frozen=True)
class Toxic:
    """Lets everything through. ``side`` is ``down`` (to the client) or ``up`` (to the server)."""

    side: str = field(default="down", kw_only=True)

    async def pieces(self, link: Link, piece: bytes) -> AsyncIterator[bytes]:
        """Yield what becomes of ``piece``."""
        del link
        yield piece

    async def closing(self, link: Link) -> None:
        """Act before a close is passed on."""


@dataclass(frozen=True)
class Latency(Toxic):
    """Everything comes ``seconds`` late, give or take ``jitter``."""

    seconds: float
    jitter: float = 0.0

    async def pieces(self, link: Link, piece: bytes) -> AsyncIterator[bytes]:
        """Yield ``piece`` late."""
        del link
        await asyncio.sleep(max(0.0, self.seconds + random.uniform(-self.jitter, self.jitter)))  # noqa: S311
        yield piece


@dataclass(frozen=True)
class Bandwidth(Toxic):
    """No more than ``rate`` bytes a second."""

    rate: float

    async def pieces(self, link: Link, piece: bytes) -> AsyncIterator[bytes]:
        """Yield ``piece`` in parts, ten a second."""
        del link
        size = max(1, int(self.rate / 10))
        for start in range(0, len(piece), size):
            part = piece[start : start + size]
            await asyncio.sleep(len(part) / self.rate)
            yield part


@dataclass(frozen=True)
class Slicer(Toxic):
    """Parts of ``size`` bytes, give or take ``variation``, with ``pause`` seconds between them."""

    size: int
    variation: int = 0
    pause: float = 0.0

    async def pieces(self, link: Link, piece: bytes) -> AsyncIterator[bytes]:
        """Yield ``piece`` in slices."""
        del link
        start = 0
        while start < len(piece):
            size = max(1, self.size + random.randint(-self.variation, self.variation))  # noqa: S311
            yield piece[start : start + size]
            start += size
            await asyncio.sleep(self.pause)


@dataclass(frozen=True)
class After(Toxic):
    """Lets ``count`` bytes of a connection through, before `end`."""

    count: int = field(default=0, kw_only=True)

    async def pieces(self, link: Link, piece: bytes) -> AsyncIterator[bytes]:
        """Yield what still may pass, and the rest if the proxy changes in time."""
        left = max(0, self.count - link.passed)
        if left:
            yield piece[:left]
        if len(piece) > left and await self.end(link):
            yield piece[left:]

    async def end(self, link: Link) -> bool:
        """Act. Returns whether the rest may pass after all, as other toxics hold by now."""
        raise NotImplementedError


@dataclass(frozen=True)
class LimitData(After):
    """The connection is closed."""

    async def end(self, link: Link) -> bool:
        """Close."""
        link.close()
        return False


@dataclass(frozen=True)
class Timeout(After):
    """Nothing passes any more, a close neither; ``seconds`` later the connection is closed, None for never."""

    seconds: float | None = None

    async def end(self, link: Link) -> bool:
        """Wait."""
        if await link.until_changed(self.seconds):
            return True
        link.close()
        return False

    async def closing(self, link: Link) -> None:
        """Wait, too."""
        await link.until_changed(self.seconds)


@dataclass(frozen=True)
class ResetPeer(After):
    """The connection is reset, ``seconds`` later."""

    seconds: float = 0.0

    async def end(self, link: Link) -> bool:
        """Reset."""
        if await link.until_changed(self.seconds):
            return True
        link.reset()
        return False


@dataclass(frozen=True)
class SlowClose(Toxic):
    """The close comes ``seconds`` late."""

    seconds: float

    async def closing(self, link: Link) -> None:
        """Wait."""
        await link.until_changed(self.seconds)
