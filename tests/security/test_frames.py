"""A crash reporter that captures variables finds no value in any frame, whatever call of the library fails, and how."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

import confsvc
from confsvc.pydantic_settings import ConfsvcSettingsSource
from confsvc.testing import MemoryStore, find_leaks, make_canary
from frames import captured

CANARY = make_canary()

WRITTEN = CANARY.replace('"', "").replace("'", "")  # as far as TOML takes it between quotes

MANIFEST = """
default_environment = "app"
[environments.app]
sources = ["memory://shop"]
"""


class Settings(BaseModel):
    """What says no with the value in its words."""

    token: SecretStr
    port: int = 1
    name: str = ""

    @field_validator("token")
    @classmethod
    def is_good(cls, value: SecretStr) -> SecretStr:
        if "bad" in value.get_secret_value():
            raise ValueError(f"no good: {value.get_secret_value()}")
        return value

    @model_validator(mode="after")
    def fits(self) -> "Settings":
        if self.name:
            raise RuntimeError(self.token.get_secret_value() + self.name)
        return self


class Base(BaseSettings):
    """The same fields, made by pydantic-settings."""

    token: SecretStr
    port: int = 1

    @field_validator("token")
    @classmethod
    def is_good(cls, value: SecretStr) -> SecretStr:
        if "bad" in value.get_secret_value():
            raise ValueError(f"no good: {value.get_secret_value()}")
        return value

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_others: Any, **_named: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, ConfsvcSettingsSource(settings_cls)


def aload(**options: Any) -> object:
    return asyncio.run(confsvc.aload(Settings, **options))


def awatch(**options: Any) -> object:
    return asyncio.run(confsvc.awatch(Settings, **options))


def resolve(**options: Any) -> object:
    return confsvc.resolve(schema=Settings, **options)


CALLS: dict[str, Callable[..., object]] = {
    "load": lambda **options: confsvc.load(Settings, **options),
    "aload": aload,
    "watch": lambda **options: confsvc.watch(Settings, **options),
    "awatch": awatch,
    "resolve": resolve,
}

# What the store has, and how the call is made.
FAILURES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "invalid": ({"TOKEN": CANARY, "PORT": CANARY}, {}),
    "a validator": ({"TOKEN": f"bad{CANARY}"}, {}),
    "a rule across fields": ({"TOKEN": CANARY, "NAME": CANARY}, {}),
    "missing": ({"PORT": "1", "NAME": CANARY, "OTHER": CANARY}, {}),
    "decided in the call": ({}, {"set": {"TOKEN": f"bad{CANARY}"}}),
    "no such environment": ({"TOKEN": CANARY}, {"environment": "nope"}),
    "no such setting": ({"TOKEN": CANARY}, {"set": {"NOPE": CANARY}}),
    "no manifest": ({"TOKEN": CANARY}, {"file": "nowhere.toml"}),
    "a wrong manifest": ({"TOKEN": CANARY}, {"file": "wrong.toml"}),
    "both": ({"TOKEN": CANARY}, {"file": "confsvc.toml", "sources": ["memory://shop"]}),
}


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confsvc_memory: MemoryStore) -> MemoryStore:
    """A store, a manifest that reads it, and an environment with a value in it that is nobody's business."""
    (tmp_path / "confsvc.toml").write_text(MANIFEST)
    (tmp_path / "wrong.toml").write_text(
        f"# {CANARY}\n[environments.app]\nvalues = {{ X = '{CANARY}' }}\nsorces = []\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOMETHING_ELSE", CANARY)
    return confsvc_memory


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("call", CALLS)
def test_no_frame_shows_a_value(call: str, failure: str, store: MemoryStore) -> None:
    fields, options = FAILURES[failure]
    store.put("shop", fields)
    with pytest.raises(confsvc.ConfsvcError) as caught:
        CALLS[call](**options)
    shown = captured(caught.value, but=__file__)
    assert f"{call}." in shown
    assert find_leaks(CANARY, shown) == []


@pytest.mark.parametrize("fields", [{"TOKEN": CANARY, "PORT": CANARY}, {"TOKEN": f"bad{CANARY}"}])
def test_nor_does_the_source_of_pydantic_settings(fields: dict[str, str], store: MemoryStore) -> None:
    store.put("shop", fields)
    make: Any = Base
    with pytest.raises(confsvc.ResolutionError) as caught:
        make()
    assert find_leaks(CANARY, captured(caught.value, but=__file__), caught.value) == []


def test_the_control_finds_what_is_there() -> None:
    def fail(holder: object) -> None:
        raise ValueError(type(holder).__name__)

    class Holder:
        def __init__(self) -> None:
            self.inside = {"key": [CANARY]}

    with pytest.raises(ValueError, match="Holder") as caught:
        fail(Holder())
    assert find_leaks(CANARY, captured(caught.value, but=os.devnull))
    assert find_leaks(CANARY, captured(caught.value, but=__file__)) == []
