"""Settings that stay right while a program runs."""

from confsvc.live.change import Change
from confsvc.live.live import Live
from confsvc.live.starting import awatch, watch

__all__ = ["Change", "Live", "awatch", "watch"]
