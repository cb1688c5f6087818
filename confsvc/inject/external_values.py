"""What each setting becomes for the External Secrets Operator: what it fetches for it, and the template over that."""

from collections.abc import Mapping

from confsvc import _json
from confsvc.errors import Malformed
from confsvc.external import Remote
from confsvc.inject.external_objects import Entry
from confsvc.inject.external_stores import Stores, property_of
from confsvc.inject.go_template import Part, decoded, field, field_or, filtered
from confsvc.plan import Plan, Template
from confsvc.reference import Reference
from confsvc.schema import UNSET, Setting, default_raw
from confsvc.template import Fill
from confsvc.types import Raw

__all__ = ["Values", "raw_of", "remote_ref"]


class Values:
    """The settings of a plan, one after another. ``fetched`` is by the key that the operator knows it by.

    ``optional`` are those that only a source may have, and need not; ``needs_sources`` says that any may come from one.
    """

    def __init__(self, plan: Plan, stores: Stores) -> None:
        self._plan = plan
        self._stores = stores
        self.fetched: dict[str, Entry] = {}
        self.optional: list[str] = []
        self.needs_sources = False

    def parts(self, name: str) -> list[Part] | None:
        """Return what the setting ``name`` is made of; None where it may be missing.

        Raises:
            Malformed: the operator cannot make it.
            UsageError: something has to be said on the command line.

        """
        setting = self._setting(name)
        if not (name.isascii() and name.isidentifier()):
            raise Malformed("its name has other characters than letters, digits and `_`")
        if self._plan.values.get(name):
            return self._of_template(setting, self._plan.values[name][0])
        if self._plan.sources:
            return self._of_sources(setting)
        if setting.default is not UNSET:
            return [_literal(setting, _json.to_text(default_raw(setting)))]
        if setting.required:
            raise Malformed("no layer has it but the process environment, which is not the operator's")
        return None

    def _setting(self, name: str) -> Setting:
        return self._plan.schema.settings[name] if self._plan.schema else Setting(name)

    def _of_sources(self, setting: Setting) -> list[Part] | None:
        self.needs_sources = True
        if setting.type.kind == "bytes":
            raise Malformed(
                "the operator does not know which fields of a source are base64",
                hint=f'name it in `values`: {setting.name} = "${{…}}"',
            )
        if setting.aliases:
            raise Malformed("the operator knows no further names for a field of a source", hint="name it in `values`")
        if setting.default is not UNSET:
            return [field_or(setting.name, _json.to_text(default_raw(setting)))]
        if setting.required:
            return [field(setting.name)]
        if setting.name not in self.optional:
            self.optional.append(setting.name)
        return None

    def _of_template(self, setting: Setting, template: Template) -> list[Part]:
        if template.is_certain:
            return [_literal(setting, _json.to_text(raw_of(template)))]
        fills = [part for part in template.parts if isinstance(part, Fill)]
        is_whole = template.sole is not None
        if setting.type.kind == "bytes" and not is_whole:
            raise Malformed("the operator can decode base64 only where one reference is the whole value")
        parts: list[Part] = []
        for part in template.parts:
            if isinstance(part, str):
                parts.append(part)
            elif part.is_reference:
                # With a dot in it, a key is no setting's, and no source's field becomes one.
                number = fills.index(part) + 1
                key = setting.name if len(template.parts) == 1 else f"{setting.name}.{number}"
                self._fetch(key, template.references[part.target], setting if is_whole else None)
                parts += filtered([field(key)], part.filters)
            else:
                parts += filtered(self._of_other(part.target), part.filters)
        return parts

    def _of_other(self, name: str) -> list[Part]:
        """Return what another setting, named in a value, is made of."""
        if self._setting(name).type.kind == "bytes":
            raise Malformed(f"it is made of `{name}`, which is `bytes`: the operator has decoded it by then")
        # One that may be missing is an error here where it is, as it is with us.
        return self.parts(name) or self._needed(name)

    def _needed(self, name: str) -> list[Part]:
        if not self._plan.sources:
            raise Malformed(f"it is made of `{name}`, which no layer has")
        if not self._plan.wanted(name):
            self.optional.remove(name)
        return [field(name)]

    def _fetch(self, key: str, reference: Reference, setting: Setting | None) -> None:
        """Have ``reference`` fetched as ``key``; ``setting`` is what it is the whole value of."""
        store, remote = self._stores.find(reference)
        if remote.find is not None:
            raise Malformed("it names many secrets, and a value is one")
        kind = setting.type.kind if setting else "str"
        takes_all = kind == "json" or (setting is not None and self._plan.schema is None)
        if remote.is_mapping and reference.fragment is None and not takes_all:
            raise Malformed("it names a whole secret, which has fields", hint="name one of them: `…#FIELD`")
        found = remote_ref(remote, reference)
        if kind == "bytes":
            found["decodingStrategy"] = "Base64" if remote.is_text or reference.fragment else "Auto"
        self.fetched[key] = Entry(store, {"secretKey": key, "remoteRef": found})


def remote_ref(remote: Remote, reference: Reference) -> dict[str, object]:
    """Return the operator's name for what ``reference`` names.

    Raises:
        Malformed: it has none.

    """
    found: Mapping[str, str] = {"key": remote.key, "property": property_of(reference), "version": remote.version}
    return {name: text for name, text in found.items() if text}


def raw_of(template: Template) -> Raw:
    """Return the value of a template that has no fills."""
    return "".join(map(str, template.parts)) if template.parts else template.literal


def _literal(setting: Setting, text: str) -> Part:
    return decoded("".join(text.split())) if setting.type.kind == "bytes" else text
