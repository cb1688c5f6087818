"""A source for pydantic-settings, for programs that already have a ``BaseSettings``.

class Settings(BaseSettings):
    @classmethod
    def settings_customise_sources(cls, settings_cls, init_settings, **_):
        return init_settings, ConfsvcSettingsSource(settings_cls)
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from confsvc.errors import ResolutionError
from confsvc.finding import make_request
from confsvc.messages import Invalid
from confsvc.models import ModelSchema
from confsvc.resolver import TIMEOUT, resolve_request
from confsvc.setting import UNSET, Setting
from confsvc.types import Raw

__all__ = ["ConfsvcSettingsSource"]


class _Collected:
    """A schema that takes what is there: what is missing or does not fit, pydantic-settings says itself."""

    def __init__(self, schema: ModelSchema[Any]) -> None:
        self._schema = schema
        self.settings: Mapping[str, Setting] = {
            name: setting._replace(required=False, default=UNSET) for name, setting in schema.settings.items()
        }
        self.inputs: dict[str, object] = {}

    def validate(self, raws: Mapping[str, Raw]) -> tuple[dict[str, object], list[Invalid]]:
        self.inputs, problems = self._schema.inputs(raws)
        return dict(raws), problems


class ConfsvcSettingsSource(PydanticBaseSettingsSource):
    """Gives a ``BaseSettings`` what a manifest's environment, or ``sources``, have for its fields.

    Nested models, aliases and ``env_prefix`` are those of the model. The arguments are those of ``confsvc.load``. What
    the process environment has wins, as everywhere in confsvc, unless ``override``.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        *,
        environment: str = "",
        file: str = "",
        sources: Iterable[str] = (),
        override: bool = False,
        timeout: float = TIMEOUT,
    ) -> None:
        super().__init__(settings_cls)
        self._options: dict[str, Any] = {
            "environment": environment,
            "file": file,
            "sources": tuple(sources),
            "override": override,
            "timeout": timeout,
        }

    def __call__(self) -> dict[str, Any]:
        """Resolve, and return the input of the model.

        Raises:
            ResolutionError: something could not be read.

        """
        collected = _Collected(ModelSchema(self.settings_cls))
        resolved = resolve_request(make_request(schema=collected, **self._options))
        if resolved.problems:
            raise ResolutionError("the settings could not be read", resolved.problems)
        return collected.inputs

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: a resolution reads all fields at once."""
        del field
        return None, field_name, False
