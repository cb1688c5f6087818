"""Run as a program: renders Jinja2 templates that come on stdin as JSON, and writes the files to stdout as JSON.

It has limits on time and memory and an empty environment; templates have no loader, so that nothing can be included,
imported or read, and the sandbox keeps them from all but plain values. What goes wrong is told in our own words and by
the line of the template, as Jinja2's own messages can hold a value.
"""

import json
import resource
import sys
from collections.abc import Callable, Mapping
from shlex import quote
from types import TracebackType

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from confsvc._json import compact as compact_json
from confsvc.template import FILTERS

__all__ = ["main", "render"]

_MEMORY = 512 << 20  # bytes
_SECONDS = 5  # of the processor
_GLOBALS = ("range", "dict", "namespace")
_CHANCE = "random"  # a filter: another file each time
_REASONS: Mapping[type[Exception], str] = {
    UndefinedError: "it uses something that is not there",
    SecurityError: "it uses what a template may not",
    MemoryError: "it grows too large",
    RecursionError: "it calls itself without end",
    OverflowError: "a number in it is too large",
    ZeroDivisionError: "it divides by zero",
    TypeError: "a value has another type than it needs: a setting is text, `| int` a number",
}
_NO_LOADER = "a template can include and import nothing"


def main() -> None:
    """Render what stdin asks for."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = json.load(sys.stdin.buffer)
    files = {}
    for name, source in asked["templates"]:
        found = render(source, asked["settings"])
        if isinstance(found, dict):
            json.dump({"refused": {"file": name, **found}}, sys.stdout)
            return
        files[name] = found
    json.dump({"files": files}, sys.stdout)


def render(source: str, settings: Mapping[str, object]) -> str | dict[str, object]:
    """Return the text, or what is wrong: ``message``, ``line``, and the ``name`` that is no setting."""
    environment = _environment(source)
    try:
        return environment.from_string(source).render(settings)
    except TemplateSyntaxError as error:
        # Of the template alone: nothing was rendered yet.
        return {"message": str(error.message), "line": error.lineno, "name": ""}
    except Exception as error:  # noqa: BLE001 - whatever a template does, its text must not be told
        reason = next((text for kind, text in _REASONS.items() if isinstance(error, kind)), "it cannot be rendered")
        line = _line(error.__traceback__)
        if isinstance(error, TypeError) and line in _lines_of_others(environment, source):
            reason = _NO_LOADER
        name = _unknown(environment, source, settings) if isinstance(error, UndefinedError) else ""
    return {
        "message": f"no setting is called `{name}`, or it has no value" if name else reason,
        "line": line,
        "name": name,
    }


def _environment(source: str) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        finalize=_finalize,
        keep_trailing_newline=True,
        newline_sequence="\r\n" if "\r\n" in source else "\n",
        autoescape=False,  # files are not HTML
    )
    made.globals = {name: made.globals[name] for name in _GLOBALS}
    made.filters.pop(_CHANCE)
    # The filters of the manifest, by the names that they have there, and two that files need.
    made.filters |= {name: _of_text(work) for name, work in FILTERS.items()}
    made.filters |= {"tojson": compact_json, "shell": lambda value: quote(str(_finalize(value)))}
    return made


def _of_text(work: Callable[[bytes], bytes]) -> Callable[[object], str]:
    """Return a filter that works on bytes as one that takes what a template has."""

    def filtered(value: object) -> str:
        return work(str(_finalize(value)).encode(errors="surrogateescape")).decode(errors="surrogateescape")

    return filtered


def _finalize(value: object) -> object:
    """Write values as everything else does: booleans as `true` and `false`, lists and objects as JSON."""
    return compact_json(value) if value is None or isinstance(value, bool | list | dict) else value


def _unknown(environment: ImmutableSandboxedEnvironment, source: str, settings: Mapping[str, object]) -> str:
    unknown = meta.find_undeclared_variables(environment.parse(source)) - {*settings, *_GLOBALS}
    return min(unknown, default="")


def _lines_of_others(environment: ImmutableSandboxedEnvironment, source: str) -> set[int]:
    """Return the lines in which another template is asked for."""
    others = (nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)
    return {node.lineno for node in environment.parse(source).find_all(others)}


def _line(trace: TracebackType | None) -> int:
    """Return the last line of the template that was on the way, 0 where there is none."""
    line = 0
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


if __name__ == "__main__":
    main()
