"""The source for pydantic-settings: names as in the model, other sources beside it, and no value in our errors."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

import confsvc
from confsvc.pydantic_settings import ConfsvcSettingsSource

CANARY = "canary-4711"


class Database(BaseModel):
    """A nested model."""

    host: str
    port: int = 5432


class Settings(BaseSettings):
    """A BaseSettings with confsvc below what it is called with."""

    model_config = SettingsConfigDict(env_prefix="shop_")
    name: str
    token: SecretStr = SecretStr("")
    db: Database
    level: str = Field("info", validation_alias=AliasChoices("LOG_LEVEL", "LEVEL"))

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_others: Any, **_named: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, ConfsvcSettingsSource(settings_cls, sources=["dotenv://.env"])


MAKE: Any = Settings  # mypy cannot know what the source has


@pytest.fixture(autouse=True)
def dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with a `.env`, and return that."""
    file = tmp_path / ".env"
    file.write_text(f"SHOP_NAME=n\nSHOP_TOKEN={CANARY}\nSHOP_DB__HOST=h\nLEVEL=debug\nNAME=wrong\n")
    monkeypatch.chdir(tmp_path)
    return file


def test_a_settings_class_gets_its_values() -> None:
    made = MAKE()
    assert (made.name, made.db, made.level) == ("n", Database(host="h"), "debug")
    assert made.token.get_secret_value() == CANARY


def test_json_and_parts_make_up_a_nested_model(dotenv: Path) -> None:
    dotenv.write_text('SHOP_NAME=n\nSHOP_DB={"host": "j", "port": 1}\nSHOP_DB__PORT=2\n')
    assert MAKE().db == Database(host="j", port=2)


def test_a_higher_source_wins_part_by_part() -> None:
    made = MAKE(name="init", db={"port": 7})
    assert (made.name, made.db) == ("init", Database(host="h", port=7))


def test_what_is_missing_is_left_to_other_sources(dotenv: Path) -> None:
    dotenv.write_text("SHOP_DB__HOST=h\n")
    assert MAKE(name="init").name == "init"
    with pytest.raises(ValidationError, match="name"):
        MAKE()


def test_what_is_invalid_is_told_without_a_value(dotenv: Path) -> None:
    dotenv.write_text(f"SHOP_NAME=n\nSHOP_DB__HOST=h\nSHOP_DB__PORT={CANARY}\n")
    with pytest.raises(confsvc.ResolutionError) as caught:
        MAKE()
    assert [(p.name, p.message) for p in caught.value.problems] == [("SHOP_DB__PORT", "invalid: is not an integer")]
    assert CANARY not in repr(caught.value)
    assert caught.value.__context__ is None


def test_what_cannot_be_read_is_an_error(dotenv: Path) -> None:
    dotenv.unlink()
    with pytest.raises(confsvc.ResolutionError, match="a source could not be read"):
        MAKE()


def test_the_environment_is_read_by_confsvc_for_declared_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_NAME", "process")
    assert MAKE().name == "process"


def test_load_takes_the_same_class() -> None:
    made = confsvc.load(Settings, sources=["dotenv://.env"])
    assert (made.name, made.db.host) == ("n", "h")


def test_the_source_shows_no_value() -> None:
    source = ConfsvcSettingsSource(Settings, sources=["dotenv://.env"])
    assert set(source()) == {"name", "token", "db", "LOG_LEVEL"}
    assert source.get_field_value(Settings.model_fields["level"], "level") == ("debug", "LOG_LEVEL", False)
    assert CANARY not in repr(source)
