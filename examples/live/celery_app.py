"""Celery: the workers of its prefork pool are forked from a process that watches, and go on by themselves."""

import os

from celery import Celery
from shop_settings import Settings

import confsvc

live = confsvc.watch(Settings)
app = Celery("shop", broker=live.current.broker_url)
app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue"}
app.conf.worker_hijack_root_logger = False


@app.task  # type: ignore[untyped-decorator]
def greet(name: str) -> None:
    """Say hello to somebody, into a file of his name."""
    with open(f"greeted-{name}.txt", "w") as stream:
        stream.write(f"{live.current.greeting} {os.getpid()}")
