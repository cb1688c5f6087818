"""The manifest's types for models in code: read, checked, and told of in the same words as in a ``[settings]`` table.

    class Settings(BaseModel):
        database_url: SecretUrl
        port: Port = 8080
        level: Annotated[Literal[1, 2, 3], Like("int")] = 1

``confsvc schema --python`` writes them where pydantic's own types differ from the manifest's.
"""

from collections.abc import Callable
from pathlib import PurePath
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Secret as PydanticSecret
from pydantic import SecretBytes, SecretStr
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import chain_schema, no_info_wrap_validator_function

from confsvc.errors import UsageError
from confsvc.types import SettingType, core_schema, parse_type, prepare

__all__ = ["Email", "Host", "Like", "Port", "SecretUrl", "Url"]


class Like:
    """Stands in ``Annotated``: the field is read and checked like the manifest's type ``kind`` with ``constraints``.

    What beside it is a ``SecretStr``, a ``SecretBytes`` or a ``Secret[T]`` is checked, and hidden then. The choices are
    those of a ``Literal``.

    Raises:
        UsageError: ``kind`` is no type of the manifest's, or one that pydantic's own say in full: ``Json``, ``list``,
            ``dict``.

    """

    __slots__ = ("constraints", "type")

    def __init__(self, kind: str, **constraints: object) -> None:
        found, reason = parse_type(kind)
        if found.kind in {"json", "list", "dict"}:
            reason = f"`{kind}` is written with pydantic's own types"
        if reason:
            raise UsageError(reason)
        self.type: SettingType = found
        self.constraints = constraints

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        """Return pydantic's schema for it: first the manifest's, then that of the annotation itself."""
        choices = {"choices": list(get_args(source))} if get_origin(source) is Literal else {}
        inner: Any = core_schema(self.type, {**self.constraints, **choices})
        return chain_schema([no_info_wrap_validator_function(self._read, inner), handler(source)])

    def _read(self, value: Any, check: Callable[[Any], object]) -> object:
        if isinstance(value, SecretStr | SecretBytes | PydanticSecret):
            value = value.get_secret_value()
        found, reason = prepare(self.type, value) if isinstance(value, str | bytes) else (value, "")
        if reason:
            raise PydanticCustomError("like", reason)  # words that hold no value
        return check(str(found) if isinstance(found, PurePath) else found)

    def __repr__(self) -> str:
        limits = "".join(f", {name}={limit!r}" for name, limit in self.constraints.items())
        return f"Like({str(self.type)!r}{limits})"


Url = Annotated[str, Like("url")]  # of one host or of several; the text stays as it was
SecretUrl = Annotated[SecretStr, Like("url")]
Host = Annotated[str, Like("host")]  # a name, or an address of either kind
Email = Annotated[str, Like("email")]
Port = Annotated[int, Like("port")]
