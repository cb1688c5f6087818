"""Finding an adapter by name, and importing it only then."""

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from confsvc._suggest import did_you_mean
from confsvc.errors import ManifestError

if TYPE_CHECKING:
    from confsvc.adapter import Adapter

__all__ = ["GROUP", "adapter_class", "known_adapters", "register", "unregister"]

GROUP = "confsvc.adapters"

# The adapters that ship with confsvc. Asking importlib.metadata for entry points costs more than a whole start, so the
# ones we know are not asked for; a test holds this table against the entry points in pyproject.toml.
BUILTIN = {
    "aws-sm": "confsvc_aws.adapter:SecretsManagerAdapter",
    "aws-ssm": "confsvc_aws.adapter:ParameterStoreAdapter",
    "bao": "confsvc_vault.adapter:VaultAdapter",
    "dir": "confsvc_local.directory:DirectoryAdapter",
    "dotenv": "confsvc_local.dotenv:DotenvAdapter",
    "env": "confsvc_local.environment:EnvironmentAdapter",
    "file": "confsvc_local.file:FileAdapter",
    "gcp-sm": "confsvc_gcp.adapter:SecretManagerAdapter",
    "vault": "confsvc_vault.adapter:VaultAdapter",
}

_registered: dict[str, type["Adapter"]] = {}


def register(name: str, adapter: type["Adapter"]) -> None:
    """Make ``adapter`` available as ``name`` in this process, above installed ones. For tests."""
    _registered[name] = adapter


def unregister(name: str) -> None:
    """Undo ``register``."""
    _registered.pop(name, None)


def is_registered(name: str) -> bool:
    """Tell whether ``name`` was registered in this process."""
    return name in _registered


def known_adapters() -> list[str]:
    """Return the names of all adapters that can be found here, sorted; imports none of them."""
    return sorted({*BUILTIN, *_registered, *(name for name, _, _ in _installed())})


def adapter_class(name: str) -> type["Adapter"]:
    """Return the class of the adapter ``name``.

    Raises:
        ManifestError: there is none, it cannot be imported, or two distributions claim the name.

    """
    if name in _registered:
        return _registered[name]
    target = BUILTIN.get(name) or _target_of(name)
    module, _, attribute = target.partition(":")
    adapter: type[Adapter] | None = None
    reason = ""
    try:
        adapter = getattr(import_module(module), attribute)
    except ImportError as error:
        reason = f"there is no module `{error.name}`" if isinstance(error, ModuleNotFoundError) else "its import fails"
    except AttributeError:
        reason = f"`{module}` has no `{attribute}`"
    if adapter is None:
        raise ManifestError(f"the adapter `{name}` cannot be used: {reason}", hint="install its distribution anew")
    return adapter


def is_known(name: str) -> bool:
    """Tell whether ``name`` is an adapter's name, without importing it."""
    return name in BUILTIN or name in _registered or any(name == n for n, _, _ in _installed())


def _target_of(name: str) -> str:
    claims = [(target, owner) for found, target, owner in _installed() if found == name]
    if len({target for target, _ in claims}) > 1:
        owners = " and ".join(sorted(f"`{owner}`" for _, owner in claims))
        raise ManifestError(f"the adapter `{name}` is claimed by {owners}", hint="uninstall one of them")
    if claims:
        return claims[0][0]
    near = did_you_mean(name, known_adapters())
    raise ManifestError(f"no adapter is called `{name}`{near}", hint="known adapters: " + ", ".join(known_adapters()))


def _installed() -> Iterable[tuple[str, str, str]]:
    """Yield (name, target, distribution) of every installed adapter."""
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        if point.name not in BUILTIN:
            yield point.name, point.value, point.dist.name if point.dist else sys.executable
