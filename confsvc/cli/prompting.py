"""Asking for a value on a terminal, unseen."""

import os
import signal

from confsvc.errors import UsageError

__all__ = ["ask_hidden"]


def ask_hidden(name: str) -> str:
    """Ask for the value of ``name`` twice, without showing it. Ctrl-C ends us, when the terminal shows letters again.

    Raises:
        UsageError: the two are not the same, or there is no terminal to ask on.

    """
    from getpass import getpass

    first, again, is_over = "", "", False
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        first = getpass(f"{name}: ")
        again = getpass(f"{name}, again: ")
    except KeyboardInterrupt:
        is_over = True
    except EOFError:
        first, again = "", "-"
    finally:
        signal.signal(signal.SIGINT, before)
    if is_over:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    if first != again:
        raise UsageError("the two are not the same, so nothing was written")
    return first
