"""The library: ``load`` a validated model, or ``resolve`` to a mapping with origins."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar, Unpack

from confsvc.calling import ConfsvcWarning, Options, bare, hide, request_for, warn_of
from confsvc.resolution import Resolution
from confsvc.resolver import TIMEOUT, Request, resolve_request

if TYPE_CHECKING:
    from confsvc.models import ModelSchema

__all__ = ["ConfsvcWarning", "aload", "load", "resolve"]

T = TypeVar("T")


def load(  # noqa: PLR0913 - the options of the command line
    model: type[T],
    *,
    environment: str = "",
    file: str = "",
    sources: Iterable[str] = (),
    set: Mapping[str, str] | None = None,  # noqa: A002 - `--set`
    override: bool = False,
    timeout: float = TIMEOUT,
    locked: bool | str = False,
    offline: bool = False,
    cache: bool = True,
) -> T:
    """Resolve and return a validated ``model``: a pydantic model, a BaseSettings, or a dataclass.

    The manifest is ``file``, else CONFSVC_FILE, else searched upward; the environment is ``environment``, else
    CONFSVC_ENV, else the manifest's default. ``sources`` are references, and need no manifest. ``set`` decides single
    settings, ``override`` keeps the process environment out, and ``timeout`` is in seconds, for everything together.
    ``locked`` reads exactly the versions in the ``confsvc.lock`` beside the manifest, or in the lock that it names.
    ``offline`` asks no store, and takes what the cache keeps; without ``cache`` that is left alone.

    Raises:
        ResolutionError: settings are missing or invalid, or could not be read; it names every one.
        ManifestError: the manifest is wrong, or there is none, or it is not the one that was locked.
        UsageError: no environment was chosen, or ``set`` names what the model does not have.

    """
    options = Options(
        environment=environment,
        file=file,
        sources=sources,
        set=set,
        override=override,
        timeout=timeout,
        locked=locked,
        offline=offline,
        cache=cache,
    )
    set = None  # noqa: A001 - what it decides must not be in the variables of a frame that an error passes
    hidden = hide(options)
    return bare(lambda: _load(model, hidden.reveal()))


async def aload(model: type[T], **options: Unpack[Options]) -> T:
    """Do what ``load`` does, in a thread, so that the event loop goes on."""
    from asyncio import to_thread

    hidden = hide(options)
    return await to_thread(lambda: load(model, **hidden.reveal()))


def resolve(  # noqa: PLR0913 - the options of the command line
    *,
    environment: str = "",
    file: str = "",
    sources: Iterable[str] = (),
    schema: type | str | None = None,
    set: Mapping[str, str] | None = None,  # noqa: A002 - `--set`
    only: Iterable[str] = (),
    override: bool = False,
    timeout: float = TIMEOUT,
    locked: bool | str = False,
    offline: bool = False,
    cache: bool = True,
) -> Resolution:
    """Resolve and return an immutable mapping of names to values with origins.

    ``schema`` is a class, or ``package.module:Name``; without it the manifest's own is used. ``only`` names the
    settings wanted. For the other arguments, and what is raised, see ``load``.
    """
    options = Options(
        environment=environment,
        file=file,
        sources=sources,
        set=set,
        override=override,
        timeout=timeout,
        locked=locked,
        offline=offline,
        cache=cache,
    )
    set = None  # noqa: A001 - as in ``load``
    hidden = hide(options)
    return bare(lambda: _resolve(schema, only, hidden.reveal()))


def _load(model: type[T], options: Options) -> T:
    schema = _schema_of(model)
    _unwrap(request_for(schema, options))
    return schema.instance


def _resolve(schema: type | str | None, only: Iterable[str], options: Options) -> Resolution:
    return _unwrap(request_for(_schema_of(schema) if isinstance(schema, type) else schema, options, only=only))


def _schema_of(model: type[T]) -> "ModelSchema[T]":
    from confsvc.models import ModelSchema  # brings pydantic, which a table of settings does without

    return ModelSchema(model)


def _unwrap(request: Request) -> Resolution:
    resolved = resolve_request(request)
    warn_of(resolved.resolution, 6)
    return resolved.unwrap()
