"""A confsvc with one bug, to show that an oracle finds it: ``python seeded.py BUG ARGUMENTS…``."""

import base64
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import confsvc.cli.exec as exec_command
import confsvc.cli.render as render_command
from confsvc import adapter, cli, errors
from confsvc.assembly import Resolved
from confsvc.cli import output
from confsvc.http import exchange
from confsvc.inject.process import become

__all__ = ["BUGS"]


def starts_anyway() -> None:
    """Start with what there is."""
    Resolved.unwrap = lambda self: self.resolution  # type: ignore[method-assign]


def mixes() -> None:
    """Give one setting the value of another."""
    before_start(lambda environ: dict(zip(environ, [*list(environ.values())[1:], ""], strict=True)))


def is_late() -> None:
    """Forget the deadline."""
    kind: Any = adapter.Deadline
    original = kind.__init__

    def init(self: Any, seconds: float, **more: Any) -> None:
        original(self, seconds + 5.0, **more)
        self.seconds = seconds

    kind.__init__ = init


def prints() -> None:
    """Print every value in base64, behind something else."""

    def tell(environ: Mapping[str, str]) -> Mapping[str, str]:
        for text in environ.values():
            print(base64.b64encode(b"x" + text.encode()).decode())
        return environ

    before_start(tell)


def calls() -> None:
    """Show a value in the command line of a child."""

    def call(environ: Mapping[str, str]) -> Mapping[str, str]:
        for text in environ.values():
            subprocess.run(["sh", "-c", "sleep 1; true", text], check=True)
        return environ

    before_start(call)


def keeps_a_copy() -> None:
    """Leave a temporary file with every value in it."""

    def keep(environ: Mapping[str, str]) -> Mapping[str, str]:
        descriptor, _ = tempfile.mkstemp()
        os.write(descriptor, repr(environ).encode())
        os.close(descriptor)
        return environ

    before_start(keep)


def overwrites() -> None:
    """Empty what was rendered before, before there is anything new."""
    module: Any = render_command
    original = module.resolve

    def resolve(request: Any) -> Any:
        for path in Path("out").glob("[A-Z]*"):
            path.chmod(0o600)
            path.write_bytes(b"")
        return original(request)

    module.resolve = resolve


def traces() -> None:
    """Die with a traceback."""

    def report(error: errors.ConfsvcError) -> None:
        raise error

    output.report = report


def chatters() -> None:
    """Say every problem again and again."""
    original = output.report

    def report(error: errors.ConfsvcError) -> None:
        for _ in range(4):
            original(error)

    output.report = report


def exits() -> None:
    """Leave with a status that says nothing."""
    errors.Unavailable.exit_status = 1


def insists() -> None:
    """Ask again and again, without a pause."""
    kind: Any = exchange.Exchange
    kind.is_last_try = property(lambda self: self.attempts >= 60)
    kind.pause = lambda _: 0.0


def leaves_a_child() -> None:
    """Leave a process behind."""

    def leave(environ: Mapping[str, str]) -> Mapping[str, str]:
        subprocess.Popen(["sleep", "10"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return environ

    before_start(leave)


def leaves_a_file_open() -> None:
    """Give the command a descriptor of ours."""

    def leave(environ: Mapping[str, str]) -> Mapping[str, str]:
        os.set_inheritable(os.open("/", os.O_RDONLY), True)
        return environ

    before_start(leave)


def leaves_a_token() -> None:
    """Do not give the login back."""
    from confsvc_vault.session import Session

    Session.close = lambda *_: None  # type: ignore[method-assign]


def before_start(change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
    """Have ``change`` called with the settings just before the command is started, which gets what it returns."""

    def bad_become(file: str, arguments: Any, environ: Mapping[str, str]) -> Any:
        settings = {name: text for name, text in environ.items() if name.startswith("SETTING_")}
        become(file, arguments, {**environ, **change(settings)})

    module: Any = exec_command
    module.become = bad_become


BUGS: Mapping[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (
        starts_anyway, mixes, is_late, prints, calls, keeps_a_copy, overwrites, traces, chatters, exits, insists,
        leaves_a_child, leaves_a_file_open, leaves_a_token,
    )
}  # fmt: skip

if __name__ == "__main__":
    BUGS[sys.argv[1]]()
    sys.exit(cli.run(sys.argv[2:]))
