"""Files made by the user's own Jinja2 templates, rendered in a process of its own that can do nothing else.

A template is written by people, and can go round in circles or grow without end: a process can be ended, whatever it
does. What it may call is limited there, see `confsvc.inject.templating`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import NamedTuple

from confsvc._suggest import did_you_mean
from confsvc.errors import OutputError, UsageError
from confsvc.resolution import Resolution, Value

__all__ = ["Template", "read_template", "render_templates"]

_PATIENCE = 5.0  # seconds for all templates together
_STRUCTURED = ("bool", "json", "list", "dict")
_LONGEST = 1 << 20  # characters of a template


class Template(NamedTuple):
    """``place`` is where ``source`` was read from; ``name`` is the file to write."""

    place: str
    source: str
    name: str


def read_template(text: str) -> Template:
    """Read what ``SRC:NAME`` names.

    Raises:
        UsageError: it names nothing, or Jinja2 is not installed.

    """
    place, separator, name = text.rpartition(":")
    if not (separator and place and name) or "/" in name:
        raise UsageError("--template takes SRC:NAME, a file and the name of what it becomes", hint="app.ini.j2:app.ini")
    if not find_spec("jinja2"):
        raise UsageError("templates need Jinja2, which is not installed", hint="pip install 'confsvc[templates]'")
    source = failure = ""
    try:
        with open(place, encoding="utf-8", newline="") as file:
            source = file.read(_LONGEST + 1)
    except OSError as error:
        failure = os.strerror(error.errno or 0).lower()
    except ValueError:
        failure = "it is not UTF-8 text"
    if not failure and len(source) > _LONGEST:
        failure = "it is longer than 1 MiB"
    if failure:
        raise UsageError(f"the template `{place}` cannot be read: {failure}")
    return Template(place, source, name)


def render_templates(templates: Sequence[Template], resolution: Resolution) -> dict[str, bytes]:
    """Return the files by their names.

    Raises:
        OutputError: a template is not one, uses what is not there, takes too long or grows too large.

    """
    if not templates:
        return {}
    settings = {name: _given(value) for name, value in resolution.items()}
    asked = {"templates": [[t.name, t.source] for t in templates], "settings": settings}
    answer = _ask(json.dumps(asked).encode())
    if answer is None:
        raise OutputError(
            "the templates cannot be rendered: they take too long, or grow too large",
            hint=f"they have {_PATIENCE:g} s, and half a gigabyte of memory",
        )
    refused = answer.get("refused")
    if refused:
        place = next(t.place for t in templates if t.name == refused["file"])
        raise _refusal(place, refused, resolution)
    return {name: text.encode(errors="surrogateescape") for name, text in answer["files"].items()}


def _given(value: Value) -> object:
    """Return what a template gets: text as it is stored, but things that one asks or walks through as what they are."""
    if value.kind.partition("[")[0] in _STRUCTURED and isinstance(found := value.reveal(), bool | list | dict):
        return found
    return value.text


def _ask(data: bytes) -> Mapping[str, "dict[str, str]"] | None:
    """Have it rendered. Returns None where that came to no end."""
    command = [sys.executable, "-I", "-m", "confsvc.inject.templating"]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_PATIENCE, env={}, check=False)
    except (subprocess.TimeoutExpired, BrokenPipeError):
        return None
    if done.returncode:
        return None
    found: Mapping[str, dict[str, str]] = json.loads(done.stdout)
    return found


def _refusal(place: str, answer: Mapping[str, object], resolution: Resolution) -> OutputError:
    line = f", line {answer['line']}" if answer["line"] else ""
    name = str(answer["name"])
    message = str(answer["message"]) + (did_you_mean(name, resolution) if name else "")
    return OutputError(f"the template `{place}`{line}: {message}")
