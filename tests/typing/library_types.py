"""What mypy knows of the library. Checked, never run."""

import dataclasses
from typing import assert_type

from pydantic import BaseModel
from pydantic_settings import BaseSettings

import confsvc


class Model(BaseModel):
    """A model."""

    x: int


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
    resolution = confsvc.resolve(schema=Model, only=["X"])
    assert_type(resolution, confsvc.Resolution)
    value = resolution["X"]
    assert_type(value, confsvc.Value)
    assert_type(value.origin, confsvc.Origin)
    assert_type(value.text, str)
    assert_type(confsvc.Secret(1).reveal(), int)
    assert_type(confsvc.__version__, str)


def refuse(error: confsvc.ConfsvcError) -> tuple[confsvc.Problem, ...]:
    """An error's problems are typed; a wrong argument is a type error."""
    confsvc.load(Model, timeout="30s")  # type: ignore[arg-type]
    confsvc.load("settings:Settings")  # type: ignore[arg-type]
    return assert_type(error.problems, tuple[confsvc.Problem, ...])
