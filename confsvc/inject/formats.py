"""A resolution as text, in the formats that other tools read. Each one gives back every byte, or refuses by name."""

import re
from collections.abc import Callable, Iterator, Mapping

from confsvc.dotenv_text import quoted
from confsvc.errors import OutputError
from confsvc.inject.yaml_text import scalar
from confsvc.resolution import Resolution, Value

__all__ = ["FORMATS", "github_commands", "github_environment", "is_utf8", "refusal"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What Docker's line scanner holds at most: https://pkg.go.dev/bufio#MaxScanTokenSize, less the line feed.
_DOCKER_LINE = 64 * 1024 - 1


def dotenv(resolution: Resolution) -> str:
    """Write assignments that python-dotenv reads back exactly, interpolation included."""
    return "".join(f"{_name(v, 'dotenv')}={quoted(_utf8(v, 'dotenv'))}\n" for v in resolution.values())


def shell(resolution: Resolution) -> str:
    """Write `export` lines for any POSIX shell."""
    quoted = ((_name(v, "shell"), _without_nul(v, "shell").replace("'", "'\\''")) for v in resolution.values())
    return "".join(f"export {name}='{text}'\n" for name, text in quoted)


def docker(resolution: Resolution) -> str:
    """Write the lines of `docker run --env-file`, which has no quotes: a value is what stands behind the `=`."""
    return "".join(f"{_name(v, 'docker')}={_one_line(v)}\n" for v in resolution.values())


def _one_line(value: Value) -> str:
    text = _utf8(value, "docker")
    if "\n" in text or "\r" in text:
        raise refusal(value, "docker", "it has more than one line")
    if len(f"{value.name}={text}".encode()) > _DOCKER_LINE:
        raise refusal(value, "docker", f"`{value.name}=…` is longer than {_DOCKER_LINE} bytes")
    return text


def json(resolution: Resolution) -> str:
    """Write one JSON object of names and texts."""
    from json import dumps

    return dumps({v.name: _utf8(v, "json") for v in resolution.values()}, indent=2, ensure_ascii=False) + "\n"


def yaml(resolution: Resolution) -> str:
    """Write one YAML mapping of names and texts."""
    if not resolution:
        return "{}\n"
    return "".join(f"{scalar(v.name)}: {scalar(_utf8(v, 'yaml'))}\n" for v in resolution.values())


FORMATS: Mapping[str, Callable[[Resolution], str]] = {
    "dotenv": dotenv,
    "json": json,
    "yaml": yaml,
    "shell": shell,
    "docker": docker,
}


def github_commands(resolution: Resolution) -> str:
    """Write the workflow commands that mask every line of every secret in the job's log."""
    lines = dict.fromkeys(line for v in resolution.values() if v.secret for line in _maskable(v))
    return "".join(f"::add-mask::{_command(line)}\n" for line in lines)


def _maskable(value: Value) -> Iterator[str]:
    # The log is masked line by line, and may show a line without the space around it. A blank mask is refused.
    yield from filter(None, map(str.strip, re.split("[\r\n]+", _utf8(value, "github"))))


def _command(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def github_environment(resolution: Resolution) -> str:
    """Write what is appended to the file that GITHUB_ENV names."""
    from secrets import token_hex

    # Nobody can guess the delimiter, so no value can end its own assignment.
    mark = f"confsvc_{token_hex(16)}"
    return "".join(f"{_name(v, 'github')}<<{mark}\n{_utf8(v, 'github')}\n{mark}\n" for v in resolution.values())


def _name(value: Value, form: str) -> str:
    if not _NAME.fullmatch(value.name):
        raise refusal(value, form, "its name has other characters than letters, digits and `_`")
    return value.name


def _without_nul(value: Value, form: str) -> str:
    if "\0" in value.text:
        raise refusal(value, form, "it holds a NUL byte")
    return value.text


def _utf8(value: Value, form: str) -> str:
    _without_nul(value, form)
    if not is_utf8(value.text):
        raise refusal(value, form, "it is not UTF-8 text")
    return value.text


def is_utf8(text: str) -> bool:
    """Tell whether ``text`` can be encoded: no byte in it was none of UTF-8."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def refusal(value: Value, form: str, reason: str) -> OutputError:
    """Return the error that ``value`` cannot be written as ``form``."""
    return OutputError(f"`{value.name}` cannot be written as {form}: {reason}", hint="leave it out with --only")
