"""Putting the agent together, and running it until a signal ends it."""

import os
import signal
import threading
from collections.abc import Callable
from typing import NamedTuple

from confsvc import cores
from confsvc.agent.engine import Engine
from confsvc.agent.listening import Listening, listen
from confsvc.agent.log import Log, told
from confsvc.agent.metrics import Metrics
from confsvc.agent.ordering import Order
from confsvc.agent.pages import Pages
from confsvc.agent.peers import Peers
from confsvc.agent.server import Server
from confsvc.agent.tcp import Remote, serve_remotely
from confsvc.health import Address, Health, serve

__all__ = ["Access", "run_agent"]

_FAREWELL = 3.0  # seconds for giving back logins


class Access(NamedTuple):
    """Where the agent is asked, and by whom. ``socket`` may be empty: where clients look by themselves.

    ``health`` is where probes ask over TCP, who cannot ask at a socket.
    """

    socket: str
    peers: Peers
    remote: Remote | None = None
    health: Address | None = None


def run_agent(order: Order, access: Access, log: Log) -> int:
    """Serve what ``order`` says until a signal ends it. Returns the exit status.

    Raises:
        ManifestError, UsageError: what is ordered makes no sense.
        OutputError: nobody can listen there.
        ResolutionError: the first set cannot be had, and trying again will not help.

    """
    cores.forbid()
    cores.hide()
    listening = listen(access.socket, is_wide=access.peers.is_wide)
    try:
        return _run(order, access, listening, log)
    finally:
        listening.close()


def _run(order: Order, access: Access, listening: Listening, log: Log) -> int:
    ringers: list[Server] = []

    def ring() -> None:
        for one in ringers:  # none yet while the engine is being made
            one.wake()

    engine = Engine(order, log, ring)
    metrics = Metrics()
    pages = Pages(engine, metrics, log)
    server = Server(listening.listener, access.peers, pages, metrics, log)
    ringers.append(server)
    signals = _Signals(server.wake)
    if access.health is not None:
        log.info("health", url=serve(access.health, _Probes(pages)))
    if access.remote is not None:
        log.info("listening", url=serve_remotely(access.remote, pages))
    log.info("listening", socket=listening.path, environment=engine.environment, pid=os.getpid())
    worker = threading.Thread(target=engine.run, name="confsvc-agent", daemon=True)
    worker.start()
    notice = _Notice()

    def is_over() -> bool:
        notice.ready(engine)
        if signals.wants_reload():
            engine.reload()
        return signals.is_end or engine.failure is not None

    server.run(is_over)
    notice.tell(b"STOPPING=1")
    engine.stop()
    worker.join(_FAREWELL)
    ringers.clear()
    signals.ignore()
    server.close()
    failure = engine.failure
    if failure is not None and not signals.is_end:
        log.error("cannot go on", problems=told(failure.problems))
        raise failure
    log.info("stopped")
    return 0


class _Signals:
    """Signals that came. Handlers only note them: what they interrupt may hold any lock."""

    _ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._heard: set[int] = set()
        for number in self._ALL:
            signal.signal(number, self._hear)

    @property
    def is_end(self) -> bool:
        """Whether one came that ends us."""
        return bool(self._heard - {signal.SIGHUP})

    def wants_reload(self) -> bool:
        """Whether a SIGHUP came since this was last asked."""
        came = signal.SIGHUP in self._heard
        self._heard.discard(signal.SIGHUP)
        return came

    def ignore(self) -> None:
        """Hear no more of them: we are ending already."""
        for number in self._ALL:
            signal.signal(number, signal.SIG_IGN)

    def _hear(self, number: int, _frame: object) -> None:
        self._heard.add(number)
        self._wake()


class _Probes(Health):
    """The two pages, for who cannot ask at a socket."""

    def __init__(self, pages: Pages) -> None:
        super().__init__()
        self._pages = pages

    def page(self, path: str) -> tuple[int, dict[str, object]] | None:
        return self._pages.health(path) if path in {"/healthz", "/readyz"} else None


class _Notice:
    """What systemd is told, where it wants to know: sd_notify(3)."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._is_ready = False

    def ready(self, engine: Engine) -> None:
        """Tell that the agent is ready, once it is."""
        if not self._is_ready and engine.state.snapshot is not None:
            self._is_ready = True
            self.tell(b"READY=1")

    def tell(self, message: bytes) -> None:
        """Send ``message``. A manager that has gone away does not hear it, and nothing depends on that."""
        import socket

        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as made:
            made.settimeout(1.0)
            try:
                made.sendto(message, address)
            except OSError:
                self._address = ""
