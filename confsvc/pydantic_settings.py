"""A source for pydantic-settings, for those who have a ``BaseSettings`` and want to keep making it themselves.

    class Settings(BaseSettings):
        @classmethod
        def settings_customise_sources(cls, settings_cls, init_settings, **_sources):
            return init_settings, ConfsvcSettingsSource(settings_cls)

Names are as in ``confsvc.load``: aliases, ``env_prefix`` and ``env_nested_delimiter`` are kept. What no layer has is
left to the other sources. Where all of them together do not add up, it is pydantic that says so, in words that hold the
input: set ``hide_input_in_errors`` in the model's configuration, or use ``confsvc.load``, whose errors hold no value.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from confsvc.assembly import Resolved
from confsvc.calling import Options, bare, hide, request_for
from confsvc.models import ModelSchema
from confsvc.resolver import TIMEOUT, resolve_request
from confsvc.secret import Secret

__all__ = ["ConfsvcSettingsSource"]


class ConfsvcSettingsSource(PydanticBaseSettingsSource):
    """What confsvc resolves for a ``BaseSettings``. The arguments are those of ``confsvc.load``.

    Raises:
        ManifestError: the manifest is wrong, or there is none; or a field cannot be a setting.
        ResolutionError: when called; a value is invalid or could not be read. A missing one is left to other sources.

    """

    def __init__(  # noqa: PLR0913 - the options of ``load``
        self,
        settings_cls: type[BaseSettings],
        *,
        environment: str = "",
        file: str = "",
        sources: Iterable[str] = (),
        set: Mapping[str, str] | None = None,  # noqa: A002 - as in ``load``
        override: bool = False,
        timeout: float = TIMEOUT,
        locked: bool | str = False,
        offline: bool = False,
        cache: bool = True,
    ) -> None:
        super().__init__(settings_cls)
        self._schema = ModelSchema(settings_cls)
        self._options = hide(
            Options(
                environment=environment,
                file=file,
                sources=list(sources),
                set=set,
                override=override,
                timeout=timeout,
                locked=locked,
                offline=offline,
                cache=cache,
            )
        )
        set = None  # noqa: A001 - as in ``load``
        self._found: Secret[Mapping[str, object]] | None = None

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return a field's value, the key the model takes it under, and that it is parsed already."""
        del field
        key = next((node.field.key for node in self._schema.nodes if node.field.attribute == field_name), field_name)
        return self().get(key), key, False

    def __call__(self) -> dict[str, Any]:
        """Return what was found, by the keys the model takes."""
        if self._found is None:
            bare(self._resolve)
            self._found = self._schema.inputs
        return dict(self._found.reveal())

    def _resolve(self) -> None:
        _check(resolve_request(request_for(self._schema, self._options.reveal())))

    def __repr__(self) -> str:
        return f"ConfsvcSettingsSource({self.settings_cls.__name__})"


def _check(resolved: Resolved) -> None:
    """Raise what is wrong, but for what another source may still have."""
    serious = tuple(p for p in resolved.problems if p.code != "missing" and (p.name or p.reference))
    resolved._replace(problems=serious).unwrap()
