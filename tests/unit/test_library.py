"""The library: load, aload and resolve find the manifest as the command line does, and tell no value."""

import asyncio
import dataclasses
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, model_validator

import confsvc
from confsvc.errors import UnknownEnvironmentError

CANARY = "canary-4711"

MANIFEST = """
project = "shop"
[environments.development]
sources = ["dotenv://.env"]
[environments.production]
sources = ["dotenv://production.env"]
"""


class Settings(BaseModel):
    """What the tests load."""

    name: str
    port: int = 8080
    token: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def check_together(self) -> "Settings":
        if self.port == 666:
            raise ValueError(self.token.get_secret_value())
        return self


@dataclasses.dataclass
class Small:
    """A dataclass with one field of those."""

    name: str


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with a manifest and a `.env`, with nothing in the environment."""
    (tmp_path / "confsvc.toml").write_text(MANIFEST)
    (tmp_path / ".env").write_text(f"NAME=dev\nTOKEN={CANARY}\n")
    (tmp_path / "production.env").write_text("NAME=prod\nPORT=80\n")
    for name in ("NAME", "PORT", "TOKEN", "CONFSVC_ENV", "CONFSVC_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_load_returns_the_class_it_was_given() -> None:
    settings = confsvc.load(Settings, environment="production")
    assert (type(settings), settings.name, settings.port) == (Settings, "prod", 80)
    assert confsvc.load(Small, environment="production") == Small("prod")


def test_aload_does_not_block_the_loop() -> None:
    async def both() -> tuple[Settings, Small]:
        return await asyncio.gather(
            confsvc.aload(Settings, environment="production"), confsvc.aload(Small, environment="development")
        )

    settings, small = asyncio.run(both())
    assert (settings.port, small) == (80, Small("dev"))


def test_the_environment_is_named_by_argument_then_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFSVC_ENV", "production")
    assert confsvc.load(Small).name == "prod"
    assert confsvc.load(Small, environment="development").name == "dev"


def test_which_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(confsvc.UsageError, match="which environment"):
        confsvc.load(Small)
    monkeypatch.setenv("CONFSVC_ENV", "prodction")
    with pytest.raises(UnknownEnvironmentError, match="did you mean `production`"):
        confsvc.load(Small)


def test_the_manifest_is_named_by_argument_then_variable_then_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    (below / "other.toml").write_text('[environments.development.values]\nNAME = "other"\n')
    monkeypatch.chdir(below)
    assert confsvc.load(Small, environment="development").name == "dev"
    monkeypatch.setenv("CONFSVC_FILE", str(below / "other.toml"))
    assert confsvc.load(Small, environment="development").name == "other"
    assert confsvc.load(Small, environment="development", file=str(folder / "confsvc.toml")).name == "dev"


def test_sources_need_no_manifest(folder: Path) -> None:
    (folder / "confsvc.toml").unlink()
    assert confsvc.load(Small, sources=["dotenv://.env"]).name == "dev"


def test_without_manifest_and_sources_the_error_says_what_to_do(folder: Path) -> None:
    (folder / "confsvc.toml").unlink()
    (folder / ".git").mkdir()
    with pytest.raises(confsvc.ManifestError) as caught:
        confsvc.load(Small)
    assert "confsvc init" in caught.value.hint


def test_the_process_environment_wins_unless_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "process")
    assert confsvc.load(Small, environment="production").name == "process"
    assert confsvc.load(Small, environment="production", override=True).name == "prod"
    assert confsvc.load(Small, environment="production", set={"NAME": "set"}).name == "set"


def test_set_names_what_the_model_has() -> None:
    with pytest.raises(confsvc.UsageError, match="did you mean `NAME`"):
        confsvc.load(Small, environment="production", set={"NAM": ""})


def test_one_text_where_several_are_meant_is_told() -> None:
    with pytest.raises(confsvc.UsageError, match="`sources` takes a list"):
        confsvc.load(Small, sources="dotenv://.env")
    with pytest.raises(confsvc.UsageError, match="`only` takes a list"):
        confsvc.resolve(environment="production", only="NAME")


def test_every_problem_at_once(folder: Path) -> None:
    (folder / ".env").write_text(f"PORT={CANARY}\n")
    with pytest.raises(confsvc.ResolutionError) as caught:
        confsvc.load(Settings, environment="development")
    assert [(p.name, p.code) for p in caught.value.problems] == [("NAME", "missing"), ("PORT", "invalid")]
    assert caught.value.exit_status == 65


@pytest.mark.parametrize("line", [f"PORT={CANARY}", "PORT=666", "NAME", "X=1\nX=2\nPORT=-"])
@pytest.mark.filterwarnings("ignore::confsvc.ConfsvcWarning")
def test_no_value_is_in_an_error_or_behind_it(folder: Path, line: str) -> None:
    (folder / ".env").write_text(f"NAME=x\nTOKEN={CANARY}\n{line}\n")
    if line == "NAME":
        (folder / ".env").write_text(f"TOKEN={CANARY}\nNAME\n")
    with pytest.raises(confsvc.ResolutionError) as caught:
        confsvc.load(Settings, environment="development")
    error = caught.value
    assert (error.__cause__, error.__context__) == (None, None)
    shown = repr(error) + str(error) + repr(vars(error)) + "".join(traceback.format_exception(error))
    assert CANARY not in shown


def test_no_variable_of_our_frames_shows_a_value(folder: Path) -> None:
    (folder / ".env").write_text(f"NAME=x\nTOKEN={CANARY}\nPORT=666\n")
    with pytest.raises(confsvc.ResolutionError) as caught:
        confsvc.load(Settings, environment="development")
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert CANARY not in shown


def test_a_rule_across_fields_is_told_last_and_fails(folder: Path) -> None:
    (folder / ".env").write_text("NAME=x\nPORT=666\n")
    with pytest.raises(confsvc.ResolutionError, match="the settings do not fit together for development") as caught:
        confsvc.load(Settings, environment="development")
    assert [(p.name, p.message) for p in caught.value.problems] == [
        ("", "invalid: was refused by the schema's own validator")
    ]


def test_what_is_odd_is_a_warning_without_a_value(folder: Path) -> None:
    (folder / ".env").write_text(f"NAME={CANARY}\nNAME=x\n")
    with pytest.warns(confsvc.ConfsvcWarning, match="line 2 sets `NAME` again") as caught:
        confsvc.load(Small, environment="development")
    assert Path(caught[0].filename) == Path(__file__)
    assert CANARY not in str(caught[0].message)


def test_resolve_maps_names_to_values_with_origins() -> None:
    resolution = confsvc.resolve(environment="production", schema=Settings)
    assert list(resolution) == ["NAME", "PORT", "TOKEN"]
    assert resolution["PORT"].value == 80
    assert str(resolution["PORT"].origin) == "source dotenv://production.env"
    assert resolution["TOKEN"].origin == confsvc.Origin("default")
    assert isinstance(resolution["TOKEN"].value, confsvc.Secret)


def test_resolve_uses_the_manifests_schema(folder: Path) -> None:
    (folder / "library_settings.py").write_text("from pydantic import BaseModel\nclass S(BaseModel):\n    port: int\n")
    (folder / "confsvc.toml").write_text(f'schema = "library_settings:S"\n{MANIFEST}')
    resolution = confsvc.resolve(environment="production")
    assert {name: value.value for name, value in resolution.items()} == {"PORT": 80}


def test_resolve_only_what_is_wanted() -> None:
    resolution = confsvc.resolve(environment="production", schema=Settings, only=["PORT"])
    assert {name: value.value for name, value in resolution.items()} == {"PORT": 80}


def test_only_still_refuses_what_is_invalid(folder: Path) -> None:
    (folder / "production.env").write_text("PORT=x\n")
    with pytest.raises(confsvc.ResolutionError, match="PORT"):
        confsvc.resolve(environment="production", schema=Settings, only=["PORT"])


def test_a_wrong_default_reference_does_not_start() -> None:
    class Bad(BaseModel):
        url: str = "vault://secret/x#y"

    with pytest.raises(confsvc.ResolutionError, match="URL"):
        confsvc.load(Bad, environment="production")


def test_the_public_names_are_sorted_and_all_there() -> None:
    assert confsvc.__all__ == sorted(confsvc.__all__)
    assert dir(confsvc) == confsvc.__all__
    for name in confsvc.__all__:
        assert getattr(confsvc, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'lod'"):
        confsvc.lod  # noqa: B018


def test_importing_confsvc_is_cheap_and_starts_nothing() -> None:
    code = (
        "import sys, threading; before = set(sys.modules); import confsvc; "
        "print(sorted(set(sys.modules) - before), threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['confsvc', 'confsvc._version'] 1\n"


def test_importing_the_library_loads_no_pydantic() -> None:
    code = "import sys, confsvc; confsvc.load, confsvc.resolve; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_load_inside_a_running_event_loop_is_an_ordinary_call() -> None:
    async def main() -> Settings:
        return confsvc.load(Settings, environment="production")

    assert asyncio.run(main()).name == "prod"


class Renamed(BaseModel):
    """A field that has got another name, and still takes the old one."""

    service: str = Field(validation_alias=AliasChoices("SERVICE", "NAME"))


class Moved(BaseModel):
    """The same without the old one."""

    service: str


def test_a_setting_that_was_renamed_keeps_its_old_name_as_an_alias() -> None:
    assert confsvc.load(Renamed, environment="production").service == "prod"
    with pytest.raises(confsvc.ResolutionError, match=r"SERVICE \(missing\)"):
        confsvc.load(Moved, environment="production")


class Contradictory(BaseModel):
    """A default that its own type refuses."""

    model_config = ConfigDict(validate_default=True)

    port: int = Field("http", ge=1)  # type: ignore[assignment]


class Unvalidated(BaseModel):
    """The same, where pydantic would not look."""

    port: int = Field("http", ge=1)  # type: ignore[assignment]


@pytest.mark.parametrize("model", [Contradictory, Unvalidated])
def test_a_default_that_fails_its_own_validation_is_told(model: type) -> None:
    with pytest.raises(confsvc.ResolutionError) as caught:
        confsvc.load(model, environment="development")
    assert [(problem.name, problem.code) for problem in caught.value.problems] == [("PORT", "invalid")]
