"""Processes of one machine that watch the same settings read them once: one asks the backends, the others ask it."""

from confsvc.live.sharing.shared import Shared, share

__all__ = ["Shared", "share"]
