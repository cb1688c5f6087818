"""Flask: one watcher for the module. `gunicorn --preload` forks workers from it, and each goes on by itself."""

import os

from flask import Flask
from shop_settings import Settings

import confsvc

live = confsvc.watch(Settings)
app = Flask(__name__)


@app.get("/")
def greet() -> dict[str, str | int]:
    """Say hello."""
    return {"greeting": live.current.greeting, "pid": os.getpid()}
