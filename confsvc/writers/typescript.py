"""The settings as TypeScript sees them in `process.env`: text, all of it, and names that may be missing."""

from json import dumps

from confsvc.schema import UNSET, Schema, Setting
from confsvc.writers.words import described, type_words

__all__ = ["typescript"]


def typescript(schema: Schema) -> str:
    """Write a declaration file: what `confsvc exec` gives a program, and which of it is secret.

    What has a default is always there; what is optional and has none may be missing.
    """
    body = "\n".join(_property(setting) for setting in schema.settings.values())
    secrets = " | ".join(dumps(name) for name, setting in schema.settings.items() if setting.secret) or "never"
    return (
        "// What confsvc has checked before the program starts. Everything is text, as in any environment.\n"
        f"export interface Settings {{\n{body}\n}}\n\n"
        f"export type SecretName = {secrets};\n\n"
        "declare global {\n  namespace NodeJS {\n    interface ProcessEnv extends Settings {}\n  }\n}\n"
    )


def _property(setting: Setting) -> str:
    kind = type_words(setting) + (", secret" if setting.secret else "")
    text = "\n".join([described(setting), kind] if setting.description else [kind]).replace("*/", "* /")
    comment = "".join(f"   * {line}\n" for line in text.splitlines())
    is_there = setting.required or (setting.default is not UNSET and setting.default is not None)
    name = setting.name if setting.name.isascii() and setting.name.isidentifier() else dumps(setting.name)
    return f"  /**\n{comment}   */\n  {name}{'' if is_there else '?'}: {_type(setting)};"


def _type(setting: Setting) -> str:
    choices = setting.constraints.get("choices")
    return " | ".join(dumps(str(choice)) for choice in choices) if isinstance(choices, list) and choices else "string"
