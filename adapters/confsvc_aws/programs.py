"""Programs of a profile that give out credentials (``credential_process``): not waited for beyond the deadline."""

import subprocess
import threading
from typing import Any

from confsvc.adapter import Deadline

__all__ = ["Programs"]

_EARLIER = 0.1  # seconds before the deadline, so that there is time to say so


class Programs:
    """Starts them. ``is_late`` says that one was killed, as it was not done by the deadline."""

    def __init__(self) -> None:
        self._deadline: Deadline | None = None
        self.is_late = False

    def until(self, deadline: Deadline | None) -> None:
        """Have ``deadline`` hold for those that are started from now on."""
        self._deadline, self.is_late = deadline, False

    def start(self, *args: Any, **options: Any) -> "subprocess.Popen[bytes]":
        """Do what ``subprocess.Popen`` does."""
        process: subprocess.Popen[bytes] = subprocess.Popen(*args, **options)
        if self._deadline:
            seconds = min(max(0.0, self._deadline.remaining() - _EARLIER), threading.TIMEOUT_MAX)
            timer = threading.Timer(seconds, self._end, (process,))
            timer.daemon = True
            timer.start()
        return process

    def use_in(self, session: Any, library: Any) -> None:
        """Have botocore's ``session`` start them here; ``library`` is ``botocore.credentials``."""
        resolver = session.get_component("credential_provider")
        name = library.ProcessProvider.METHOD
        profile = session.get_config_variable("profile") or "default"
        ours = library.ProcessProvider(profile, lambda: session.full_config, popen=self.start)
        resolver.insert_before(name, ours)
        for other in [one for one in resolver.providers if name == one.METHOD and one is not ours]:
            resolver.providers.remove(other)

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        if process.poll() is None:
            self.is_late = True
            process.kill()
