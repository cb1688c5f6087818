"""A digest of a configuration: another one where something changed, the same one where nothing did.

It holds what may be shown: names, plain values, and for a secret what says which one it is: the reference and version
that were read, and what the manifest makes of them. A digest of a secret itself would let people try what it is; only
with a key, which they do not have, is it made of that.
"""

import hashlib
import hmac
from collections.abc import Iterator
from typing import NamedTuple

from confsvc._json import compact, plain
from confsvc.plan import Plan, Template
from confsvc.resolution import Resolution, Value
from confsvc.schema import UNSET, default_raw
from confsvc.template import Fill

__all__ = ["Fingerprint", "take_fingerprint"]

_FORM = "confsvc fingerprint 1"


class Fingerprint(NamedTuple):
    """``digest`` is hexadecimal. ``unseen`` are the secrets of which a change would not show."""

    digest: str
    unseen: tuple[str, ...]


def take_fingerprint(resolution: Resolution, plan: Plan, key: bytes = b"") -> Fingerprint:
    """Return the fingerprint of ``resolution``, which is what ``plan`` came to; with a ``key``, HMAC-SHA256."""
    work = hmac.new(key, digestmod="sha256") if key else hashlib.sha256()
    work.update(compact([_FORM, bool(key)]).encode())
    unseen = []
    for name in sorted(resolution):
        value = resolution[name]
        work.update(b"\n" + compact([name, *_content(value, plan, is_keyed=bool(key))]).encode(errors="surrogatepass"))
        if value.secret and not key and not _shows(value):
            unseen.append(name)
    return Fingerprint(work.hexdigest(), tuple(unseen))


def _content(value: Value, plan: Plan, *, is_keyed: bool) -> Iterator[object]:
    origin = value.origin
    if origin.lease:  # another one each time it is read, which is no change of the configuration
        yield from ("leased", origin.reference)
    elif is_keyed or not value.secret:
        yield from ("value", value.text)
    else:
        yield from ("secret", origin.layer, origin.reference, origin.version)
        yield from _written(value.name, plan, origin.layer)


def _shows(value: Value) -> bool:
    """Tell whether a change of a secret changes what is digested of it: all that it was read from has versions."""
    origin = value.origin
    if origin.layer in {"set", "environment"}:
        return False
    return bool(origin.lease) or len(origin.reference.split()) == len(origin.version.split())


def _written(name: str, plan: Plan, layer: str) -> Iterator[object]:
    """Yield what the manifest says about a secret, which is none itself."""
    if layer == "values":
        yield [_spelled(template) for template in plan.values.get(name, ())]
    elif layer == "default" and plan.schema and (setting := plan.schema.settings.get(name)):
        yield "" if setting.default is UNSET else plain(default_raw(setting))


def _spelled(template: Template) -> object:
    if not template.parts:
        return plain(template.literal)
    return [_part(part, template) for part in template.parts]


def _part(part: str | Fill, template: Template) -> object:
    if isinstance(part, str):
        return part
    reference = template.references.get(part.target)
    return [str(reference) if reference else part.target, *part.filters]
