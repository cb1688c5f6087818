"""What type checkers know of the library. Checked by mypy and by pyright, never run."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal, assert_type

from pydantic import BaseModel, SecretStr
from pydantic_settings import BaseSettings

import confsvc
from confsvc.fields import Host, Like, Port, SecretUrl, Url
from confsvc.testing import MemoryAdapter, MemoryStore, find_leaks, make_canary


class Model(BaseModel):
    """A model."""

    x: int
    PORT: Port = 8080
    url: Url = ""
    secret: SecretUrl
    host: Host | None = None
    level: Annotated[Literal[1, 2], Like("int")] = 1
    ttl: timedelta = timedelta(minutes=5)


class Settings(BaseSettings):
    """A BaseSettings."""

    x: int


@dataclasses.dataclass
class Plain:
    """A dataclass."""

    x: int


async def check() -> None:
    """Every call has the type that its argument says."""
    assert_type(confsvc.load(Model), Model)
    assert_type(confsvc.load(Settings, environment="production").x, int)
    assert_type(await confsvc.aload(Plain, sources=["dotenv://.env"], set={"X": "1"}, timeout=1.0), Plain)
    assert_type(await confsvc.aload(Plain, locked=True), Plain)
    resolution = confsvc.resolve(schema=Model, only=["X"], locked="other.lock")
    assert_type(resolution, confsvc.Resolution)
    value = resolution["X"]
    assert_type(value, confsvc.Value)
    assert_type(value.origin, confsvc.Origin)
    assert_type(value.text, str)
    assert_type(confsvc.Secret(1).reveal(), int)
    assert_type(confsvc.__version__, str)


def fields(settings: Model) -> None:
    """The types of ``confsvc.fields`` are those that a program works with."""
    assert_type(settings.PORT, int)
    assert_type(settings.url, str)
    assert_type(settings.secret, SecretStr)
    assert_type(settings.host, str | None)
    level: Literal[1, 2] = settings.level
    assert_type(level, Literal[1, 2])


async def live() -> None:
    """A watcher is one of its model, and so is all that it gives."""
    live = confsvc.watch(Model, environment="production", interval=5.0, on_rejected=print)
    assert_type(live, confsvc.Live[Model])
    assert_type(live.current, Model)
    assert_type(live.current.PORT, int)
    assert_type(live.refresh().ttl, timedelta)
    assert_type(live.on_change(told, "PORT"), Callable[[], None])
    assert_type(live.retry(lambda: 1, on=OSError), int)
    with live as same, live.refresh_on(OSError):
        assert_type(same.current.x, int)
    async with await confsvc.awatch(Plain, sources=["dotenv://.env"], debounce=1.0) as other:
        assert_type(other.current, Plain)
        assert_type((await other.arefresh()).x, int)
        async for change in other.changes("X"):
            assert_type(change, confsvc.Change[Plain])
            assert_type(change.previous.x, int)
            assert_type(change.names, tuple[str, ...])


def told(change: confsvc.Change[Model]) -> None:
    """What a callback gets."""
    assert_type(change.settings.PORT, int)


def testing(store: MemoryStore) -> None:
    """What tests use has types, too."""
    store.put("shop", {"token": "x"})
    store.fail("shop", confsvc.Denied("no"), times=1)
    assert_type(store.delay, float)
    assert_type(find_leaks(make_canary(), store), list[str])
    assert_type(MemoryAdapter.store, MemoryStore)


def groups(error: confsvc.ResolutionError) -> None:
    """A resolution's error is a group of the library's errors."""
    assert_type(error.problems, tuple[confsvc.Problem, ...])
    try:
        raise error
    except* confsvc.Denied as group:
        assert_type(group, ExceptionGroup[confsvc.Denied])


def refuse(error: confsvc.ConfsvcError) -> tuple[confsvc.Problem, ...]:
    """An error's problems are typed; a wrong argument is a type error."""
    confsvc.load(Model, timeout="30s")  # type: ignore[arg-type]
    confsvc.load("settings:Settings")  # type: ignore[arg-type]
    return assert_type(error.problems, tuple[confsvc.Problem, ...])
