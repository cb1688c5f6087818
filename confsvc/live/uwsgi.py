"""uWSGI: it forks its workers without a word to Python.

A thread that runs in its master may hold what a worker then waits for, for ever. So in the master there is none, and
each worker begins when uWSGI calls it.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from confsvc.live.listeners import log

__all__ = ["forbids_threads"]


def forbids_threads(begin: Callable[[], None]) -> bool:
    """Tell whether no thread may run here: in uWSGI's master before it forks, or where it runs none of Python's.

    In the first case ``begin`` is called in each worker.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    if not hasattr(uwsgi, "worker_id"):  # some other module of this name
        return False
    if not {"enable-threads", "threads"} & uwsgi.opt.keys():
        log.warning("uWSGI runs no threads of Python, so the settings stay as they are: give it `enable-threads`")
        return True
    if uwsgi.masterpid() == 0 or uwsgi.worker_id() != 0:
        return False
    import_module("uwsgidecorators").postfork(begin)  # uWSGI's own, which keeps everybody's functions
    return True
