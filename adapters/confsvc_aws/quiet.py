"""botocore's own log, which holds what servers said, kept out of the program's while we ask it."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet"]

# By name, as a filter counts for one logger only. The parsers' debug log has whole answers, credentials included.
_NAMES = "auth client credentials endpoint hooks httpsession parsers regions retryhandler session tokens utils".split()


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what this thread makes botocore log; other threads' records, which are the program's own, stay."""
    thread = threading.get_ident()

    def is_others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    loggers = [logging.getLogger(f"botocore.{name}") for name in _NAMES]
    for logger in loggers:
        logger.addFilter(is_others)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_others)
