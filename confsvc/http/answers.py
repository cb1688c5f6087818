"""Reading the JSON of answers: whatever is not as it should be is empty, never an exception."""

from collections.abc import Mapping

from confsvc.adapter import parse_json
from confsvc.http.messages import Answer

__all__ = ["number_of", "object_of", "table_of"]


def object_of(answer: Answer) -> Mapping[str, object]:
    """Return the JSON object that is the body of ``answer``, empty if it is none. Numbers keep their text."""
    try:
        text = answer.body.decode()
    except UnicodeDecodeError:
        return {}
    found, _ = parse_json(text)
    return found if isinstance(found, Mapping) else {}


def table_of(found: Mapping[str, object], key: str) -> Mapping[str, object]:
    """Return the object ``found[key]``, empty if it is none."""
    inner = found.get(key)
    return inner if isinstance(inner, Mapping) else {}


def number_of(value: object) -> int:
    """Return a whole number that is not negative; zero for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
