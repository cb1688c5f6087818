"""A `.env.example`: every setting with what it means, and no secret."""

from collections.abc import Iterator

from confsvc.schema import Schema, Setting
from confsvc.writers.words import default_text, described, is_needed, type_words

__all__ = ["env_example"]

_PLAIN = frozenset("_-./:@%+,")


def env_example(schema: Schema) -> str:
    """Write one assignment for each setting, as python-dotenv reads it.

    Those that may be left out are commented out, with their default; secrets and required ones have no value.
    """
    return "\n".join("\n".join(_lines(setting)) + "\n" for setting in schema.settings.values())


def _lines(setting: Setting) -> Iterator[str]:
    for line in described(setting).splitlines():
        yield f"# {line}"
    words = [type_words(setting), "secret" if setting.secret else "", "" if is_needed(setting) else "optional"]
    yield f"# {', '.join(word for word in words if word)}"
    yield f"{'' if is_needed(setting) else '#'}{setting.name}={_quoted(default_text(setting))}"


def _quoted(text: str) -> str:
    """Leave alone what every parser takes as it is; single quotes expand nothing."""
    if all(char.isascii() and (char.isalnum() or char in _PLAIN) for char in text):
        return text
    one_line = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{one_line}'"
