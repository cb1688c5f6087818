"""Noticing that settings change: one engine for the command line, for files and for the library."""

from confsvc.watching.events import Changed, Event, Outage, Recovered, Rejected
from confsvc.watching.pace import Pace
from confsvc.watching.upstream import Upstream
from confsvc.watching.watcher import Watcher

__all__ = ["Changed", "Event", "Outage", "Pace", "Recovered", "Rejected", "Upstream", "Watcher"]
