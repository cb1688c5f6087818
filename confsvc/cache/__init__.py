"""The last known good settings: kept encrypted after each good resolution, for when a store does not answer.

They stand in for silence, never against an answer, and as a whole: never half new and half old.
"""

from confsvc.cache.net import Caught, Net, counts, open_net

__all__ = ["Caught", "Net", "counts", "open_net"]
