"""``confsvc render --watch``: files that stay fresh, and pages that say so."""

import argparse
import os
import signal
import threading
from collections.abc import Callable

from confsvc import cores
from confsvc.cli import output
from confsvc.cli.options import pace_of, request_of
from confsvc.errors import ConfsvcError
from confsvc.health import Health, parse_address, serve
from confsvc.resolution import Resolution
from confsvc.watching import Changed, Event, Outage, Pace, Recovered, Rejected, Watcher

__all__ = ["keep_fresh"]

_AGAIN = 30.0  # seconds, or the interval if that is shorter, until files that could not be written are tried again
# A step of the watcher may take several reads, each within the timeout.
_READS = 4
_GRACE = 30.0  # seconds


def keep_fresh(args: argparse.Namespace, render: Callable[[Resolution], None]) -> int:
    """Render, then again for every valid change, until a signal ends it.

    Raises:
        ConfsvcError: the first set is not there, not valid, or cannot be written.

    """
    pace = pace_of(args, "watch")
    if args.splay is None:  # nothing restarts, so nobody has to take turns
        pace = pace._replace(splay=0.0)
    request = request_of(args)
    cores.hide()
    health = Health()
    if args.health_address is not None:  # before anything is fetched: a probe may ask while we wait
        url = serve(parse_address("--health-address", args.health_address), health)
        output.inform(f"health at {url}/healthz and {url}/readyz", url=url)
    watcher = Watcher(request, pace)
    _end_with(watcher)
    resolution = watcher.start()
    for warning in resolution.warnings:
        output.warn(warning)
    try:
        render(resolution)
    except ConfsvcError:
        watcher.close()
        raise
    keeper = _Keeper(render, pace)
    health.notes = lambda: {"rejected": watcher.is_rejected or keeper.is_failing, "outage": watcher.is_outage}
    health.is_ready = True
    slowest = _READS * request.timeout + _GRACE
    health.is_alive = lambda: watcher.overdue() < slowest
    what = output.count(len(resolution), "setting")
    output.inform(f"rendered {what} of {resolution.environment or 'the sources'} into `{args.to}`; watching")
    watcher.run(keeper.tell)
    return 0


class _Keeper:
    """Writes what changed, and tries again where that does not work."""

    def __init__(self, render: Callable[[Resolution], None], pace: Pace) -> None:
        self._render = render
        self._again = min(pace.interval, _AGAIN)
        self._lock = threading.Lock()
        self._pending: Changed | None = None
        self._told = ""
        self._is_due = False

    @property
    def is_failing(self) -> bool:
        """Whether there is something that could not be written yet."""
        return bool(self._told)

    def tell(self, event: Event) -> None:
        if isinstance(event, Changed):
            with self._lock:
                self._pending = event
                self._write()
        elif isinstance(event, Rejected):
            output.trouble("the new settings are not valid; the files stay as they are", event.problems)
        elif isinstance(event, Outage):
            output.trouble("the settings cannot be read; the files stay as they are", event.problems)
        elif isinstance(event, Recovered):
            output.inform(f"the settings can be read again, after {event.seconds:.0f} s")

    def _write(self) -> None:
        if self._pending is None:
            return
        failure: ConfsvcError | None = None
        try:
            self._render(self._pending.resolution)
        except ConfsvcError as error:
            failure = error
        if failure is None:
            output.inform(f"{', '.join(self._pending.names)} changed: the files are new", changed=self._pending.names)
            self._pending, self._told = None, ""
            return
        if failure.message != self._told:
            self._told = failure.message
            output.trouble("the new settings cannot be written; the files stay as they are", failure.problems)
        if not self._is_due:
            self._is_due = True
            timer = threading.Timer(self._again, self._write_again)
            timer.daemon = True
            timer.start()

    def _write_again(self) -> None:
        with self._lock:
            self._is_due = False
            self._write()


def _end_with(watcher: Watcher) -> None:
    """Give back what was leased, then end, when a signal says so. The files stay: whoever reads them may go on."""

    def end(number: int, _frame: object) -> None:
        watcher.close()
        os._exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
