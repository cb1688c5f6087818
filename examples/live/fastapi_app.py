"""FastAPI: the watcher lives as long as the application, and each request gets one set."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from shop_settings import Settings
from sqlalchemy_pool import engine_for, who_am_i

import confsvc


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Begin and end with the application."""
    async with await confsvc.awatch(Settings) as live:
        app.state.live = live
        app.state.engine = engine_for(live)
        yield
        app.state.engine.dispose()


app = FastAPI(lifespan=lifespan)


def current(request: Request) -> Settings:
    """Return the settings as they are now. A dependency is asked once for each request."""
    live: confsvc.Live[Settings] = request.app.state.live
    return live.current


@app.get("/")
def greet(settings: Annotated[Settings, Depends(current)]) -> dict[str, str]:
    """Say hello."""
    return {"greeting": settings.greeting}


@app.get("/user")
def user(request: Request) -> dict[str, str]:
    """Ask the database who we are to it."""
    return {"user": who_am_i(request.app.state.engine)}
