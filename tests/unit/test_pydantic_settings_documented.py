"""What pydantic-settings documents of reading the environment, with models of our own: its source and ours agree.

Each case is read twice: from variables by pydantic-settings alone, and from a `.env` by our source alone.
"""

import enum
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    Field,
    ImportString,
    Json,
    PostgresDsn,
    RedisDsn,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, ForceDecode, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

import confsvc
from confsvc.models import ModelSchema
from confsvc.pydantic_settings import ConfsvcSettingsSource
from confsvc.writers.markdown import markdown


class Mailer(BaseModel):
    """A part of others."""

    host: str = "localhost"
    port: int = 25
    login: "Login | None" = None


class Login(BaseModel):
    """A part of that."""

    user: str
    password: SecretStr = SecretStr("")


class Prefixed(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="shop_")
    name: str
    api_key: SecretStr = Field(validation_alias="KEY_OF_THE_API")
    size: int = 1


class PrefixedAliases(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="shop_", env_prefix_target="all")
    name: str
    api_key: str = Field(validation_alias="KEY")


class OnlyAliases(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="shop_", env_prefix_target="alias")
    name: str
    api_key: str = Field(validation_alias=AliasChoices("KEY", "api"))


class Choices(BaseSettings):
    cache: RedisDsn = Field(RedisDsn("redis://localhost/0"), validation_alias=AliasChoices("CACHE_DSN", "redis_url"))
    database: PostgresDsn
    level: str = Field("info", alias="LogLevel")


class ByNameToo(BaseSettings):
    model_config = SettingsConfigDict(populate_by_name=True, env_prefix="shop_")
    title: str = Field(validation_alias="HEADLINE")


