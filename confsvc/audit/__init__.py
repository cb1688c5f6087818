"""The audit trail: one line of JSON for everything that was read or written, with no value in it."""

from confsvc.audit.trail import SWITCH, Entry, Trail, trail_of

__all__ = ["SWITCH", "Entry", "Trail", "trail_of"]