class Nested(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__")
    name: str
    mailer: Mailer


class Renested(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="_", env_prefix="shop_", env_nested_max_split=1)
    mailer: Mailer = Mailer()
    extra: Mailer | None = None


class Partial(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__", nested_model_default_partial_update=True)
    mailer: Mailer = Mailer(host="mail", port=465)


class NotPartial(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__")
    mailer: Mailer = Mailer(host="mail", port=465)


class Case(BaseSettings):
    model_config = SettingsConfigDict(case_sensitive=True, env_nested_delimiter="__")
    Host: str
    port: int = 1
    Post: Mailer = Mailer()


def split(text: object) -> object:
    return text.split(":") if isinstance(text, str) else text


class Complex(BaseSettings):
    numbers: list[int] = []
    tags: set[str] = set()
    limits: dict[str, int] = {}
    rows: list[Mailer] = []
    parts: Annotated[list[str], NoDecode, BeforeValidator(split)] = []
    pair: tuple[int, str] = (0, "")
    document: Json[Any] | None = None
    function: ImportString[Callable[[float], float]] = Field("math.cos", validate_default=True)
    either: int | list[int] = 0


class Decoding(BaseSettings):
    model_config = SettingsConfigDict(enable_decoding=False)
    plain: Annotated[list[str], BeforeValidator(split)] = []
    decoded: Annotated[list[int], ForceDecode] = []


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Values(BaseSettings):
    debug: bool = False
    level: Level = Level.LOW
    mode: Literal["a", "b"] = "a"
    ratio: float = 0.5
    text: str = "text"
    maybe: int | None = None
    secret: SecretStr | None = None


class Inner(BaseSettings):
    """A BaseSettings in another one."""

    depth: int = 1
    name: str = "inner"


class Outer(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__")
    inner: Inner = Inner()
    other: Inner = Field(default_factory=Inner)


CASES: list[tuple[type[BaseSettings], dict[str, str]]] = [
    (Prefixed, {"SHOP_NAME": "n", "KEY_OF_THE_API": "k", "NAME": "wrong", "SHOP_API_KEY": "wrong"}),
    (Prefixed, {"shop_name": "n", "key_of_the_api": "k", "SHOP_SIZE": "7"}),
    (PrefixedAliases, {"SHOP_NAME": "n", "SHOP_KEY": "k", "KEY": "wrong", "NAME": "wrong"}),
    (OnlyAliases, {"NAME": "n", "SHOP_API": "k", "API": "wrong", "SHOP_NAME": "wrong"}),
    (Choices, {"DATABASE": "postgres://u:p@h/d", "CACHE_DSN": "redis://h/1", "redis_url": "redis://h/2"}),
    (Choices, {"DATABASE": "postgres://u:p@a,b/d", "REDIS_URL": "redis://h/2", "LOGLEVEL": "debug", "LEVEL": "wrong"}),
    (ByNameToo, {"HEADLINE": "h"}),
    (ByNameToo, {"SHOP_TITLE": "t"}),
    (Nested, {"NAME": "n", "MAILER": '{"host": "json", "port": 1}'}),
    (Nested, {"NAME": "n", "MAILER": '{"host": "json", "port": 1}', "MAILER__PORT": "2"}),
    (Nested, {"NAME": "n", "MAILER__LOGIN__USER": "u", "MAILER__LOGIN__PASSWORD": "p"}),
    (Nested, {"name": "n", "mailer__host": "h", "mailer__login": '{"user": "u"}', "mailer__login__password": "p"}),
    (Renested, {"SHOP_MAILER_HOST": "h", "SHOP_EXTRA_PORT": "2", "SHOP_EXTRA_LOGIN": '{"user": "u"}'}),
    (Renested, {}),
    (Partial, {"MAILER__HOST": "h"}),
    (Partial, {}),
    (NotPartial, {"MAILER__HOST": "h"}),
    (NotPartial, {}),
    (Case, {"Host": "h", "port": "2", "PORT": "3", "HOST": "wrong", "Post__host": "m", "POST__HOST": "wrong"}),
    (Complex, {"NUMBERS": "[1, 2]", "TAGS": '["a", "a"]', "LIMITS": '{"a": 1}', "ROWS": '[{"host": "h"}]'}),
    (Complex, {"PARTS": "a:b", "PAIR": '[1, "x"]', "DOCUMENT": '{"a": [1, null]}', "FUNCTION": "math.sin"}),
    (Complex, {"EITHER": "[1]", "NUMBERS": "[]"}),
    (Complex, {"EITHER": "7"}),
    (Decoding, {"PLAIN": "a:b", "DECODED": "[1, 2]"}),
    (Values, {"DEBUG": "yes", "LEVEL": "high", "MODE": "b", "RATIO": "1e-3", "TEXT": " as it is ", "MAYBE": "1"}),
    (Values, {"DEBUG": "0", "SECRET": "s", "TEXT": ""}),
    (Outer, {"INNER__DEPTH": "2", "OTHER__NAME": "o"}),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def theirs(model: type[BaseSettings], environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> BaseSettings:
    """Return what pydantic-settings makes of variables."""
    with monkeypatch.context() as context:
        for name, text in environ.items():
            context.setenv(name, text)
        return model()


def ours(model: type[BaseSettings], environ: Mapping[str, str], folder: Path) -> BaseSettings:
    """Return what our source alone makes of the same in a file."""

    class Sourced(model):  # type: ignore[misc, valid-type]
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_others: PydanticBaseSettingsSource, **_named: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (ConfsvcSettingsSource(settings_cls, sources=["dotenv://.env"], override=True),)

    quoted = {name: text.replace("'", "\\'") for name, text in environ.items()}
    (folder / ".env").write_text("".join(f"{name}='{text}'\n" for name, text in quoted.items()))
    made: BaseSettings = Sourced()
    return made


@pytest.mark.parametrize(
    ("model", "environ"), CASES, ids=lambda part: part.__name__ if isinstance(part, type) else " ".join(part)
)
def test_both_get_the_same_values(
    model: type[BaseSettings], environ: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = theirs(model, environ, monkeypatch)
    assert vars(ours(model, environ, folder)) == vars(expected)
    loaded = confsvc.load(model, sources=["dotenv://.env"], override=True)
    assert vars(loaded) == vars(expected)


WRONG: list[tuple[type[BaseSettings], dict[str, str], str]] = [
    (Prefixed, {"SHOP_NAME": "n"}, "KEY_OF_THE_API"),
    (Prefixed, {"SHOP_NAME": "n", "KEY_OF_THE_API": "k", "SHOP_SIZE": "x"}, "SHOP_SIZE"),
    (Nested, {"NAME": "n", "MAILER__LOGIN__PASSWORD": "p"}, "MAILER__LOGIN"),
    (Complex, {"NUMBERS": "[1, x]"}, "NUMBERS"),
    (Complex, {"LIMITS": "a"}, "LIMITS"),
    (Values, {"DEBUG": "maybe"}, "DEBUG"),
    (Values, {"LEVEL": "HIGH"}, "LEVEL"),
    (Values, {"MODE": "c"}, "MODE"),
]


@pytest.mark.parametrize(("model", "environ", "name"), WRONG)
def test_what_one_refuses_the_other_does_too(
    model: type[BaseSettings], environ: dict[str, str], name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"."):
        theirs(model, environ, monkeypatch)
    with pytest.raises((confsvc.ResolutionError, ValidationError)):
        ours(model, environ, folder)
    with pytest.raises(confsvc.ResolutionError, match=name):
        confsvc.load(model, sources=["dotenv://.env"], override=True)


def test_the_table_for_people_has_each_name_once() -> None:
    rows = markdown(ModelSchema(Choices)).splitlines()
    assert rows[2].startswith("| `CACHE_DSN`, `redis_url` |")
    assert rows[3].startswith("| `DATABASE` |")


class BadDefault(BaseSettings):
    size: int = "big"  # type: ignore[assignment]


class Trusted(BaseSettings):
    model_config = SettingsConfigDict(validate_default=False)
    size: int = "big"  # type: ignore[assignment]


def test_a_default_is_validated_where_the_model_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError):
        theirs(BadDefault, {}, monkeypatch)
    with pytest.raises(confsvc.ResolutionError, match="SIZE"):
        ours(BadDefault, {}, folder)
    with pytest.raises(confsvc.ResolutionError, match="SIZE"):
        confsvc.load(BadDefault, sources=["dotenv://.env"])
    assert vars(ours(Trusted, {}, folder)) == vars(theirs(Trusted, {}, monkeypatch)) == {"size": "big"}


def test_a_folder_of_secrets_is_read_the_same(folder: Path) -> None:
    (folder / "secrets").mkdir()
    for name, text in {"shop_name": "n", "key_of_the_api": "k", "SHOP_SIZE": "7"}.items():
        (folder / "secrets" / name).write_text(text)
    make: Any = Prefixed
    expected = make(_secrets_dir="secrets")
    assert vars(confsvc.load(Prefixed, sources=["dir://secrets/"])) == vars(expected)


class Ordered(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__")
    name: str = "default"
    size: int = 0
    mailer: Mailer = Mailer()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return (
            init_settings,
            ConfsvcSettingsSource(settings_cls, sources=["dotenv://.env"], override=True),
            env_settings,
        )


def test_the_order_of_sources_is_the_models_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("SIZE=2\nMAILER__HOST=ours\n")
    for name, text in {"NAME": "env", "SIZE": "3", "MAILER__HOST": "env", "MAILER__PORT": "9"}.items():
        monkeypatch.setenv(name, text)
    made = Ordered()
    assert (made.name, made.size, made.mailer) == ("env", 2, Mailer(host="ours", port=9))
    assert Ordered(size=1, mailer={"login": {"user": "u"}}).mailer == Mailer(host="ours", port=9, login=Login(user="u"))  # type: ignore[arg-type]
